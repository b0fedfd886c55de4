"""The list of VPN accounts: what it shows to whom, and what is done to many at once."""

import csv
import io
from uuid import uuid4

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from tests.callers import Callers
from tests.statements import noted
from tests.vpn_accounts.scene import look
from tests.web.visitors import Page, Visitor, Visitors
from tests.web.vpn.scene import opened, states, tried


def order(browser: Visitor, verb: str, refs: list[str], **more: str) -> Page:
    """Send what the list's form, or the page that confirms it, would."""
    browser.get("/vpn-accounts")
    form = {"csrf_token": browser.page.csrf, "verb": verb, "id": refs, "next": "/vpn-accounts?q=wang", **more}
    return Page(browser.client.post("/vpn-accounts/bulk", data=form))


@pytest.mark.parametrize(("language", "active", "waiting"), [("en", "Active", "Not yet"), ("zh", "正常", "未发放")])
def test_an_account_is_told_with_its_person_in_the_words_of_people_who_come_in(
    http: Callers, visit: Visitors, language: str, active: str, waiting: str
) -> None:
    opened(http, 1)
    page = visit("manager", language).get("/vpn-accounts")
    cells = page.texts("//tbody/tr/th | //tbody/tr/td")[1:]
    assert cells[:4] == ["wang1", "王芳1", "E00001", active]
    assert waiting in cells
    assert "VPN" in page.texts("//nav[@id='nav']//a[@aria-current]")


