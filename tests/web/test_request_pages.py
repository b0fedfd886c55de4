"""The pages of requests: a basket that is filled, submitted and decided on, and what each of those who read it sees."""

from datetime import UTC, datetime
from typing import Any

import pytest

from controlplane.asks.routing import Applies, StepOf
from controlplane.db import transaction
from controlplane.models import Request, RequestStep, Resource
from controlplane.services import routing
from controlplane.services.routing import RuleOf
from tests.callers import Callers
from tests.factories import vm
from tests.people import SECURITY
from tests.statements import noted
from tests.web.visitors import PEOPLE, Page, Visitor, Visitors

ASK = {
    "title": "New portal",
    "reason": "The old one is at its end.",
    "department": "environment",
    "what": "create",
    "system": "monitoring",
    "name": "web",
    "count": "5",
    "flavor": "small",
    "image": "debian-12",
    "subnet4": "business",
}
PEOPLE.setdefault("deputy", ("Deputy", "department_manager", "environment"))
PEOPLE.setdefault("admin2", ("Second admin", "system_admin", None))


def rule(http: Callers, code: str, *roles: tuple[str, int], **applies: Any) -> None:
    """Have approvals of these (role, stage) demanded."""
    steps = [StepOf.model_validate({"role": role, "stage": stage}) for role, stage in roles]
    said = RuleOf(f"规则{code}", f"Rule {code}", True, Applies.model_validate(applies), steps)
    with transaction(http.sessions) as session:
        routing.create(session, SECURITY, code, said)


def written(browser: Visitor, **more: str) -> str:
    """Write a draft with one thing in it; return its address."""
    browser.get("/requests/new")
    made = browser.post("/requests/new", {**ASK, "act": "add", **more})
    assert made.status == 302, made.text("//form")
    return made.location.partition("/edit")[0]


def submitted(browser: Visitor, **more: str) -> str:
    """Write a request with one thing in it and submit it; return its address."""
    there = written(browser, **more)
    browser.get(f"{there}/edit")
    assert (
        browser.post(f"{there}/edit", {"act": "submit", "title": ASK["title"], "reason": ASK["reason"]}).status == 302
    )
    return there


def state(http: Callers) -> tuple[str, int, int]:
    """Return the state of the only request, how many things it asks for, and how many machines there are."""
    with transaction(http.sessions) as session:
        request = session.query(Request).one()
        return request.state, len(request.items), session.query(Resource).count()


def decide(browser: Visitor, there: str, verdict: str, comment: str = "") -> Page:
    browser.get(there)
    return browser.post(f"{there}/decide", {"verdict": verdict, "comment": comment})


def quota(page: Page) -> list[str]:
    return page.texts("//*[@class='balance-numbers']")


def test_a_basket_is_filled_kept_emptied_and_submitted(http: Callers, visit: Visitors) -> None:
    rule(http, "many", ("department_manager", 1), ("system_admin", 2), do=["create"], amounts={"vm": 3})
    browser = visit("colleague")
    there = written(browser)
    page = browser.get(f"{there}/edit")
    assert page.texts("//p[@class='basket-what']") == ["New machines: 5 machines: web-01 … web-05"]
    assert "Small" in page.text("//p[@class='basket-details']")
    assert page.texts("//*[@class='chain']/li/b") == ["Department manager", "System administrator"]
    assert page.texts("//*[@class='chain-rule']") == ["Rule many", "Rule many"]
    assert page.texts("//*[@class='held']//dd") == ["5 VMs", "10 cores", "20 GiB", "250 GiB"]
    browser.post(f"{there}/edit", {"act": "add", "what": "quota", "class": "memory_mib", "amount": "12"})
    page = browser.get(f"{there}/edit")
    assert page.texts("//p[@class='basket-details']")[1] == "+ 12 GiB"
    assert state(http) == ("draft", 6, 0)
    browser.post(f"{there}/edit", {"take": "5-5"})
    browser.get(f"{there}/edit")
    browser.post(f"{there}/edit", {"take": "0-4"})
    assert state(http) == ("draft", 0, 0)
    page = browser.get(f"{there}/edit")
    assert page.texts("//*[@class='empty-head']") == ["Nothing is asked for yet"]
    refused = browser.post(f"{there}/edit", {**ASK, "name": "", "act": "submit"})
    assert refused.status == 422 and refused.texts("//*[@id='error-what']")


