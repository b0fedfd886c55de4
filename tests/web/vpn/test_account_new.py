"""Asking for a VPN account: what it takes is told first, and what is wrong stands beside its field."""

import pytest

from controlplane.db import transaction
from controlplane.models import Resource, VpnGroup
from tests.callers import Callers
from tests.web.visitors import Visitors

ASK = {
    "department": "environment",
    "name": "王芳",
    "number": "E00001",
    "phone": "0471-0000001",
    "username": "wang1",
    "system": "",
    "gateway": "",
    "max_sessions": "1",
    "lease_until": "",
}


def count(http: Callers) -> int:
    with transaction(http.sessions) as session:
        return session.query(Resource).count()


def test_the_form_offers_the_systems_and_gateways_of_the_department(visit: Visitors) -> None:
    page = visit("manager").get("/vpn-accounts/new")
    assert page.all("//input[@name='department']/@value") == ["environment"]
    assert page.all("//select[@name='system']/option/@value") == ["", "monitoring"]
    assert page.all("//select[@name='gateway']/option/@value") == ["", "vpn-1"]
    browser = visit("admin", "zh")
    assert browser.get("/vpn-accounts/new").all("//select[@name='system']/option/@value") == [""]
    page = browser.get("/vpn-accounts/new?department=环境保护厅 (environment)")
    assert page.all("//select[@name='system']/option/@value") == ["", "monitoring"]
    assert visit("auditor").get("/vpn-accounts/new").status == 403


def test_the_impact_tells_quota_and_gateway_and_takes_nothing(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    browser.get("/vpn-accounts/new")
    page = browser.post("/vpn-accounts/new/impact", ASK)
    assert page.texts("//*[@class='impact-move']") == ["0 → 1 / 100,000accounts"]
    assert page.texts("//tbody/tr/*") == ["wang1", "vpn-1"]
    assert count(http) == 0
    missing = browser.post("/vpn-accounts/new/impact", {"department": "environment"})
    assert "Still to fill in: Name of the person, Staff number" in missing.text("//div[@class='impact-state']")


def test_an_account_is_asked_for_and_its_page_is_shown(http: Callers, visit: Visitors) -> None:
    browser = visit("colleague")
    browser.get("/vpn-accounts/new")
    made = browser.post("/vpn-accounts/new", {**ASK, "max_sessions": "2", "lease_until": "2990-01-31"})
    assert made.status == 302 and made.location.startswith("/vpn-accounts/")
    shown = http.ours.get(made.location).json
    assert (shown["username"], shown["person"]["name"], shown["max_sessions"]) == ("wang1", "王芳", 2)
    assert shown["lease_until"] == "2990-01-31T15:59:59Z"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"username": "Wang Fang"}, "username"),
        ({"username": ""}, "username"),
        ({"phone": "abc"}, "phone"),
        ({"mail": "wang"}, "mail"),
        ({"max_sessions": "11"}, "max_sessions"),
        ({"lease_until": "soon"}, "lease_until"),
        ({"system": "nothing"}, "system"),
        ({"gateway": "vpn-9"}, "gateway"),
        ({"department": "nowhere"}, "department"),
        ({"number": "x" * 65}, "number"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_done(
    http: Callers, visit: Visitors, more: dict[str, str], field: str
) -> None:
    browser = visit("admin")
    browser.get("/vpn-accounts/new")
    page = browser.post("/vpn-accounts/new", {**ASK, **more})
    assert page.status in {404, 422} and page.all(f"//*[@id='error-{field}']"), page.text("//main")
    assert page.all("//input[@name='name']/@value") == ["王芳"]
    assert count(http) == 0


def test_a_user_name_that_is_taken_is_told_beside_it(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vpn-accounts/new")
    browser.post("/vpn-accounts/new", ASK)
    page = browser.post("/vpn-accounts/new", {**ASK, "number": "E2"})
    assert page.status in {409, 422} and "exists already" in page.text("//*[@id='error-username']")


def test_where_a_rule_makes_user_names_the_form_says_so_and_asks_for_none(http: Callers, visit: Visitors) -> None:
    with transaction(http.sessions) as session:
        session.query(VpnGroup).update({"username_rule": "{department}-{number}"})
    browser = visit("manager")
    page = browser.get("/vpn-accounts/new")
    assert "{department}-{number}" in page.text("//*[@id='help-username']")
    made = browser.post("/vpn-accounts/new", {**ASK, "username": ""})
    assert http.ours.get(made.location).json["username"] == "environment-e00001"
    wrong = browser.post("/vpn-accounts/new", {**ASK, "number": "号"})
    assert wrong.status == 422 and wrong.all("//*[@id='error-number']")


def test_an_ask_beyond_the_quota_is_refused_with_the_figures(http: Callers, visit: Visitors) -> None:
    http.admin.put("/departments/environment/quota", {"limits": {"vpn_account": 0}})
    browser = visit("manager")
    browser.get("/vpn-accounts/new")
    page = browser.post("/vpn-accounts/new", ASK)
    assert page.status == 409 and "It would be refused." in page.text("//*[@id='impact']")
    assert "VPN accounts" in page.text("//*[@id='impact']//tbody")


def test_without_script_the_preview_is_a_button(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vpn-accounts/new")
    page = browser.post("/vpn-accounts/new", {**ASK, "preview": "1"})
    assert page.status == 200 and "It can be done now." in page.text("//*[@id='impact']")
    assert count(http) == 0


def test_what_has_to_be_approved_becomes_a_request_that_says_the_account_and_not_the_person(
    http: Callers, visit: Visitors
) -> None:
    rule = {"name": "VPN", "name_en": "VPN", "applies": {"kind": "vpn_account"}, "steps": [{"role": "system_admin"}]}
    assert http.security.post("/routing-rules", {"code": "vpn", **rule}).status_code == 201
    browser = visit("manager")
    browser.get("/vpn-accounts/new")
    page = browser.post("/vpn-accounts/new", ASK)
    assert page.status == 409 and page.all("//button[@name='as_request']")
    draft = browser.post("/vpn-accounts/new", {**ASK, "as_request": "1"})
    assert draft.status == 302 and draft.location.startswith("/requests/")
    shown = browser.get(draft.location)
    assert "New VPN accounts: wang1" in shown.text("//main") and "王芳" not in shown.text("//main")
    ref = draft.location.split("/")[2]
    assert browser.post(f"/requests/{ref}/submit").status == 302
    assert http.admin.post(f"/requests/{ref}/approve", {}).status_code == 200
    [account] = http.ours.get("/vpn-accounts").json["items"]
    assert (account["username"], account["person"]["name"]) == ("wang1", "王芳")
    made = browser.get(f"/requests/{ref}").all("//section[@id='made']//tbody//a/@href")
    assert made == [f"/vpn-accounts/{account['id']}"]


def test_another_departments_name_is_not_known(visit: Visitors) -> None:
    browser = visit("stranger")
    browser.get("/vpn-accounts/new")
    page = browser.post("/vpn-accounts/new", ASK)
    assert page.status == 422 and page.all("//p[@class='field']")