def test_the_list_is_searched_by_user_name_and_by_whole_names_and_numbers(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    browser = visit("manager")
    for query in ("q=ang2", "person=王芳2", "number=e00002", "sort=-name&q=2"):
        assert browser.get(f"/vpn-accounts?{query}").texts("//tbody//th") == ["wang2"], query
    assert browser.get("/vpn-accounts?person=王").texts("//*[@class='empty-head']") == ["Nothing matches"]
    assert browser.get("/vpn-accounts?state=running&sort=-name").texts("//tbody//th") == ["wang2", "wang1"]
    assert browser.get("/vpn-accounts?state=stopped").texts("//tbody//th") == []


def test_the_centres_people_filter_by_department_and_gateway(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    browser = visit("admin")
    assert browser.get("/vpn-accounts?department=环境").location == "/vpn-accounts?department=environment"
    assert browser.get("/vpn-accounts?department=environment&pool=vpn-1").texts("//tbody//th") == ["wang1"]
    assert browser.get("/vpn-accounts?department=finance").texts("//tbody//th") == []


def test_whoever_may_not_know_people_sees_none_and_cannot_look_for_them(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    page = visit("auditor").get("/vpn-accounts?person=王芳1")
    assert page.texts("//tbody//th") == ["wang1", "wang2"]
    assert "王芳" not in page.text("//tbody") and "Person" not in page.texts("//thead//th")
    assert not page.all("//input[@name='person' and @type='text']") and not page.all("//input[@name='id']")
    assert "王芳" not in visit("auditor").get("/vpn-accounts.csv").answer.text


def test_the_file_says_what_the_list_shows(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    answer = visit("manager").client.get("/vpn-accounts.csv?q=wang2")
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\N{BYTE ORDER MARK}"))))
    assert rows[0][:4] == ["User name", "Person", "Staff number", "State"]
    assert [row[:4] for row in rows[1:]] == [["wang2", "王芳2", "E00002", "Active"]]


def test_a_page_of_accounts_asks_as_much_of_the_database_for_two_as_for_fifty(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    browser = visit("admin")
    with noted(http.engine) as few:
        browser.get("/vpn-accounts")
    opened(http, *range(3, 61))
    tried(http, "wang1")
    with noted(http.engine) as many:
        page = browser.get("/vpn-accounts")
    assert len(page.texts("//tbody/tr")) == 50
    assert len(many) == len(few) > 0


def test_without_an_account_the_page_says_what_to_do_first(visit: Visitors) -> None:
    page = visit("manager").get("/vpn-accounts")
    assert page.texts("//*[@class='empty-head']") == ["No VPN account yet"]
    assert page.all("//*[@class='empty-block']//a/@href") == ["/vpn-accounts/new"]
    assert not visit("auditor").get("/vpn-accounts").all("//*[@class='empty-block']//a")


def test_suspending_many_says_first_what_it_means_and_resuming_lets_them_in_again(
    http: Callers, visit: Visitors
) -> None:
    refs = opened(http, 1, 2)
    browser = visit("manager")
    page = order(browser, "suspend", refs)
    assert page.texts("//h1") == ["Suspend: 2 accounts"] and states(http) == {"running"}
    assert page.texts("//tbody//th") == ["wang1", "wang2"]
    assert order(browser, "suspend", refs, confirmed="1").location == "/vpn-accounts?q=wang"
    assert "Suspend: ordered for 2 accounts." in browser.get("/vpn-accounts").text("//*[@id='flashes']")
    look(http)
    assert states(http) == {"stopped"}
    assert order(browser, "resume", refs, confirmed="1").status == 302
    look(http)
    assert states(http) == {"running"}


def test_what_is_to_be_confirmed_is_listed_and_confirmed_there(http: Callers, visit: Visitors) -> None:
    one, other, _young = opened(http, 1, 2, 3)
    with transaction(http.sessions) as session:
        session.execute(
            text("UPDATE vpn_accounts SET confirm_told_at = now() WHERE resource_id = ANY(:told)"),
            {"told": [one, other]},
        )
    browser = visit("manager")
    assert sorted(browser.get("/vpn-accounts?confirm=due").texts("//tbody//th")) == ["wang1", "wang2"]
    page = order(browser, "confirm", [one, other])
    assert page.texts("//h1") == ["Confirm: 2 accounts"] and "for a year" in page.text("//form")
    assert order(browser, "confirm", [one, other], confirmed="1").status == 302
    assert browser.get("/vpn-accounts?confirm=due").texts("//tbody//th") == []
    assert states(http) == {"running"}
    assert http.ours.get("/vpn-accounts?confirm=due").json["items"] == []
    assert http.ours.get("/vpn-accounts?confirm=never").status_code == 422


@pytest.mark.parametrize(("language", "word"), [("en", "revoke"), ("zh", "吊销")])
def test_revoking_many_needs_the_typed_word(http: Callers, visit: Visitors, language: str, word: str) -> None:
    refs = opened(http, 1, 2)
    browser = visit("manager", language)
    assert order(browser, "revoke", refs).all("//input[@name='word']")
    refused = order(browser, "revoke", refs, confirmed="1", word="yes")
    assert refused.status == 422 and refused.all("//input[@name='word' and @aria-invalid]")
    assert states(http) == {"running"}
    assert order(browser, "revoke", refs, confirmed="1", word=f" {word} ").status == 302
    assert states(http) == {"deleting"}


def test_what_cannot_be_done_to_all_is_done_to_none_and_says_to_which_not(http: Callers, visit: Visitors) -> None:
    refs = opened(http, 1, 2)
    http.ours.post(f"/vpn-accounts/{refs[1]}/suspend")
    look(http)
    gone = str(uuid4())
    page = order(visit("manager"), "suspend", [*refs, gone], confirmed="1")
    assert page.status == 422 and states(http) == {"running", "stopped"}
    assert page.texts("//tr[@class='row-bad']/th") == ["wang2", gone]
    assert "Not possible while it is: Suspended" in page.text("//tr[@class='row-bad'][1]")


def test_an_order_of_the_administrator_takes_accounts_of_several_departments(http: Callers, visit: Visitors) -> None:
    refs = opened(http, 1)
    theirs = http.theirs.post("/vpn-accounts", {"username": "zhao", "person": {"name": "赵", "number": "1"}}).json["id"]
    look(http)
    assert order(visit("admin"), "suspend", [*refs, theirs], confirmed="1").status == 302
    look(http)
    assert states(http) == {"stopped"} == {http.theirs.get(f"/vpn-accounts/{theirs}").json["state"]}


def test_another_departments_accounts_are_not_there(http: Callers, visit: Visitors) -> None:
    refs = opened(http, 1, 2)
    browser = visit("stranger")
    assert browser.get("/vpn-accounts").texts("//tbody//th") == []
    page = order(browser, "revoke", refs, confirmed="1", word="revoke")
    assert page.status == 422 and "wang1" not in page.answer.text and states(http) == {"running"}


def test_choosing_nothing_or_too_many_or_what_there_is_not_does_nothing(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    browser = visit("manager")
    assert order(browser, "suspend", []).location == "/vpn-accounts?q=wang"
    assert "No account was chosen" in browser.get("/vpn-accounts").text("//*[@id='flashes']")
    assert order(browser, "suspend", ["x"]).status == 404
    assert order(browser, "explode", [str(uuid4())]).status == 404
    assert order(browser, "suspend", [str(uuid4()) for _ in range(501)]).status == 422
    assert states(http) == {"running"}


def test_a_member_of_a_department_may_not_hand_out_passwords(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    assert "issue" in visit("manager").get("/vpn-accounts").all("//button[@name='verb']/@value")
    page = visit("colleague").get("/vpn-accounts")
    assert page.all("//button[@name='verb']/@value") == ["suspend", "resume", "revoke"]


def test_the_search_box_finds_accounts_by_user_name_and_people_by_whole_names(http: Callers, visit: Visitors) -> None:
    [ref, _] = opened(http, 1, 2)
    browser = visit("manager")
    for sought, names in (("ang1", ["wang1"]), ("王芳2", ["wang2"]), ("e00001", ["wang1"]), ("王", [])):
        assert browser.get(f"/search?q={sought}").texts("//*[@id='found-vpn-accounts']//tbody//th") == names
    assert browser.get(f"/search?q={ref}").location == f"/vpn-accounts/{ref}"
    assert visit("auditor").get("/search?q=王芳1").texts("//*[@id='found-vpn-accounts']") == []


def test_states_on_the_overview_are_of_machines_alone(http: Callers, visit: Visitors) -> None:
    opened(http, 1, looked_at=False)
    page = visit("manager").get("/")
    assert page.text("//*[@data-key='state-building']//b") == "0"
    assert page.all("//section[.//h2[contains(., 'transition')]]//tbody//a/@href")[0].startswith("/vpn-accounts/")
