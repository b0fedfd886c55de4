"""The lists of tunnels and of logins: what is up, what was, who was not let in and why."""

import csv
import io

import pytest

from tests.callers import Callers
from tests.statements import noted
from tests.web.visitors import Visitor, Visitors
from tests.web.vpn.scene import opened, tried, tunnel


def rows(browser: Visitor, path: str) -> list[dict[str, str]]:
    text = browser.client.get(path).get_data(as_text=True).removeprefix("\N{BYTE ORDER MARK}")
    return list(csv.DictReader(io.StringIO(text)))


def test_tunnels_that_are_up_are_listed_and_those_that_were_where_they_are_asked_for(
    http: Callers, visit: Visitors
) -> None:
    [ref] = opened(http, 1)
    tunnel(http, "wang1", "a")
    tunnel(http, "wang1", "b", "Stop", "Idle-Timeout")
    browser = visit("manager")
    [up] = browser.get("/vpn-sessions").texts("//tbody/tr")
    assert "1 h 2 min" in up and "1.5KiB" in up and "5GiB" in up and "10.96.0.5" in up and "Up" in up
    [over] = browser.get("/vpn-sessions?up=false").texts("//tbody/tr")
    assert "Idle for too long" in over
    page = browser.get("/vpn-sessions?up=any")
    assert page.all("//tbody//th/a/@href") == [f"/vpn-accounts/{ref}"] * 2
    assert browser.get("/vpn-sessions?username=nobody").texts("//*[@class='empty-head']") == ["Nothing matches"]
    assert len(browser.get(f"/vpn-sessions?account={ref}&username=wang1").texts("//tbody/tr")) == 1


def test_a_file_of_tunnels_has_bytes_as_numbers(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    tunnel(http, "wang1")
    [row] = rows(visit("manager"), "/vpn-sessions.csv")
    assert (row["User name"], row["Sent by the user (B)"], row["Received by the user (B)"]) == (
        "wang1",
        "1536",
        "5368709120",
    )


def test_a_tunnel_of_nobody_of_ours_is_seen_by_the_centre_alone(http: Callers, visit: Visitors) -> None:
    tunnel(http, "intruder")
    page = visit("admin").get("/vpn-sessions")
    assert "No account of ours" in page.text("//tbody") and page.all("//tbody//form")
    assert visit("manager").get("/vpn-sessions").texts("//tbody/tr") == []


def test_ending_a_tunnel_is_for_those_who_operate_and_leads_back_to_the_list(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    number = tunnel(http, "wang1")
    assert not visit("auditor").get("/vpn-sessions").all("//tbody//form")
    browser = visit("operator")
    browser.get("/vpn-sessions")
    sent = browser.post(f"/vpn-sessions/{number}/disconnect", {"next": "/vpn-sessions?username=wang1"})
    assert sent.location == "/vpn-sessions?username=wang1"
    assert "Being disconnected" in browser.get("/vpn-sessions").text("//tbody")
    stranger = visit("stranger")
    stranger.get("/vpn-sessions")
    assert stranger.post(f"/vpn-sessions/{number}/disconnect").status == 404


@pytest.mark.parametrize(("language", "reason"), [("en", "Too many tunnels at once"), ("zh", "同时在线数超限")])
def test_a_login_says_in_words_why_somebody_was_not_let_in(
    http: Callers, visit: Visitors, language: str, reason: str
) -> None:
    opened(http, 1)
    http.ours.post("/vpn-accounts/credentials", {"passphrase": "correct horse battery"})
    tried(http, "wang1", "too_many_sessions")
    browser = visit("manager", language)
    [row] = browser.get("/vpn-logins").texts("//tbody/tr")
    assert reason in row and "203.0.113.7" in row
    assert browser.get("/vpn-logins?accepted=true").texts("//tbody/tr") == []
    assert len(browser.get("/vpn-logins?accepted=false&reason=too_many_sessions").texts("//tbody/tr")) == 1


def test_a_name_that_is_nobody_is_told_to_the_centre_by_name(http: Callers, visit: Visitors) -> None:
    tried(http, "nobody", "wrong_password")
    assert "There is no account nobody" in visit("admin").get("/vpn-logins").text("//tbody")
    assert rows(visit("admin"), "/vpn-logins.csv")[0]["Why not"] == "There is no account nobody"
    assert visit("manager").get("/vpn-logins").texts("//*[@class='empty-head']") == ["Nobody has tried to come in yet"]


@pytest.mark.parametrize("path", ["/vpn-sessions", "/vpn-logins"])
def test_a_page_asks_as_much_of_the_database_for_two_as_for_fifty(http: Callers, visit: Visitors, path: str) -> None:
    opened(http, 1)
    browser = visit("admin")

    def told(*sessions: int) -> None:
        for session in sessions:
            tunnel(http, "wang1", str(session))
            tried(http, "wang1")

    told(1, 2)
    with noted(http.engine) as few:
        browser.get(path)
    told(*range(3, 61))
    with noted(http.engine) as many:
        page = browser.get(path)
    assert len(page.texts("//tbody/tr")) == 50 and page.all("//a[@rel='next']")
    assert len(many) == len(few) > 0


@pytest.mark.parametrize("path", ["/vpn-sessions", "/vpn-logins"])
def test_a_department_that_was_typed_becomes_a_filter(visit: Visitors, path: str) -> None:
    assert visit("admin").get(f"{path}?department=环境").location == f"{path}?department=environment"
