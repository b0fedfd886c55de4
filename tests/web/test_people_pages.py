"""The pages of users, tokens, rights, sign-in security and the trail: who sees them, and what they do."""

import csv
import io
from uuid import uuid4

import pytest

from controlplane.policy import ACTIONS, ROLES
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Page, Visitors

WANG = {"username": "wang", "name": "王芳", "role": "department_member", "department": "environment"}
PAGES = {
    "/users": {"security", "audit", "manager", "stranger"},
    "/users/new": {"security", "manager", "stranger"},
    "/tokens": {"security", "audit", "manager", "stranger"},
    "/tokens/new": {"security", "manager", "stranger"},
    "/policy": {"security", "audit"},
    "/security": {"security", "audit"},
    "/audit": {"audit", "manager", "stranger"},
}
ENTRIES = {"Users", "People", "Tokens", "Roles and rights", "Sign-in security", "Audit trail"}


def made(http: Callers, **more: object) -> str:
    return str(http.security.post("/users", {**WANG, **more}).json["id"])


def entries(page: Page) -> set[str]:
    return set(page.texts("//nav[@id='nav']//li")) & ENTRIES


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("admin", set()),
        ("operator", set()),
        ("auditor", set()),
        ("colleague", set()),
        ("security", {"Users", "Tokens", "Roles and rights", "Sign-in security"}),
        ("audit", {"Users", "Tokens", "Roles and rights", "Sign-in security", "Audit trail"}),
        ("manager", {"People", "Tokens", "Audit trail"}),
    ],
)
def test_each_sees_the_entries_and_opens_the_pages_that_the_policy_allows(
    visit: Visitors, who: str, seen: set[str]
) -> None:
    browser = visit(who)
    assert entries(browser.get("/account")) == seen
    for path, allowed in PAGES.items():
        assert browser.get(path).status == (200 if who in allowed else 403), path


def test_a_user_is_made_and_the_first_password_is_shown_once(http: Callers, visit: Visitors) -> None:
    browser = visit("security")
    browser.get("/users/new")
    page = browser.post("/users/new", {**WANG, "department": "环境保护厅 (environment)"})
    [password] = page.all("//button[@class='copyable']/@data-copy")
    assert len(password) >= 12
    [ident] = [u["id"] for u in http.security.get("/users?q=wang").json["items"]]
    assert password not in browser.get(f"/users/{ident}").answer.text
    newcomer = visit.nobody()
    assert newcomer.enter("wang", password).status == 302
    assert newcomer.get("/").location == "/account/password"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"username": "Wang!"}, "username"), ({"name": " "}, "name"), ({"department": "nowhere"}, "department")],
)
def test_a_form_that_is_wrong_says_where_and_keeps_the_rest(
    visit: Visitors, change: dict[str, str], field: str
) -> None:
    browser = visit("security")
    browser.get("/users/new")
    page = browser.post("/users/new", {**WANG, **change})
    assert page.status in {404, 422}
    assert len(page.all(f"//*[@id='error-{field}']")) == 1
    assert page.all("//form//input[@id='field-username']/@value") == [change.get("username", "wang")]


def test_a_name_that_is_taken_is_refused_in_the_form(http: Callers, visit: Visitors) -> None:
    made(http)
    browser = visit("security")
    browser.get("/users/new")
    page = browser.post("/users/new", WANG)
    assert page.status == 409 and page.all("//*[@id='error-username']")


