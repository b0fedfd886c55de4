"""Importing VPN accounts in a real browser: the page follows by itself, in both languages and on a narrow screen."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from controlplane.db import transaction
from tests.browser.test_the_console import browsing, sign_in, troubles_of
from tests.callers import Callers
from tests.vpn_accounts.importing import looked_at, people, table
from tests.vpn_accounts.scene import furnish
from tests.web.visitors import Visitors


@pytest.mark.parametrize(("language", "size"), [("en", "wide"), ("zh", "narrow")])
def test_a_manager_imports_a_file_and_the_page_follows_by_itself(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    with transaction(http.sessions) as session:
        furnish(session)
    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "manager")
        troubles = send(page, table("王芳,,Big,0471-0000001", "李娜,2,li,x"))
        bad = looked_at_by_worker(http, page)
        expect(page.locator("#import tbody tr")).to_have_count(3)
        troubles += troubles_of(page, f"{bad}, wrong")
        troubles += send(page, people(1, 2))
        page.evaluate("window.notReloaded = true")
        ready = looked_at_by_worker(http, page)
        start = page.locator("#import form[action$='/start'] button")
        expect(start).to_be_visible()
        troubles += troubles_of(page, f"{ready}, ready")
        assert page.evaluate("window.notReloaded")
        start.click()
        expect(page.locator("#import progress")).to_be_visible()
        troubles += troubles_of(page, f"{ready}, working")
        looked_at_by_worker(http, page)
        expect(page.locator("#import a[href*='/requests/']")).to_be_visible()
        troubles += troubles_of(page, f"{ready}, done")
    assert troubles == []


def send(page: Page, content: bytes) -> list[str]:
    """Choose a file and have it checked; return what is hard on people on the way."""
    page.goto("/vpn-import")
    troubles = troubles_of(page, "choosing")
    file: Any = {"name": "people.csv", "mimeType": "text/csv", "buffer": content}
    page.set_input_files("#field-file", file)
    page.locator("form[action$='/vpn-import'] button[type=submit]").click()
    expect(page.locator("#import progress")).to_be_visible()
    return troubles


def looked_at_by_worker(http: Callers, page: Page) -> str:
    return looked_at(http.installation, page.url.rpartition("/")[2])
