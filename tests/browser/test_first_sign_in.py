"""The first sign-in of an administrator in a real browser, on a small screen, and what people with other eyes get."""

from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from controlplane.db import transaction
from controlplane.services import users
from controlplane.services.second_factor import code_at
from controlplane.services.users import NewUser
from tests.browser.test_the_console import SERIOUS, browsing
from tests.people import OPERATOR
from tests.web.visitors import Visitors

NEW = "Grassland-Horse-42-Lamp"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_administrator_comes_in_for_the_first_time(
    chromium: Browser, address: str, visit: Visitors, language: str
) -> None:
    with transaction(visit.sessions) as session:
        _, password = users.create(session, OPERATOR, NewUser("boss", "主任", "system_admin"))
    assert password
    with browsing(chromium, address, language, "narrow") as page:
        page.goto("/vms")
        page.fill("#field-user", "boss")
        page.fill("#field-password", password)
        page.press("#field-password", "Enter")
        page.wait_for_url("**/account/second-factor")
        plain(page)
        box = page.locator(".gate-picture svg").bounding_box()
        assert box and box["width"] > 150
        secret = page.locator(".gate-secret").inner_text().replace(" ", "")
        page.fill("#field-code", code_at(secret, datetime.now(UTC)))
        page.press("#field-code", "Enter")
        expect(page.locator(".gate-codes li")).to_have_count(10)
        plain(page)
        page.locator(".btn-primary").click()
        page.wait_for_url("**/account/password")
        plain(page)
        page.fill("#field-present", password)
        page.fill("#field-wanted", NEW)
        page.fill("#field-again", NEW)
        page.press("#field-again", "Enter")
        page.wait_for_url("**/")
        page.goto("/account")
        expect(page.locator("#sessions tbody tr")).to_have_count(1)
        plain(page)


def plain(page: Page) -> None:
    """See that nothing keeps anybody out, and that nothing hangs over the edge of the screen."""
    assert not [v["id"] for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