def test_a_manager_makes_members_of_her_department_alone(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    form = browser.get("/users/new")
    assert form.all("//select[@id='field-role']/option/@value") == ["department_member"]
    assert browser.post("/users/new", {"username": "li", "name": "李", "role": "department_member"}).status == 200
    assert http.security.get("/users/li").json["department"] == "environment"
    assert browser.post("/users/new", {"username": "zhao", "name": "赵", "role": "operator"}).status == 403
    other = {"username": "zhao", "name": "赵", "role": "department_member", "department": "finance"}
    assert browser.post("/users/new", other).status == 422
    assert http.security.get("/users/zhao").status_code == 404


def test_a_user_of_another_department_is_not_found(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    stranger = visit("stranger")
    assert "wang" not in stranger.get("/users").text("//main")
    assert stranger.get(f"/users/{ident}").status == 404
    for verb in ("disable", "enable", "reset_password", "reset_second_factor", "remove"):
        assert stranger.get(f"/users/{ident}/{verb}").status == 404
        assert stranger.post(f"/users/{ident}/{verb}", {"word": "wang"}).status == 404
    assert http.security.get("/users/wang").json["disabled_at"] is None


def test_a_user_is_disabled_and_enabled_and_gets_another_role(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    browser = visit("security")
    browser.get(f"/users/{ident}/disable")
    browser.post(f"/users/{ident}/disable")
    page = browser.get(f"/users/{ident}")
    assert "wang is disabled." in page.text() and "Disabled" in page.text("//dl")
    browser.post(f"/users/{ident}/enable")
    assert "wang may come in again." in browser.get(f"/users/{ident}").text()
    version = str(http.security.get("/users/wang").json["version"])
    change = {"role": "auditor", "department": "environment", "version": version}
    assert browser.post(f"/users/{ident}", change).status == 302
    assert http.security.get("/users/wang").json["role"] == "auditor"
    assert browser.post(f"/users/{ident}", {"role": "operator", "version": version}).status == 412


def test_a_password_is_reset_and_the_new_one_shown_once(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    browser = visit("security")
    browser.get(f"/users/{ident}/reset_password")
    [password] = browser.post(f"/users/{ident}/reset_password").all("//button[@class='copyable']/@data-copy")
    assert visit.nobody().enter("wang", password).status == 302


@pytest.mark.parametrize("verb", ["remove", "reset_second_factor"])
def test_what_cannot_be_undone_wants_the_user_name_typed(http: Callers, visit: Visitors, verb: str) -> None:
    ident = made(http)
    browser = visit("security")
    assert "lost for good" in browser.get(f"/users/{ident}/{verb}").text()
    refused = browser.post(f"/users/{ident}/{verb}", {"word": "wong"})
    assert refused.status == 422 and refused.all("//*[@id='error-word']")
    before = [e["action"] for e in http.audit.get("/audit-events?target=wang").json["items"]]
    assert before == ["user.create"]
    assert browser.post(f"/users/{ident}/{verb}", {"word": "wang"}).status == 302
    after = http.audit.get("/audit-events?target=wang").json["items"][0]
    assert after["action"] == f"user.{verb}"


def test_nobody_is_offered_to_act_on_the_own_account_and_an_auditor_on_none(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    assert visit("audit").get(f"/users/{ident}").all("//main//form[@method='post']") == []
    browser = visit("security")
    own = http.security.get("/users/security").json["id"]
    assert browser.get(f"/users/{own}").all("//a[contains(@href, '/remove')]") == []
    browser.get(f"/users/{own}/remove")
    assert browser.post(f"/users/{own}/remove", {"word": "security"}).status == 409


@pytest.mark.parametrize("path", ["/users/new", "/users/{id}/disable", "/users/{id}", "/tokens/new"])
def test_a_form_without_its_token_is_refused(http: Callers, visit: Visitors, path: str) -> None:
    ident = made(http)
    answer = visit("security").client.post(path.format(id=ident), data={"role": "auditor"})
    assert answer.status_code == 400
    assert http.security.get("/users/wang").json["disabled_at"] is None


def test_a_programs_token_is_made_its_secret_shown_once_and_revoked(http: Callers, visit: Visitors) -> None:
    made(http, username="prog", service=True)
    browser = visit("security")
    assert browser.get("/tokens/new").all("//select[@id='field-user']/option/@value").count("prog") == 1
    form = {"user": "prog", "name": "nightly", "days": "30", "action": "resource.read"}
    page = browser.post("/tokens/new", form)
    [secret] = [c for c in page.all("//button[@class='copyable']/@data-copy") if c.startswith("steppe_")]
    listed = browser.get("/tokens?q=nightly")
    assert secret not in listed.answer.text
    assert listed.texts("//tbody//th") == ["nightly"]
    [action] = listed.all("//form[contains(@action, '/revoke')]/@action")
    assert http.app.test_client().get("/api/v1/vms", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    browser.post(action)
    assert http.app.test_client().get("/api/v1/vms", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert browser.get("/tokens?live=true&q=nightly").texts("//tbody//th") == []
    assert "Revoked" in browser.get("/tokens?live=false&q=nightly").text("//tbody")


def test_a_token_with_more_than_its_owner_may_is_refused_in_the_form(http: Callers, visit: Visitors) -> None:
    made(http, username="prog", service=True)
    browser = visit("security")
    browser.get("/tokens/new")
    page = browser.post("/tokens/new", {"user": "prog", "name": "x", "days": "30", "action": "quota.write"})
    assert page.status == 422 and "quota.write" in page.text("//fieldset//*[@role='alert']")
    assert browser.post("/tokens/new", {"user": "", "name": ""}).status == 422


def test_tokens_of_another_department_are_neither_listed_nor_revoked(http: Callers, visit: Visitors) -> None:
    ours = [t["id"] for t in http.security.get("/tokens").json["items"] if t["user"] == "ours-api"]
    stranger = visit("stranger")
    assert "ours-api" not in stranger.get("/tokens").text("//main")
    assert stranger.post(f"/tokens/{ours[0]}/revoke").status == 404
    assert stranger.get(f"/tokens?user={uuid4()}").texts("//tbody//th") == []
    assert http.ours.get("/vms").status_code == 200


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_table_of_rights_is_the_policys_in_words(visit: Visitors, language: str) -> None:
    page = visit("security", language).get("/policy?columns=code&" + "&".join(f"columns={role}" for role in ROLES))
    rows = {row.xpath(".//code")[0].text: row for row in page.all("//tbody/tr")}
    assert rows.keys() == ACTIONS.keys()
    for action, row in rows.items():
        allowed = [bool(cell.xpath(".//*[@role='img']")) for cell in row.xpath("./td")[: len(ROLES)]]
        assert allowed == [role in ACTIONS[action] for role in ROLES]
        assert row.xpath("./th")[0].text_content().strip() != action * 2
    heads = page.texts("//thead//th")
    assert {"zh": "审计管理员", "en": "Audit administrator"}[language] in heads


def test_who_is_signed_in_is_seen_and_ended(visit: Visitors) -> None:
    manager = visit("manager")
    browser = visit("security")
    page = browser.get("/security")
    [action] = page.all("//tr[contains(., 'Manager')]//form[contains(@action, '/end')]/@action")
    assert visit("audit").get("/security").all("//main//form[contains(@action, '/end')]") == []
    browser.post(action)
    assert manager.get("/").location.startswith("/sign-in")
    assert browser.post(f"/security/sessions/{uuid4()}/end").status == 404


def test_names_that_are_locked_are_said_where_somebody_has_them(visit: Visitors) -> None:
    visit.password("manager")
    for name in ("manager", "nobody-has-this"):
        browser = visit.nobody()
        for _ in range(6):
            browser.enter(name, "wrong")
    page = visit("security").get("/security")
    assert page.texts("//*[@id='locked']//tbody//th") == ["manager"]
    assert "1 more name is locked" in page.text("//*[@id='locked']")
    assert "nobody-has-this" not in page.answer.text
    assert "5 wrong tries" in page.text("//*[@id='rules']")


def test_the_trail_is_filtered_by_days_of_the_site_and_by_who(http: Callers, visit: Visitors) -> None:
    made(http)
    http.ours.post("/vms", vm("ours"))
    http.theirs.post("/vms", vm("theirs"))
    browser = visit("audit")
    assert browser.get("/audit?target=wang").texts("//tbody/tr/td[2]") == ["User made"]
    assert browser.get("/audit?action=vm.create&department=environment").texts("//tbody/tr/td[3]") == [
        "Virtual machine: ours"
    ]
    assert browser.get("/audit?actor=theirs-api").texts("//tbody/tr/td[1]") == ["theirs-api/token"]
    assert browser.get("/audit?from=2000-01-01&to=2000-01-02").texts("//tbody/tr") == []
    assert browser.get("/audit?from=2000-01-01").texts("//tbody/tr")
    assert browser.get("/audit?from=gestern").status == 422


def test_a_manager_reads_the_trail_of_her_department_alone(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms", vm("ours"))
    http.theirs.post("/vms", vm("theirs"))
    text = visit("manager").get("/audit?action=vm.create").text("//tbody")
    assert "ours" in text and "theirs" not in text


@pytest.mark.parametrize("path", ["/users", "/tokens", "/policy", "/security", "/audit"])
def test_each_list_is_had_as_a_file_in_either_language(visit: Visitors, path: str) -> None:
    for language in ("zh", "en"):
        browser = visit("audit", language)
        rows = list(csv.reader(io.StringIO(browser.client.get(f"{path}.csv").get_data(as_text=True))))
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1


def test_a_file_of_the_trail_is_the_audit_administrators_and_is_in_the_trail(visit: Visitors) -> None:
    manager = visit("manager")
    assert manager.get("/audit").all("//a[contains(@href, '/audit.csv')]") == []
    assert manager.get("/audit.csv").status == 403
    browser = visit("audit")
    [link] = browser.get("/audit?outcome=failure").all("//a[contains(@href, '/audit.csv')]/@href")
    browser.client.get(link)
    assert '{"format": "csv", "filters": {"outcome": "failure"}}' in browser.get("/audit?action=audit.export").text(
        "//tbody"
    )


def test_a_name_in_the_trail_is_text_and_never_markup(http: Callers, visit: Visitors) -> None:
    http.security.post("/users", {**WANG, "name": "<script>alert(1)</script>"})
    http.security.patch("/users/wang", {"name": "x"})
    assert "<script>alert" not in visit("audit").get("/audit?target=wang").answer.text
