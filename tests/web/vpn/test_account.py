"""The page of one VPN account: whose it is, how it stands, who came in under it, and what can be done to it."""

import pytest

from tests.callers import Callers
from tests.vpn_accounts.scene import look
from tests.web.visitors import Visitors
from tests.web.vpn.scene import opened, states, tried, tunnel


def test_the_page_tells_whose_it_is_what_it_reaches_and_who_came_in(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    tunnel(http, "wang1")
    tried(http, "wang1")
    tried(http, "wang1", "wrong_password")
    page = visit("manager").get(f"/vpn-accounts/{ref}")
    assert page.texts("//h1") == ["wang1"]
    facts = page.text("//*[@data-key='facts']")
    assert all(part in facts for part in ("王芳1", "E00001", "0471-0000001"))
    assert "10.1.0.0/24" in page.text("//*[@data-key='group']") and "vpn-1" in page.text("//*[@data-key='group']")
    [row] = page.texts("//tbody/tr[starts-with(@data-key, 'tunnel-')]")
    assert "1 h 2 min" in row and "1.5KiB" in row and "5GiB" in row and "203.0.113.7" in row
    # Nobody has a password yet, and that is the reason that counts.
    outcomes = page.texts("//tbody/tr[starts-with(@data-key, 'login-')]")
    assert "No password has been handed out yet" in outcomes[0] and "Let in" in outcomes[1]
    assert "Waits for its password" in page.text("//*[@data-key='head']")
    assert "Opening ordered" in page.text("//section[.//h2='Latest']//tbody")


def test_the_page_renews_itself_sooner_while_something_is_under_way(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1, looked_at=False)
    browser = visit("manager")
    assert browser.get(f"/vpn-accounts/{ref}").all("//*[@id='vpn-account']/@hx-trigger") == ["every 2s, refresh"]
    look(http)
    assert browser.get(f"/vpn-accounts/{ref}").all("//*[@id='vpn-account']/@hx-trigger") == ["every 15s, refresh"]


def test_who_may_not_know_people_sees_the_account_without_its_person(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    page = visit("auditor").get(f"/vpn-accounts/{ref}")
    assert page.status == 200 and "王芳" not in page.answer.text and "0471" not in page.text("//main")
    assert not page.all("//main//form")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_account_is_suspended_and_resumed_on_its_page(http: Callers, visit: Visitors, language: str) -> None:
    [ref] = opened(http, 1)
    browser = visit("colleague", language)
    page = browser.get(f"/vpn-accounts/{ref}")
    words = {"en": ("Suspend", "Resume"), "zh": ("停用", "恢复")}[language]
    buttons = page.all("//*[@class='heading-actions']//button")
    assert [b.get("disabled") is not None for b in buttons if b.text_content().strip() in words] == [False, True]
    assert browser.post(f"/vpn-accounts/{ref}/suspend").location == f"/vpn-accounts/{ref}"
    look(http)
    assert states(http) == {"stopped"}
    assert browser.post(f"/vpn-accounts/{ref}/suspend").status == 409
    browser.post(f"/vpn-accounts/{ref}/resume")
    look(http)
    assert states(http) == {"running"}
    assert browser.post(f"/vpn-accounts/{ref}/explode").status == 404


def test_revoking_one_is_confirmed_on_a_page_and_needs_no_word(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    browser = visit("manager")
    page = browser.get(f"/vpn-accounts/{ref}/revoke")
    assert page.texts("//h1") == ["Revoke: wang1"] and not page.all("//input[@name='word']")
    assert states(http) == {"running"}
    form = {name: page.all(f"//main//input[@name='{name}']/@value")[0] for name in ("verb", "confirmed", "next", "id")}
    assert browser.post("/vpn-accounts/bulk", form).location == "/vpn-accounts"
    look(http)
    assert states(http) == set()
    assert browser.get(f"/vpn-accounts/{ref}").status == 404


def test_tunnels_at_once_are_set_and_what_is_wrong_stands_beside_the_field(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    browser = visit("manager")
    browser.get(f"/vpn-accounts/{ref}")
    for wrong in ("", "0", "11", "many"):
        page = browser.post(f"/vpn-accounts/{ref}/tunnels", {"max_sessions": wrong})
        assert page.status == 422 and page.texts("//*[@class='invalid-feedback']") == ["A whole number from 1 to 10"]
    assert browser.post(f"/vpn-accounts/{ref}/tunnels", {"max_sessions": "3"}).status == 302
    assert http.ours.get(f"/vpn-accounts/{ref}").json["max_sessions"] == 3


def test_a_tunnel_is_disconnected_from_the_page_and_leads_back_to_it(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    number = tunnel(http, "wang1")
    browser = visit("colleague")
    [form] = browser.get(f"/vpn-accounts/{ref}").all("//tbody//form")
    assert form.get("action") == f"/vpn-sessions/{number}/disconnect"
    sent = browser.post(form.get("action"), {"next": form.xpath(".//input[@name='next']/@value")[0]})
    assert sent.location == f"/vpn-accounts/{ref}"
    assert "Being disconnected" in browser.get(f"/vpn-accounts/{ref}").text("//tbody")
    assert visit("stranger").post(f"/vpn-sessions/{number}/disconnect").status in {400, 404}


def test_the_lease_is_set_and_a_hold_is_put_as_on_machines(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1, lease_until="2990-01-01T00:00:00Z")
    admin = visit("admin")
    admin.get(f"/vpn-accounts/{ref}")
    assert admin.post(f"/vpn-accounts/{ref}/lease", {"lease_until": "2991-01-31"}).location == f"/vpn-accounts/{ref}"
    assert http.ours.get(f"/vpn-accounts/{ref}").json["lease_until"] == "2991-01-31T15:59:59Z"
    assert visit("manager").get("/leases").all("//tbody//th/a/@href") == [f"/vpn-accounts/{ref}"]
    security = visit("security")
    security.get("/holds")
    assert security.post("/holds", {"resource": "wang1", "reason": "案件"}).status == 302
    assert "On hold" in visit("manager").get(f"/vpn-accounts/{ref}").text("//*[@data-key='head']")
    [form] = security.get("/holds").all("//tbody//form")
    assert form.get("action") == f"/vpn-accounts/{ref}/lift"
    assert security.post(form.get("action")).status == 302


def test_another_departments_account_is_not_there(http: Callers, visit: Visitors) -> None:
    [ref] = opened(http, 1)
    browser = visit("stranger")
    assert browser.get(f"/vpn-accounts/{ref}").status == 404
    assert browser.get(f"/vpn-accounts/{ref}/revoke").status == 404
    browser.get("/vpn-accounts")
    for path in ("suspend", "tunnels", "explode"):
        assert browser.post(f"/vpn-accounts/{ref}/{path}", {"max_sessions": "2"}).status == 404