def test_what_is_wrong_is_told_at_its_field_and_stays_in_the_form(http: Callers, visit: Visitors) -> None:
    browser = visit("manager", "zh")
    there = written(browser)
    browser.get(f"{there}/edit")
    for what, field, value in (
        ("create", "name", "Web 1"),
        ("create", "name", ""),
        ("create", "system", ""),
        ("create", "count", "101"),
        ("create", "lease_until", "soon"),
        ("resize", "machine", "no-such"),
        ("extend", "machine", ""),
        ("extend", "until", "tomorrow"),
        ("extend", "until", "2001-01-01"),
        ("transfer", "to_department", "environment"),
        ("transfer", "to_system", ""),
        ("release", "machine", ""),
        ("quota", "amount", "0"),
        ("quota", "class", "gold"),
        ("create", "title", "x" * 201),
        ("create", "reason", "x" * 5001),
    ):
        form = {**ASK, "act": "add", "what": what, "class": "vcpu", "amount": "1", field: value}
        page = browser.post(f"{there}/edit", form)
        assert page.status == 422, (what, field)
        assert page.all(f"//*[@name='{field}']/@aria-invalid") == ["true"], (what, field)
        assert page.texts(f"//*[@id='error-{field}']") != [""]
        if page.all(f"//input[@name='{field}']"):
            assert page.all(f"//input[@name='{field}']/@value") == [value]
    assert state(http)[1] == 5


def test_what_is_begun_and_not_added_is_neither_lost_nor_forgotten(visit: Visitors) -> None:
    browser = visit("manager")
    there = written(browser)
    browser.get(f"{there}/edit")
    begun = {**ASK, "title": "Another title", "what": "quota", "class": "vcpu", "amount": "7"}
    kept = browser.post(f"{there}/edit", {**begun, "act": "save"})
    assert kept.status == 200 and kept.all("//input[@name='amount']/@value") == ["7"]
    assert browser.get(f"{there}/edit").all("//input[@name='title']/@value") == ["Another title"]
    assert browser.post(f"{there}/edit", {**begun, "act": "submit"}).texts("//*[@id='error-what']") != []


def test_changes_to_machines_are_asked_for_by_their_names(http: Callers, visit: Visitors) -> None:
    for name in ("a", "b", "c", "d"):
        http.work(http.ours.post("/vms", vm(name)).json["id"])
    browser = visit("manager")
    there = written(browser, what="resize", machine="a", flavor="", vcpu="4", memory_gib="8", disk_gib="60")
    for more in (
        {"what": "extend", "machine": "b", "until": "2031-12-31"},
        {"what": "transfer", "machine": "c", "to_department": "finance", "to_system": "monitoring"},
        {"what": "release", "machine": "d"},
    ):
        browser.get(f"{there}/edit")
        assert browser.post(f"{there}/edit", {**more, "act": "add"}).status == 302
    page = browser.get(f"{there}/edit")
    assert page.texts("//p[@class='basket-what']") == [
        "Another size: a",
        "More time: b",
        "Transfer to another department: c",
        "Giving back: d",
    ]
    assert page.texts("//p[@class='basket-details']") == [
        "4 cores · 8 GiB memory · 60 GiB disk",
        "until 2031-12-31",
        "to department finance, system monitoring",
        "deleted with all its data; its quota becomes free",
    ]
    assert page.texts("//*[@class='chain']/li/b") == ["System administrator"]
    assert "needs" not in page.text("//*[@class='chain-rule']") and "/" not in page.text("//*[@class='chain-rule']")
    assert browser.get("/choices/machines?department=environment&machine=a").all("//option/@value") == ["a"]


def test_a_preview_says_why_it_could_not_be_submitted(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 4}})
    browser = visit("colleague")
    there = written(browser)
    page = browser.get(f"{there}/edit")
    assert "is short of" in page.text("//*[contains(@class, 'impact-bad')]")
    refused = browser.post(f"{there}/edit", {**ASK, "name": "", "act": "submit"})
    assert refused.status == 409 and state(http)[0] == "draft"


def test_somebody_else_changed_the_draft_meanwhile(visit: Visitors) -> None:
    browser = visit("colleague")
    there = written(browser)
    browser.get(f"{there}/edit")
    browser.post(f"{there}/edit", {"title": "One", "version": "1"})
    late = browser.post(f"{there}/edit", {"title": "Two", "version": "1"})
    assert late.status == 412 and late.all("//input[@name='title']/@value") == ["Two"]


