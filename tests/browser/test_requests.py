"""Requests in a real browser, from the basket to running machines: what askers and approvers see in both languages."""

import pytest
from playwright.sync_api import Browser, Page, expect

from controlplane.db import transaction
from controlplane.models import Resource
from tests.browser.test_the_console import SIZES, browsing, sign_in, troubles_of
from tests.callers import Callers
from tests.web.test_request_pages import rule
from tests.web.visitors import Visitors

WORDS = {
    "zh": {
        "own": "这是您本人提出的申请，须由他人审批。",
        "running": "运行中",
        "short": "缺少",
        "role": "系统管理员",
        "turned down": "不予批准",
    },
    "en": {
        "own": "You asked for this yourself",
        "running": "Running",
        "short": "is short of",
        "role": "System administrator",
        "turned down": "Turned down",
    },
}
FIVE = [f"web-0{n}" for n in range(1, 6)]


def ask_for_five(page: Page, *, quota: bool = False) -> str:
    """Fill the basket and submit it; return the address of the request."""
    page.goto("/requests/new")
    page.fill("#field-title", "门户网站扩容")
    page.fill("#field-reason", "原有服务器到期")
    expect(page.locator("#field-machine")).to_be_hidden()
    page.select_option("#field-system", "monitoring")
    page.fill("#field-name", "web")
    page.fill("#field-count", "5")
    page.locator("button[value=add]").click()
    expect(page.locator("#basket .basket > li")).to_have_count(1)
    if quota:
        page.evaluate("window.notReloaded = true")
        page.select_option("#field-what", "quota")
        expect(page.locator("#field-name")).to_be_hidden()
        page.locator("button[value=add]").click()
        expect(page.locator("#error-amount")).to_be_visible()
        page.select_option("#field-class", "vcpu")
        page.fill("#field-amount", "4")
        page.locator("button[value=add]").click()
        expect(page.locator("#basket .basket > li")).to_have_count(2)
        assert page.evaluate("window.notReloaded") is True
        expect(page.locator("#field-title")).to_have_value("门户网站扩容")
    expect(page.locator("#basket .chain > li").last).to_be_visible()
    page.locator("button[value=submit]").click()
    expect(page.locator("ol.stations")).to_be_visible()
    return page.url


def decide_on(page: Page, verdict: str, comment: str = "") -> None:
    """Open what waits first, see what it would do, and decide."""
    page.locator("#nav a[href='/inbox']").click()
    page.locator("#inbox tbody th a").first.click()
    expect(page.locator("#impact .impact-good")).to_be_visible()
    expect(page.locator("#impact .impact-places tbody th")).to_have_text(FIVE)
    page.fill("#field-comment", comment)
    page.locator(f"button[value={verdict}]").click()
    expect(page.locator("#flashes .state-good")).to_be_visible()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_five_machines_and_a_quota_raise_go_through_two_approvers_and_run(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str
) -> None:
    words = WORDS[language]
    rule(http, "many", ("department_manager", 1), ("system_admin", 2), do=["create"], amounts={"vm": 3})
    http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 8}})
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "manager")
        there = ask_for_five(page, quota=True)
        expect(page.locator(".request-not-mine")).to_contain_text(words["own"])
        expect(page.locator("#decide")).to_have_count(0)
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "deputy")
        expect(page.locator("#nav .side-count")).to_contain_text("1")
        decide_on(page, "approve")
        expect(page.locator("#decide")).to_have_count(0)
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "admin")
        decide_on(page, "approve")
        expect(page.locator("#made tbody th")).to_have_text(FIVE)
        with transaction(http.sessions) as session:
            made = [str(resource.id) for resource in session.query(Resource)]
        for ident in made:
            http.work(ident)
        expect(page.locator("#made tbody .state")).to_have_text([words["running"]] * 5)
        page.goto(f"/vms?request={there.rpartition('/')[2]}")
        expect(page.locator("#vms tbody th")).to_have_text(FIVE)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_turned_down_holds_nothing_any_more(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str
) -> None:
    rule(http, "all", ("system_admin", 1))
    department = http.admin.get("/departments/environment").json["id"]
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "colleague")
        ask_for_five(page)
        page.goto(f"/departments/{department}")
        expect(page.locator(".gauge-numbers").nth(1)).to_contain_text("10")
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "admin")
        decide_on(page, "refuse", "请合并到现有系统")
        expect(page.locator(".thing-what .state")).to_have_text(WORDS[language]["turned down"])
        page.goto(f"/departments/{department}")
        assert page.locator(".gauge-numbers > div:nth-child(2) .number").all_text_contents() == ["0"] * 4


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_approver_is_told_that_the_quota_was_taken_away_in_between(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str
) -> None:
    rule(http, "all", ("system_admin", 1))
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "colleague")
        there = ask_for_five(page)
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "admin")
        page.goto(there)
        expect(page.locator("#impact .impact-good")).to_be_visible()
        http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 9}})
        page.fill("#field-comment", "同意扩容")
        page.locator("button[value=approve]").click()
        told = page.locator("[aria-labelledby=decide-title] .impact-bad")
        expect(told).to_contain_text(WORDS[language]["short"])
        expect(page.locator("#field-comment")).to_have_value("同意扩容")
        expect(page.locator("#impact .impact-bad")).to_be_visible()


def test_an_order_that_has_to_be_approved_is_turned_into_a_request(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    rule(http, "all", ("system_admin", 1))
    with browsing(chromium, address) as page:
        sign_in(page, visit, "colleague")
        page.goto("/vms/new")
        page.select_option("#field-system", "monitoring")
        page.locator("#field-name").press_sequentially("db")
        page.locator("#impact button[name=as_request]").click()
        expect(page.locator("#basket .basket > li")).to_have_count(1)
        expect(page.locator("#basket .basket-what")).to_contain_text("db")


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_requests_is_hard_on_people_or_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    rule(http, "all", ("system_admin", 1), ("security_admin", 1))
    findings: list[str] = []

    def look(page: Page, *paths: str) -> None:
        for path in paths:
            page.goto(path)
            page.wait_for_load_state("networkidle")
            findings.extend(troubles_of(page, path))

    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "colleague")
        there = ask_for_five(page).removeprefix(address)
        look(page, "/requests/new", "/requests/new?what=quota", "/requests/new?what=transfer", "/requests", there)
        page.goto("/requests/new")
        page.fill("#field-title", "x" * 60)
        page.fill("#field-name", "some-long-name-of-a-machine-for-the-portal")
        page.select_option("#field-system", "monitoring")
        page.locator("button[value=add]").click()
        expect(page.locator("#basket .basket > li")).to_have_count(1)
        findings.extend(troubles_of(page, "basket"))
        page.locator("button[value=add]").click()
        expect(page.locator("#error-name")).to_be_visible()
        findings.extend(troubles_of(page, "basket with an error"))
    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "security", start="**/account")
        look(page, "/inbox", "/inbox?handed=true", there, "/routing", "/routing/new", "/routing/all")
        page.goto(there)
        page.locator("button[value=return]").click()
        expect(page.locator("#error-comment")).to_be_visible()
        findings.extend(troubles_of(page, "a decision without a reason"))
    assert not findings, "\n".join(findings)
