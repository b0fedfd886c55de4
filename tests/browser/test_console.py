"""The remote console in a real browser: through page, ticket, proxy and driver, and back."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_the_console import SERIOUS, sign_in
from tests.callers import Callers
from tests.consoles.proxying import desk_of, proxying
from tests.factories import vm
from tests.web.visitors import Visitors


@pytest.fixture
def proxy(http: Callers) -> Iterator[str]:
    """A console proxy, and a web server that knows where it is."""
    with proxying(desk_of(http.installation)) as url:
        http.app.config["CONSOLE_URL"] = url
        yield url


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """A page that fails the test for any error that script or the content security policy reports."""
    context = chromium.new_context(base_url=address, locale="en-GB")
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" and " 409 " not in m.text else None)
    yield page
    context.close()
    assert not troubles


def test_a_manager_opens_the_console_of_her_machine_and_types(
    page: Page, http: Callers, visit: Visitors, proxy: str
) -> None:
    ident = http.ours.post("/vms", vm()).json["id"]
    http.work(ident)
    sign_in(page, visit, "manager")
    page.goto(f"/vms/{ident}")
    page.locator(".heading-actions a", has_text="Console").click()
    expect(page.locator("#console-state")).to_contain_text("simulated")
    terminal = page.locator(".xterm-rows")
    expect(terminal).to_contain_text("Simulated console")
    expect(terminal).to_contain_text("10.1.0.2/24")
    page.keyboard.type("uname -a")
    expect(terminal).to_contain_text("web-01# uname -a")
    serious = [v["id"] for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
    assert not serious


def test_a_console_that_ended_says_why_and_connects_again(
    page: Page, http: Callers, visit: Visitors, proxy: str
) -> None:
    ident = http.ours.post("/vms", vm()).json["id"]
    http.work(ident)
    sign_in(page, visit, "manager")
    page.goto(f"/vms/{ident}/console")
    terminal = page.locator(".xterm-rows")
    expect(terminal).to_contain_text("web-01#")
    again = page.locator("#console-again")
    expect(again).to_be_hidden()
    http.ours.post(f"/vms/{ident}/stop")
    http.work(ident)
    page.reload()
    expect(page.locator("#console-state")).to_contain_text("possible when it is running")
    http.ours.post(f"/vms/{ident}/start")
    http.work(ident)
    again.click()
    expect(terminal).to_contain_text("web-01#")
