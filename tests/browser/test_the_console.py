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
def browsing(chromium: Browser, address: str, language: str = "en", size: str = "wide") -> Iterator[Page]:
    """Give a page that fails the test for any error that script or the content security policy reports."""
    width, height = SIZES[size]
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    context = chromium.new_context(base_url=address, viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console", lambda m: troubles.append(m.text) if m.type == "error" and "status of 404" not in m.text else None
    )
    page.on("request", lambda r: None if r.url.startswith(address) else troubles.append(f"asked {r.url}"))
    yield page
    context.close()
    assert not troubles


def sign_in(page: Page, visit: Visitors, who: str) -> None:
    password = visit.password(who)
    page.goto("/")
    page.fill("#field-user", who)
    page.fill("#field-password", password)
    page.locator("#field-password").press("Enter")
    page.wait_for_url("**/")


def test_a_manager_watches_her_machine_come_up_stops_it_and_reads_on_in_chinese(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    ident = http.ours.post("/vms", vm()).json["id"]
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        expect(page.locator("h1")).to_have_text("Overview")
        expect(page.locator("#overview tbody th")).to_have_text("web-01")

        page.locator("#nav a", has_text="Virtual machines").click()
        page.locator("#vms tbody a", has_text="web-01").click()
        state = page.locator(".thing-what .state")
        expect(state).to_have_text("Building")
        page.evaluate("window.notReloaded = true")
        http.work(ident)
        expect(state).to_have_text("Running", timeout=15_000)
        assert page.evaluate("window.notReloaded") is True

        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#flashes")).to_contain_text("Stop of web-01 was ordered.")
        expect(state).to_have_text("Changing")
        http.work(ident)
        expect(state).to_have_text("Stopped", timeout=15_000)
        expect(page.get_by_role("button", name="Stop")).to_be_disabled()

        page.get_by_role("button", name="中文").click()
        expect(state).to_have_text("已停止")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_deleting_happens_only_once_it_is_confirmed(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    ident = http.ours.post("/vms", vm()).json["id"]
    http.work(ident)
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.goto(f"/vms/{ident}")
        asked: list[str] = []
        page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.get_by_role("button", name="Delete").click()
        assert asked == ["web-01 and everything on its disk will be lost."]
        assert http.ours.get(f"/vms/{ident}").json["state"] == "running"
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Delete").click()
        expect(page.locator(".thing-what .state")).to_have_text("Deleting")


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
        expect(page.locator("#vms tbody .state")).to_have_text(["Running"], timeout=15_000)
        assert page.locator("#vms tbody th").all_text_contents() == ["b"]
        page.locator("h1").hover()
        expect(page.locator("#vms tbody th")).to_have_text(["a", "b"], timeout=15_000)


def test_a_key_leads_to_the_search_and_the_search_to_the_machine(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    http.ours.post("/vms/bulk", {"vms": [vm("web-01"), vm("db-01")]})
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.keyboard.press("/")
        page.keyboard.type("db")
        page.keyboard.press("Enter")
        expect(page.locator("#vms tbody th")).to_have_text(["db-01"])


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

        def look(name: str) -> None:
            found = Axe().run(page).response["violations"]
            findings.extend(
                f"{name}: {v['id']}: {node['html'][:200]}"
                for v in found
                if v["impact"] in SERIOUS
                for node in v["nodes"]
            )
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if overflow > 0:
                findings.append(f"{name}: {overflow} px wider than the screen")

        page.goto("/sign-in")
        look("sign-in")
        sign_in(page, visit, "admin")
        for name, path in (
            ("overview", "/"),
            ("list", "/vms"),
            ("filtered list", "/vms?state=building&q=long"),
            ("empty list", "/vms?q=nothing"),
            ("machine", f"/vms/{ident}"),
            ("error", "/vms/00000000-0000-0000-0000-000000000000"),
        ):
            page.goto(path)
            look(name)
    assert not findings, "\n".join(findings)


def test_the_description_of_the_api_is_read_and_tried_in_the_browser(
    chromium: Browser, address: str, visit: Visitors
) -> None:
    with browsing(chromium, address) as page:
        sign_in(page, visit, "admin")
        page.goto("/api/docs")
        page.locator("#operations-sites-sites_create_site_post, .opblock-post").first.wait_for()
        assert page.locator(".opblock").count() > 30