def test_a_request_goes_from_hand_to_hand_and_ends_with_its_machines(http: Callers, visit: Visitors) -> None:
    rule(http, "many", ("department_manager", 1), ("system_admin", 2), do=["create"], amounts={"vm": 3})
    asker, deputy, admin = visit("manager"), visit("deputy"), visit("admin")
    there = submitted(asker)
    own = asker.get(there)
    assert "You asked for this yourself" in own.text("//*[contains(@class, 'request-not-mine')]")
    assert not own.all("//*[@id='decide']")
    assert decide(asker, there, "approve").status == 403
    assert not admin.get(there).all("//*[@id='decide']"), "not yet its turn"
    inbox = deputy.get("/inbox")
    assert inbox.texts("//tbody//th") == ["New portal"]
    assert inbox.texts("//nav[@id='nav']//*[@class='side-count']") == ["waiting: 1"]
    page = deputy.get(there)
    assert page.texts("//table[contains(@class, 'impact-places')]//th[@scope='row']") == [
        f"web-0{n}" for n in range(1, 6)
    ]
    assert "hv-01" not in page.text("//*[@id='impact']"), "pools are the centre's"
    assert quota(page)[2:4] == ["used 0 · held 10 / 400cores", "used 10 · held 0 / 400cores"]
    assert decide(deputy, there, "approve").status == 302
    page = admin.get(there)
    assert "hv-01" in page.text("//*[@id='impact']")
    assert decide(admin, there, "approve", "fine").status == 302
    done = asker.get(there)
    assert done.texts("//*[@id='made']//tbody//th") == [f"web-0{n}" for n in range(1, 6)]
    assert done.texts("//ol[@class='stations']//b") == [
        "Written",
        "Submitted",
        "Approval of stage 1: Department manager",
        "Approval of stage 2: System administrator",
        "Being carried out",
    ]
    assert "fine" in done.text("//ol[@class='stations']")
    assert "Request approved" in done.text("//*[@id='history']")
    assert state(http) == ("fulfilling", 5, 5)


def test_a_decision_that_the_world_has_overtaken_says_why_and_keeps_what_was_written(
    http: Callers, visit: Visitors
) -> None:
    rule(http, "all", ("system_admin", 1))
    there = submitted(visit("colleague"))
    admin = visit("admin")
    admin.get(there)
    http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 9}})
    page = admin.post(f"{there}/decide", {"verdict": "approve", "comment": "go ahead"})
    assert page.status == 409
    assert "is short of" in page.text("//*[@aria-labelledby='decide-title']")
    assert "It does not fit now." in page.text("//*[@id='impact']")
    assert page.texts("//textarea[@name='comment']") == ["go ahead"]
    assert state(http) == ("submitted", 5, 0)


