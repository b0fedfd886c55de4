"""The console in a real browser: what script adds, and what people with other eyes and other screens get."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Visitors

SIZES = {"wide": (1400, 900), "narrow": (375, 800)}
SERIOUS = {"serious", "critical"}


@contextmanager
def browsing(
    chromium: Browser, address: str, language: str = "en", size: str = "wide", also: str | None = None
) -> Iterator[Page]:
    """Give a page that fails the test for any error that script or the content security policy reports, and for any
    request that goes elsewhere than to `address`, or `also` to another."""
    width, height = SIZES[size]
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    context = chromium.new_context(base_url=address, viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" and "status of 4" not in m.text else None)
    allowed = (address, also or address)
    page.on("request", lambda r: None if r.url.startswith(allowed) else troubles.append(f"asked {r.url}"))
    yield page
    context.close()
    assert not troubles


def troubles_of(page: Page, name: str) -> list[str]:
    """Return what is seriously hard on people on a page, and whether it is wider than the screen."""
    found = Axe().run(page).response["violations"]
    serious = [(v["id"], node["html"][:200]) for v in found if v["impact"] in SERIOUS for node in v["nodes"]]
    troubles = [f"{name}: {rule}: {html}" for rule, html in serious]
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return [*troubles, f"{name}: {overflow} px wider than the screen"] if overflow > 0 else troubles


def sign_in(page: Page, visit: Visitors, who: str, start: str = "**/") -> None:
    password = visit.password(who)
    page.goto("/")
    page.fill("#field-user", who)
    page.fill("#field-password", password)
    page.locator("#field-password").press("Enter")
    codes = visit.person(who).codes
    if codes:
        page.wait_for_url("**/second-factor")
        page.fill("#field-code", codes.pop())
        page.locator("#field-code").press("Enter")
    page.wait_for_url(start)


def test_a_manager_watches_her_machine_come_up_stops_it_and_reads_on_in_chinese(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    ident = http.ours.post("/vms", vm()).json["id"]
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        expect(page.locator("h1")).to_have_text("Overview")
        expect(page.locator("#overview tbody th")).to_have_text("web-01")

        page.locator("#nav a", has_text="Our machines").click()
        page.locator("#vms tbody a", has_text="web-01").click()
        state = page.locator(".thing-what .state")
        expect(state).to_have_text("Building")
        page.evaluate("window.notReloaded = true")
        http.work(ident)
        expect(state).to_have_text("Running")
        assert page.evaluate("window.notReloaded") is True

        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#flashes")).to_contain_text("Stop of web-01 was ordered.")
        expect(state).to_have_text("Changing")
        http.work(ident)
        expect(state).to_have_text("Stopped")
        expect(page.get_by_role("button", name="Stop")).to_be_disabled()

        page.get_by_role("button", name="中文").click()
        expect(state).to_have_text("已停止")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_machine_is_asked_for_in_the_form_watched_and_resized(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str
) -> None:
    words = {
        "zh": {
            "order": "提交申请",
            "running": "运行中",
            "building": "创建中",
            "resize": "变更规格",
            "own": "自定义规格",
        },
        "en": {
            "order": "Order",
            "running": "Running",
            "building": "Building",
            "resize": "Resize",
            "own": "Custom size",
        },
    }[language]
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "admin")
        page.goto("/vms/new")
        page.locator("#field-department").press_sequentially("environment")
        page.locator("#field-department").press("Tab")
        expect(page.locator("#field-system option")).to_have_count(2)
        page.select_option("#field-system", "monitoring")
        page.locator("#field-name").press_sequentially("web-01")
        expect(page.locator("#impact .impact-good")).to_be_visible()
        expect(page.locator("#impact tbody td")).to_have_text(["10.1.0.2", "hv-01"])
        expect(page.locator("#impact .impact-move").first).to_contain_text("→ 1")
        page.fill("#field-count", "101")
        expect(page.locator("#impact .impact-bad")).to_be_visible()
        page.fill("#field-count", "1")
        expect(page.locator("#impact .impact-good")).to_be_visible()
        page.fill("#field-data_disks", "100, 30")
        expect(page.locator("#impact .impact-move").last).to_contain_text("→ 180")
        page.get_by_role("button", name=words["order"], exact=True).click()
        state = page.locator(".thing-what .state")
        expect(state).to_have_text(words["building"])
        ident = page.url.rpartition("/")[2]
        http.work(ident)
        expect(state).to_have_text(words["running"])

        page.get_by_role("link", name=words["resize"]).click()
        expect(page.locator("#field-vcpu")).to_be_hidden()
        page.select_option("#field-flavor", label=words["own"])
        page.fill("#field-vcpu", "4")
        expect(page.locator("#impact .impact-move").nth(1)).to_contain_text("2 → 4")
        expect(page.locator("#field-data_disks")).to_have_value("100, 30")
        page.fill("#field-data_disks", "100, 40")
        expect(page.locator("#impact .impact-move").last).to_contain_text("180 → 190")
        page.get_by_role("button", name=words["resize"]).click()
        http.work(ident)
        expect(state).to_have_text(words["running"])
        expect(page.locator(".facts").first).to_contain_text({"zh": "4核", "en": "4cores"}[language])
        expect(page.locator(".facts").first).to_contain_text("100GiB + 40GiB")


def test_many_are_stopped_and_deleted_with_the_typed_word(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    made = http.ours.post("/vms/bulk", {"vms": [vm(name) for name in ("a", "b", "c")]}).json["vms"]
    for machine in made:
        http.work(machine["id"])
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.goto("/vms")
        expect(page.locator(".bulk")).to_be_hidden()
        page.get_by_label("Choose a", exact=True).check()
        page.get_by_label("Choose c", exact=True).check()
        expect(page.locator(".bulk-count")).to_have_text("2 chosen")
        page.locator(".bulk").get_by_role("button", name="Stop").click()
        expect(page.locator("tbody th")).to_have_text(["a", "c"])
        page.locator(".confirm").get_by_role("button", name="Stop").click()
        expect(page.locator("#flashes")).to_contain_text("Stop of 2 machines was ordered.")
        for machine in (made[0], made[2]):
            http.work(machine["id"])

        page.get_by_label("Choose all on this page").check()
        expect(page.locator(".bulk-count")).to_have_text("3 chosen")
        page.locator(".bulk").get_by_role("button", name="Delete").click()
        expect(page.locator(".losses")).to_contain_text("150")
        page.fill("#field-word", "no")
        page.locator(".confirm").get_by_role("button", name="Delete").click()
        expect(page.locator("#error-word")).to_be_visible()
        page.fill("#field-word", "delete")
        page.locator(".confirm").get_by_role("button", name="Delete").click()
        expect(page.locator("#vms tbody .state")).to_have_text(["Deleting"] * 3)


def test_what_was_chosen_stays_chosen_while_the_list_renews_itself(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    ident = http.ours.post("/vms", vm("b")).json["id"]
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.goto("/vms")
        page.get_by_label("Choose b", exact=True).check()
        page.locator("h1").hover()
        page.evaluate("document.activeElement.blur()")
        http.ours.post("/vms", vm("a"))
        http.work(ident)
        expect(page.locator("#vms tbody .state")).to_have_text(["Running"])
        expect(page.locator("#vms tbody th")).to_have_text(["b"])
        expect(page.get_by_label("Choose b", exact=True)).to_be_checked()
        page.get_by_role("button", name="Choose none").click()
        page.locator("h1").hover()
        page.evaluate("document.activeElement.blur()")
        expect(page.locator("#vms tbody th")).to_have_text(["a", "b"])


def test_a_list_is_filtered_by_a_department_that_is_typed(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    http.ours.post("/vms", vm("ours"))
    http.theirs.post("/vms", vm("theirs"))
    with browsing(chromium, address) as page:
        sign_in(page, visit, "admin")
        page.goto("/vms")
        page.locator("summary.chip", has_text="Department").click()
        page.locator("#vms-department").press_sequentially("financ")
        expect(page.locator("#vms-department-choices option")).to_have_count(1)
        page.locator(".menu-form").get_by_role("button", name="Apply").click()
        expect(page.locator("#vms tbody th")).to_have_text(["theirs"])
        expect(page.locator("summary.chip-on")).to_contain_text("Finance")


def test_nothing_moves_under_the_pointer_and_states_change_all_the_same(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    ident = http.ours.post("/vms", vm("b")).json["id"]
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.goto("/vms")
        page.locator("#vms tbody tr").hover()
        http.ours.post("/vms", vm("a"))
        http.work(ident)
        expect(page.locator("#vms tbody .state")).to_have_text(["Running"])
        assert page.locator("#vms tbody th").all_text_contents() == ["b"]
        page.locator("h1").hover()
        expect(page.locator("#vms tbody th")).to_have_text(["a", "b"])


def test_a_key_leads_to_the_search_and_the_search_to_the_machine(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    http.ours.post("/vms/bulk", {"vms": [vm("web-01"), vm("db-01")]})
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.keyboard.press("/")
        page.keyboard.type("db")
        page.keyboard.press("Enter")
        expect(page.locator("#found-vms tbody th")).to_have_text(["db-01"])


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_is_hard_on_people_or_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    ident = http.ours.post("/vms", vm()).json["id"]
    http.work(ident)
    http.ours.post("/vms/bulk", {"vms": [vm(f"some-long-name-of-a-machine-{n:02}") for n in range(60)]})
    findings: list[str] = []
    with browsing(chromium, address, language, size) as page:
        page.goto("/sign-in")
        findings.extend(troubles_of(page, "sign-in"))
        sign_in(page, visit, "admin")
        department = http.admin.get("/departments/environment").json["id"]
        system = http.ours.get("/systems").json["items"][0]["id"]
        for name, path in (
            ("overview", "/"),
            ("list", "/vms"),
            ("filtered list", "/vms?state=building&q=long"),
            ("empty list", "/vms?q=nothing"),
            ("machine", f"/vms/{ident}"),
            ("history", f"/vms/{ident}?tab=history"),
            ("usage", f"/vms/{ident}?tab=usage"),
            ("technical", f"/vms/{ident}?tab=technical"),
            ("resize", f"/vms/{ident}/resize"),
            ("rebuild", f"/vms/{ident}/rebuild"),
            ("delete", f"/vms/{ident}/delete"),
            ("ask", "/vms/new?department=environment&system=monitoring&name=web"),
            ("departments", "/departments"),
            ("department", f"/departments/{department}"),
            ("limits", f"/departments/{department}/quota"),
            ("systems", "/systems"),
            ("subnets", "/subnets"),
            ("system", f"/systems/{system}"),
            ("search", "/search?q=mon"),
            ("error", "/vms/00000000-0000-0000-0000-000000000000"),
        ):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            findings.extend(troubles_of(page, name))
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_the_other_two_administrators_is_hard_on_people_or_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    wang = {"username": "a-long-user-name.of-somebody", "name": "王芳", "role": "auditor"}
    ident = http.security.post("/users", wang).json["id"]
    of_security = (
        ("users", "/users"),
        ("new user", "/users/new"),
        ("user", f"/users/{ident}"),
        ("remove", f"/users/{ident}/remove"),
        ("tokens", "/tokens"),
        ("new token", "/tokens/new"),
        ("policy", "/policy"),
        ("security", "/security"),
    )
    of_audit = (("trail", "/audit"), ("filtered trail", "/audit?actor=security-api&from=2026-01-01"))
    findings: list[str] = []
    for who, paths in (("security", of_security), ("audit", of_audit)):
        with browsing(chromium, address, language, size) as page:
            sign_in(page, visit, who, start="**/account" if who == "security" else "**/")
            for name, path in paths:
                page.goto(path)
                page.wait_for_load_state("networkidle")
                findings.extend(troubles_of(page, name))
    assert not findings, "\n".join(findings)


def test_the_description_of_the_api_is_read_and_tried_in_the_browser(
    chromium: Browser, address: str, visit: Visitors
) -> None:
    with browsing(chromium, address) as page:
        sign_in(page, visit, "admin")
        page.goto("/api/docs")
        page.locator("#operations-sites-sites_create_site_post, .opblock-post").first.wait_for()
        assert page.locator(".opblock").count() > 30
