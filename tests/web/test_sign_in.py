"""Coming in and going out: who gets in, where to, and what a stranger can learn or make of it."""

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.models import AuditEvent
from controlplane.services import leavers
from tests.callers import Callers
from tests.factories import vm
from tests.people import SECURITY
from tests.web.visitors import Visitors

HOSTILE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r\nSet-Cookie: a=b",
    " //evil.example",
    "evil",
    "/\0",
]


def test_the_right_password_leads_to_the_page_that_was_asked_for(visit: Visitors) -> None:
    browser = visit.nobody()
    turned = browser.get("/vms?state=running")
    assert turned.status == 302 and turned.location.startswith("/sign-in?next=")
    form = browser.get(turned.location)
    assert form.all("//form[@action='/sign-in']//input[@name='next']/@value") == ["/vms?state=running"]
    assert browser.enter("auditor", visit.password("auditor"), "/vms?state=running").location == "/vms?state=running"
    assert browser.get("/").status == 200


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_unknown_user_and_a_wrong_password_are_told_the_same(visit: Visitors, language: str) -> None:
    visit.password("admin")
    told = [visit.nobody().speak(language).enter(user, "wrong") for user in ("admin", "unknown", "", "a\u00e9")]
    assert {page.status for page in told} == {401}
    assert len({page.text("//*[@role='alert']") for page in told}) == 1
    assert "wrong" in told[0].text("//*[@role='alert']") or language == "zh"


def test_what_was_typed_comes_back_escaped_and_the_password_never(visit: Visitors) -> None:
    page = visit.nobody().enter('"><script>x</script>', "a-secret")
    assert page.all("//input[@name='user']/@value") == ['"><script>x</script>']
    assert not page.all("//script[not(@src)]")
    assert "a-secret" not in page.answer.text


def test_a_user_name_that_no_database_can_hold_is_refused(visit: Visitors) -> None:
    assert visit.nobody().enter("adm\0in", "x").status == 422
    assert visit.nobody().enter("admin", "x\0").status == 422


def test_a_disabled_user_stays_out_and_one_who_is_inside_is_put_out(visit: Visitors) -> None:
    inside = visit("manager")
    with transaction(visit.sessions) as session:
        leavers.disable(session, SECURITY, "manager")
    assert visit.nobody().enter("manager", visit.password("manager")).status == 401
    assert inside.get("/").location.startswith("/sign-in")


@pytest.mark.parametrize("target", HOSTILE)
def test_no_link_to_the_sign_in_sends_people_elsewhere(visit: Visitors, target: str) -> None:
    browser = visit.nobody()
    assert browser.get("/sign-in", query_string={"next": target}).all(
        "//form[@action='/sign-in']//input[@name='next']/@value"
    ) in (["/"], [])
    assert browser.enter("admin", visit.password("admin"), target).location in ("/", "")
    assert browser.post("/language", {"lang": "en", "next": target}).location in ("/", "")


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/language"])
def test_a_form_without_its_csrf_token_is_refused(visit: Visitors, path: str) -> None:
    browser = visit("admin")
    for form in ({}, {"csrf_token": "forged"}):
        refused = browser.post(path, {"user": "admin", "password": visit.password("admin"), "csrf_token": "", **form})
        assert refused.status == 400
        assert "csrf" in refused.text("//code")
    assert browser.get("/").status == 200