def test_what_is_refused_or_returned_needs_a_reason_and_holds_nothing(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    colleague, admin = visit("colleague"), visit("admin")
    there = submitted(colleague)
    wrong = decide(admin, there, "return")
    assert wrong.status == 422 and wrong.all("//textarea[@name='comment']/@aria-invalid")
    assert decide(admin, there, "return", "fewer, please").status == 302
    assert "fewer, please" in colleague.get(there).text("//ol[@class='stations']")
    balances = http.ours.get("/departments/environment/quota").json["classes"]
    assert {c["held"] for c in balances} == {0}
    colleague.get(f"{there}/edit")
    assert colleague.post(f"{there}/edit", {**ASK, "name": "", "act": "submit"}).status == 302
    assert "Round 2: Approval" in colleague.get(there).text("//ol[@class='stations']")
    assert decide(admin, there, "refuse", "no").status == 302
    assert state(http)[0] == "refused"


def test_a_decision_is_handed_over_and_waits_on_another_desk(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("department_manager", 1))
    visit.person("colleague")
    there = submitted(visit("manager"))
    deputy, colleague = visit("deputy"), visit("colleague")
    page = deputy.get(there)
    assert page.all("//select[@name='to']/option/@value") == ["", "colleague"]
    assert deputy.post(f"{there}/hand-over", {"to": ""}).status == 422
    assert deputy.post(f"{there}/hand-over", {"to": "colleague"}).status == 302
    assert deputy.get("/inbox").texts("//tbody//th") == []
    assert colleague.get("/inbox").texts("//tbody//th") == []
    handed = colleague.get("/inbox?handed=true")
    assert handed.texts("//tbody//th") == ["New portal"]
    assert "Waiting for me" in handed.text("//nav[@id='nav']")
    assert "handed to Colleague" in colleague.get(there).text("//ol[@class='stations']")
    assert decide(colleague, there, "approve").status == 302
    assert state(http) == ("fulfilling", 5, 5)


def test_a_draft_is_submitted_and_withdrawn_from_its_page(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    browser = visit("colleague")
    there = written(browser)
    browser.get(there)
    assert browser.post(f"{there}/submit").location == there
    assert browser.get(there).texts("//*[@class='thing-what']/*[1]") == ["Awaiting decision"]
    assert browser.post(f"{there}/withdraw").location == there
    assert state(http)[0] == "withdrawn"
    late = browser.post(f"{there}/withdraw")
    assert late.status == 409 and "Withdrawn" in late.text("//*[contains(@class, 'request-refused')]")


def test_comments_are_added_and_an_empty_one_is_not(visit: Visitors) -> None:
    browser = visit("colleague")
    there = written(browser)
    browser.get(there)
    assert browser.post(f"{there}/comment", {"body": " "}).status == 422
    assert browser.post(f"{there}/comment", {"body": "Any news?"}).status == 302
    assert browser.get(there).texts("//ol[@class='comments']//p[@class='said']") == ["Any news?"]


def test_the_list_is_filtered_says_whom_each_waits_for_and_has_a_file(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    colleague = visit("colleague")
    submitted(colleague)
    written(visit("manager"), title="Another", what="quota", **{"class": "vcpu"}, amount="2")
    page = colleague.get("/requests")
    assert page.texts("//tbody//th") == ["Another", "New portal"]
    assert "System administrator" in page.text("//tbody/tr[2]")
    assert colleague.get("/requests?mine=true").texts("//tbody//th") == ["New portal"]
    assert colleague.get("/requests?state=submitted,in_review").texts("//tbody//th") == ["New portal"]
    assert colleague.get("/requests?kind=vm").texts("//tbody//th") == ["New portal"]
    assert "New portal" in colleague.get("/requests.csv?mine=true").answer.text
    assert visit("stranger").get("/requests").texts("//*[@class='empty-head']") == ["No request yet"]
    assert "New portal" in visit("admin").get("/requests?department=environment").text("//tbody")


def test_a_page_of_requests_asks_as_much_of_the_database_for_two_as_for_fifty(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    visit.person("colleague")
    browser, admin = visit("colleague"), visit("admin")
    submitted(browser)

    def read() -> tuple[int, int]:
        with noted(http.engine) as lists:
            browser.get("/requests")
        with noted(http.engine) as inboxes:
            admin.get("/inbox")
        return len(lists), len(inboxes)

    few = read()
    assert min(few) > 0
    with transaction(http.sessions) as session:
        asker = session.query(Request).one()
        for number in range(60):
            copied = Request(
                department_id=asker.department_id,
                kind="vm",
                state="submitted",
                items=asker.items,
                asked_by=asker.asked_by,
                asked_by_name="x",
                asked_for=asker.asked_for,
                title=f"t{number}",
                submitted_at=datetime.now(UTC),
            )
            session.add(copied)
            session.flush()
            session.add(_open_step(copied))
    assert read() == few


def _open_step(request: Request) -> RequestStep:
    now = datetime.now(UTC)
    step = RequestStep(
        request_id=request.id, department_id=request.department_id, round=1, stage=1, role="system_admin"
    )
    step.rule, step.hours, step.state, step.opened_at, step.due_at = "r", 1, "open", now, now
    return step


def test_what_is_overdue_is_marked(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    there = submitted(visit("colleague"))
    with transaction(http.sessions) as session:
        session.query(RequestStep).update({"due_at": datetime(2026, 1, 1, tzinfo=UTC)})
    admin = visit("admin")
    assert "Overdue" in admin.get("/inbox").text("//tbody")
    assert "Overdue" in admin.get(there).text("//ol[@class='stations']")
    assert "Overdue" in admin.get("/requests").text("//tbody")


def test_an_order_that_has_to_be_approved_becomes_a_draft_with_the_very_same_machines(
    http: Callers, visit: Visitors
) -> None:
    rule(http, "all", ("system_admin", 1))
    browser = visit("colleague")
    browser.get("/vms/new")
    told = browser.post("/vms/new/impact", ASK)
    assert told.all("//button[@name='as_request']/@form") == ["ask"]
    refused = browser.post("/vms/new", ASK)
    assert refused.status == 409 and refused.all("//button[@name='as_request']")
    made = browser.post("/vms/new", {**ASK, "as_request": "1"})
    page = browser.get(made.location)
    assert page.all("//input[@name='title']/@value") == ["5 machines: web-01 … web-05"]
    assert page.texts("//p[@class='basket-what']") == ["New machines: 5 machines: web-01 … web-05"]
    assert state(http) == ("draft", 5, 0)


def test_a_machines_page_leads_to_asking_for_more_of_it(http: Callers, visit: Visitors) -> None:
    ident = http.ours.post("/vms", vm("a")).json["id"]
    http.work(ident)
    browser = visit("manager")
    [link] = browser.get(f"/vms/{ident}").all("//a[contains(@href, 'what=extend')]/@href")
    page = browser.get(link)
    assert page.all("//select[@name='what']/option[@selected]/@value") == ["extend"]
    assert page.all("//input[@name='machine']/@value") == ["a"]


def test_nobody_changes_a_request_of_another_or_one_that_is_under_way(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    colleague = visit("colleague")
    there = written(colleague)
    assert visit("manager").get(f"{there}/edit").status == 403
    assert visit("stranger").get(f"{there}/edit").status == 404
    assert visit("stranger").get(there).status == 404
    colleague.get(there)
    colleague.post(f"{there}/submit")
    assert colleague.get(f"{there}/edit").status == 409


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_security_administrator_reads_and_decides_without_seeing_machines(
    http: Callers, visit: Visitors, language: str
) -> None:
    rule(http, "level", ("security_admin", 1), mlps_level=2)
    there = submitted(visit("colleague"))
    security = visit("security", language)
    page = security.get(there)
    assert page.status == 200 and page.all("//*[@id='decide']") and not page.all("//*[@id='history']")
    assert decide(security, there, "approve").status == 302
    assert not security.get(there).all("//*[@id='made']//tbody")


def test_rules_are_told_in_words_and_kept_by_the_security_administrator(http: Callers, visit: Visitors) -> None:
    security = visit("security")
    assert security.get("/routing").texts("//*[@class='empty-head']") == ["No rule yet"]
    security.get("/routing/new")
    form = {"code": "many", "name": "大批量", "name_en": "Many at once", "enabled": "1", "do": "create", "kind": "vm"}
    form |= {"least-vm": "3", "least-memory_mib": "64", "mlps_level": "3", "at_least": "100", "price-vcpu": "2.5"}
    form |= {"role-1": "department_manager", "stage-1": "1", "hours-1": "24"}
    form |= {"role-2": "system_admin", "stage-2": "2", "hours-2": "48"}
    for field, value in (("code", "Many!"), ("name", ""), ("hours-1", "0"), ("least-vm", "-1"), ("price-vcpu", "much")):
        wrong = security.post("/routing/new", {**form, field: value})
        assert wrong.status == 422 and wrong.all(f"//*[@name='{field}']/@aria-invalid"), field
    assert security.post("/routing/new", form).location == "/routing"
    assert security.post("/routing/new", form).status == 409
    page = security.get("/routing")
    assert page.texts("//tbody/tr/td")[:2] == [
        "What is asked for is: New machines It is about: Virtual machine In all at least: Virtual machines 3 VMs or "
        "Memory 64 GiB The system is of MLPS Level 3 or higher It costs at least 100 a month",
        "Stage 1: Department manager, within 24 hours Stage 2: System administrator, within 48 hours",
    ]
    page = security.get("/routing/many")
    assert page.all("//input[@name='least-memory_mib']/@value") == ["64"]
    assert page.all("//input[@name='price-vcpu']/@value") == ["2.5"]
    assert security.post("/routing/many", {**form, "name_en": "Very many", "version": "1"}).location == "/routing"
    assert security.post("/routing/many", {**form, "version": "1"}).status == 412
    security.post("/routing/many/switch", {"version": "2"})
    assert "Switched off" in security.get("/routing").text("//tbody")
    security.post("/routing/many/delete")
    assert not security.get("/routing").all("//tbody")


def test_who_may_not_keep_rules_reads_them(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    colleague = visit("colleague", "zh")
    page = colleague.get("/routing")
    assert "规则all" in page.text("//tbody") and not page.all("//tbody//form")
    assert colleague.get("/routing/new").status == 403
    assert colleague.post("/routing/all/delete").status == 403


def test_overview_and_department_tell_how_many_requests_wait(http: Callers, visit: Visitors) -> None:
    rule(http, "all", ("system_admin", 1))
    submitted(visit("colleague"))
    ref = http.admin.get("/departments/environment").json["id"]
    assert visit("admin").get("/").texts("//*[@data-key='requests-waiting']//b") == ["1"]
    colleague = visit("colleague")
    assert colleague.get("/").texts("//*[@data-key='requests-open']//b") == ["1"]
    assert colleague.get(f"/departments/{ref}").texts("//*[@data-key='requests-open']//b") == ["1"]
