"""The first sign-in, as a browser has it: second factor, password, and no way around either; then the own account."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.models import AuditEvent
from controlplane.services import users
from controlplane.services.second_factor import code_at
from controlplane.services.users import NewUser
from tests.accounts import TOTP_SECRET
from tests.callers import Callers
from tests.people import OPERATOR
from tests.web.visitors import Visitor, Visitors

NEW = "Grassland-Horse-42-Lamp"
ELSEWHERE = ("/", "/vms", "/account", "/account/password", "/metrics", "/api/docs")


def fresh(visit: Visitors, username: str, role: str) -> tuple[Visitor, str]:
    """Make an account with a first password, and give that; return the browser and the password."""
    with transaction(visit.sessions) as session:
        new = NewUser(username, username, role)  # type: ignore[arg-type]
        _, password = users.create(session, OPERATOR, new)
    assert password
    browser = visit.nobody().speak("en")
    assert browser.enter(username, password, "/vms?state=running").status == 302
    return browser, password


def test_an_administrator_sets_a_second_factor_up_then_a_password_and_then_goes_where_he_wanted(
    visit: Visitors,
) -> None:
    browser, password = fresh(visit, "boss", "system_admin")
    for path in ELSEWHERE:
        assert browser.get(path).location == "/account/second-factor", path
    refused = browser.client.get("/api/v1/vms")
    assert (refused.status_code, refused.json["code"]) == (403, "account.unfinished")

    page = browser.get("/account/second-factor")
    assert page.all("//svg") and not page.all("//img[contains(@src, 'otpauth')]")
    secret = page.text("//*[@class='gate-secret']").replace(" ", "")
    wrong = browser.post("/account/second-factor", {"code": "000000"})
    assert (wrong.status, "wrong" in wrong.text("//*[@role='alert']")) == (401, True)
    assert secret == wrong.text("//*[@class='gate-secret']").replace(" ", "")
    done = browser.post("/account/second-factor", {"code": code_at(secret, datetime.now(UTC))})
    assert len(done.all("//*[@class='gate-codes']/li")) == 10

    for path in ("/", "/vms", "/account", "/account/second-factor"):
        assert browser.get(path).location == "/account/password", path
    browser.get("/account/password")
    form = {"present": password, "wanted": NEW, "again": NEW}
    for change, status, field in (
        ({"again": "x"}, 422, "again"),
        ({"present": "wrong"}, 401, "present"),
        ({"wanted": password, "again": password}, 422, "wanted"),
        ({"wanted": "Password@2026", "again": "Password@2026"}, 422, "wanted"),
    ):
        again = browser.post("/account/password", {**form, **change})
        assert again.status == status
        assert again.all(f"//*[@id='error-{field}']"), field
        assert password not in again.answer.text
    assert browser.post("/account/password", form).status == 302
    assert browser.get("/vms").status == 200


def test_everybody_else_changes_the_first_password_before_anything_else(visit: Visitors) -> None:
    browser, password = fresh(visit, "wang", "auditor")
    assert {browser.get(path).location for path in ELSEWHERE if path != "/account/password"} == {"/account/password"}
    browser.get("/account/password")
    done = browser.post("/account/password", {"present": password, "wanted": NEW, "again": NEW})
    assert done.location == "/vms?state=running"


def test_without_the_second_factor_there_is_no_page_but_that_which_asks_for_it(visit: Visitors) -> None:
    admin = visit.person("admin")
    browser = visit.nobody().speak("en")
    assert browser.enter("admin", admin.password, "/vms").status == 302
    for path in ("/vms", "/account", "/account/second-factor", "/account/password"):
        assert browser.get(path).location == "/second-factor", path
    browser.get("/second-factor")
    assert (
        browser.client.post("/account/second-factor/codes", data={"csrf_token": browser.page.csrf}).status_code == 302
    )
    assert browser.post("/second-factor", {"code": "123456"}).status == 401
    before = browser.client.get_cookie("steppe")
    done = browser.post("/second-factor", {"code": code_at(TOTP_SECRET, datetime.now(UTC))})
    after = browser.client.get_cookie("steppe")
    assert done.location == "/vms"
    assert before and after and before.value != after.value
    assert browser.get("/second-factor").location == "/"
    thief = visit.nobody()
    thief.client.set_cookie("steppe", before.value)
    assert thief.get("/vms").location.startswith("/sign-in")


def test_a_locked_name_is_told_so_and_for_how_long(visit: Visitors) -> None:
    visit.person("manager")
    for name in ("manager", "nobody"):
        browser = visit.nobody().speak("en")
        told = [browser.enter(name, "wrong") for _ in range(6)]
        assert [page.status for page in told] == [401] * 5 + [429]
        assert "1 minutes" in told[-1].text("//*[@role='alert']")
    assert visit.nobody().enter("manager", visit.password("manager")).status == 429


def test_who_comes_from_the_wrong_network_is_told_so_and_the_trail_says_it(visit: Visitors) -> None:
    password = visit.password("operator")
    with transaction(visit.sessions) as session:
        users.update(session, OPERATOR, "operator", {"networks": ["192.0.2.0/24"]})
    page = visit.nobody().speak("en").enter("operator", password)
    assert (page.status, "127.0.0.1" in page.text("//*[@role='alert']")) == (403, True)
    with transaction(visit.sessions) as session:
        [failed] = session.scalars(select(AuditEvent).where(AuditEvent.outcome == "failure")).all()
    assert (failed.action, failed.target_name, failed.details["refused"]) == ("user.sign_in", "operator", "network")


def test_who_sees_no_machines_starts_at_the_own_account(visit: Visitors) -> None:
    browser = visit("security")
    assert browser.get("/").location == "/account"
    assert browser.get("/vms").status == 403
    assert not browser.get("/account").all("//nav[@id='nav']//a[@href='/vms']")


def test_the_own_account_ends_other_sessions_and_not_those_of_others(visit: Visitors) -> None:
    here, there, stranger = visit("manager"), visit("manager"), visit("stranger")
    page = here.get("/account")
    [end] = page.all("//*[@id='sessions']//form/@action")
    assert Visitor.post(stranger, end).status in {400, 404}
    stranger.get("/account")
    assert stranger.post(end).status == 404
    assert here.post(end).location == "/account"
    assert there.get("/").location.startswith("/sign-in")
    assert not here.get("/account").all("//*[@id='sessions']//form")


def test_a_token_made_at_the_own_account_is_shown_once_works_and_is_revoked(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/account")
    form = {"name": "ci", "days": "30", "action": "resource.read"}
    made = browser.post("/account/tokens", form)
    found = re.search(r"steppe_[\w-]{40,}", made.answer.text)
    assert found
    assert found[0] not in browser.get("/account").answer.text
    bearer = {"Authorization": f"Bearer {found[0]}"}
    client = http.app.test_client()
    assert client.get("/api/v1/vms", headers=bearer).status_code == 200
    assert client.get("/api/v1/systems", headers=bearer).status_code == 403
    [revoke] = browser.page.all("//*[@id='tokens']//form[contains(@action, 'revoke')]/@action")
    assert browser.post(revoke).location == "/account"
    assert client.get("/api/v1/vms", headers=bearer).status_code == 401


def test_setting_another_device_up_needs_a_code_of_the_present_one(visit: Visitors) -> None:
    browser = visit("admin")
    browser.get("/account")
    assert browser.post("/account/second-factor/give-up", {"code": "000000"}).location == "/account"
    assert browser.get("/account").all("//*[@id='second-factor']//form")
    code = code_at(TOTP_SECRET, datetime.now(UTC) + timedelta(seconds=30))
    assert browser.post("/account/second-factor/give-up", {"code": code}).location == "/account/second-factor"
    assert browser.get("/vms").location == "/account/second-factor"


@pytest.mark.parametrize("path", ["/account", "/account/password", "/account/second-factor", "/second-factor"])
def test_the_pages_of_an_account_are_for_people_alone(http: Callers, path: str) -> None:
    bearer = {"Authorization": f"Bearer {http.ours.secret}"}
    assert http.app.test_client().get(path, headers=bearer).status_code == 401


def test_an_address_from_a_header_is_believed_only_where_a_proxy_is_set(http: Callers, visit: Visitors) -> None:
    browser = visit.nobody()
    browser.get("/sign-in")
    form = {"user": "manager", "password": visit.password("manager")}
    browser.post("/sign-in", form, headers={"X-Forwarded-For": "10.9.9.9"})
    assert "127.0.0.1" in browser.get("/account").text("//*[@id='sessions']")