def test_a_session_writes_to_the_api_with_a_csrf_token_alone(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/")
    refused = browser.client.post("/api/v1/vms", json=vm())
    assert (refused.status_code, refused.json["code"]) == (400, "csrf")
    assert browser.client.post("/api/v1/vms", json=vm(), headers={"X-CSRFToken": browser.page.csrf}).status_code == 202


def test_signing_out_ends_the_session_and_keeps_the_language(visit: Visitors) -> None:
    browser = visit("admin", "en")
    browser.get("/")
    assert browser.post("/sign-out").location == "/sign-in"
    assert browser.get("/").location.startswith("/sign-in")
    assert "Password" in browser.get("/sign-in").text()


def test_a_session_is_another_one_after_signing_in(visit: Visitors) -> None:
    browser = visit.nobody()
    before = browser.get("/sign-in").csrf
    planted = browser.client.get_cookie("steppe")
    browser.enter("admin", visit.password("admin"))
    after = browser.client.get_cookie("steppe")
    assert planted is not None and after is not None and planted.value != after.value
    browser.get("/")
    assert browser.client.post("/sign-out", data={"csrf_token": before}).status_code == 400
    other = visit.nobody()
    other.client.set_cookie("steppe", planted.value)
    assert other.get("/").location.startswith("/sign-in")


def test_what_was_known_of_a_session_before_its_second_factor_is_worth_nothing_after_it(visit: Visitors) -> None:
    browser, other = visit.nobody(), visit.nobody()
    browser.enter("admin", visit.password("admin"))
    before = browser.client.get_cookie("steppe")
    browser.get("/second-factor")
    assert browser.post("/second-factor", {"code": visit.person("admin").codes.pop()}).status == 302
    assert browser.get("/").status == 200
    assert before is not None
    other.client.set_cookie("steppe", before.value)
    assert other.get("/").location.startswith("/sign-in")


def test_a_session_that_was_tampered_with_is_nobodys(visit: Visitors) -> None:
    browser = visit("admin")
    cookie = browser.client.get_cookie("steppe")
    assert cookie is not None
    browser.client.set_cookie("steppe", cookie.value[:-2] + ("AA" if cookie.value[-2:] != "AA" else "BB"))
    assert browser.get("/").location.startswith("/sign-in")


def test_a_sign_in_is_recorded_even_where_a_dry_run_is_asked(visit: Visitors) -> None:
    browser, password = visit.nobody(), visit.password("manager")
    browser.get("/sign-in")
    browser.post("/sign-in?dry_run=true", {"user": "manager", "password": password})
    with transaction(visit.sessions) as session:
        events = session.scalars(select(AuditEvent.action).where(AuditEvent.action == "user.sign_in")).all()
    assert len(events) == 1


@pytest.mark.parametrize("who", ["manager", "admin"])
def test_who_came_in_at_a_browser_before_comes_in_there_again_while_others_try_the_name(
    visit: Visitors, who: str
) -> None:
    known, stranger = visit(who), visit.nobody()
    known.get("/")
    known.post("/sign-out")
    for _ in range(6):
        locked = stranger.enter(who, "wrong")
    assert locked.status == 429
    assert visit.nobody().enter(who, visit.password(who)).status == 429
    assert known.enter(who, visit.password(who)).status == 302
    if codes := visit.person(who).codes:
        known.get("/second-factor")
        assert known.post("/second-factor", {"code": codes.pop()}).status == 302
    assert known.get("/").status == 200


def test_a_browser_is_known_by_a_cookie_for_the_server_alone_that_names_nobody(visit: Visitors) -> None:
    browser = visit.nobody()
    assert "steppe-known" not in " ".join(browser.enter("manager", "wrong").answer.headers.getlist("Set-Cookie"))
    cookies = browser.enter("manager", visit.password("manager")).answer.headers.getlist("Set-Cookie")
    [cookie] = [cookie for cookie in cookies if cookie.startswith("steppe-known=")]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", f"max-age={90 * 24 * 3600}"} <= parts
    assert "manager" not in cookie


def test_a_browser_is_known_by_the_last_few_who_came_in_there(visit: Visitors) -> None:
    browser = visit.nobody()
    for who in ("manager", "colleague", "stranger", "auditor", "operator", "manager"):
        browser.enter(who, visit.password(who))
        browser.get("/")
        browser.post("/sign-out")
    cookie = browser.client.get_cookie("steppe-known")
    assert cookie is not None and len(set(cookie.value.split("."))) == 5


def test_the_language_is_chinese_unless_another_is_preferred_or_chosen(visit: Visitors) -> None:
    browser = visit.nobody()
    assert browser.get("/sign-in").all("//html/@lang") == ["zh-CN"]
    assert browser.get("/sign-in", headers={"Accept-Language": "en-GB,en;q=0.9"}).all("//html/@lang") == ["en"]
    assert browser.post("/language", {"lang": "en", "next": "/sign-in"}).location == "/sign-in"
    assert browser.get("/sign-in", headers={"Accept-Language": "zh-CN"}).all("//html/@lang") == ["en"]
    browser.post("/language", {"lang": "xx", "next": "/"})
    assert browser.get("/sign-in").all("//html/@lang") == ["en"]


def test_the_language_chosen_at_the_gate_is_kept_inside(visit: Visitors) -> None:
    assert visit("admin", "en").get("/").all("//html/@lang") == ["en"]
    assert visit("auditor", "zh").get("/").all("//html/@lang") == ["zh-CN"]


def test_a_department_sees_its_own_machines_alone(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms", vm("ours-01"))
    http.theirs.post("/vms", vm("theirs-01"))
    seen = {who: visit(who).get("/vms").texts("//tbody//th") for who in ("manager", "colleague", "stranger", "auditor")}
    assert seen == {
        "manager": ["ours-01"],
        "colleague": ["ours-01"],
        "stranger": ["theirs-01"],
        "auditor": ["ours-01", "theirs-01"],
    }


def test_an_auditor_has_no_buttons_and_is_refused_what_they_would_do(http: Callers, visit: Visitors) -> None:
    made = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    browser = visit("auditor")
    assert browser.get(f"/vms/{made}").all(f"//form[contains(@action, '{made}')]") == []
    for path, form in ((f"/vms/{made}/stop", {}), ("/vms/bulk", {"verb": "delete", "confirmed": "1", "id": made})):
        refused = browser.post(path, form)
        assert refused.status == 403
        assert "Not allowed" in refused.text("//h1")
    assert http.ours.get(f"/vms/{made}").json["state"] == "running"


def test_a_person_of_a_closed_department_still_gets_a_page_that_says_something(http: Callers, visit: Visitors) -> None:
    browser = visit("stranger")
    system = http.theirs.get("/systems").json["items"][0]["id"]
    assert http.admin.delete(f"/systems/{system}").status_code == 200
    assert http.admin.delete("/departments/finance").status_code == 200
    assert browser.get("/").status < 500
