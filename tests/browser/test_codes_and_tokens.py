"""A second factor set up and used, a token made and used, by somebody at a real browser."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from controlplane.services.second_factor import code_at
from tests.browser.test_first_sign_in import plain
from tests.browser.test_the_console import browsing, sign_in
from tests.web.visitors import Visitors

WORDS = {"zh": {"make": "创建令牌", "revoke": "吊销"}, "en": {"make": "Make a token", "revoke": "Revoke"}}


@pytest.mark.parametrize("language", WORDS)
def test_a_second_factor_is_set_up_and_used_and_then_a_token(
    chromium: Browser, address: str, visit: Visitors, language: str
) -> None:
    with browsing(chromium, address, language) as page:
        sign_in(page, visit, "auditor")
        page.goto("/account")
        page.locator("a[href='/account/second-factor']").click()
        secret, now = page.locator(".gate-secret").inner_text().replace(" ", ""), datetime.now(UTC)
        page.fill("#field-code", code_at(secret, now))
        page.press("#field-code", "Enter")
        expect(page.locator(".gate-codes li")).to_have_count(10)

    with browsing(chromium, address, language) as page:
        page.goto("/account")
        page.fill("#field-user", "auditor")
        page.fill("#field-password", visit.password("auditor"))
        page.press("#field-password", "Enter")
        page.wait_for_url("**/second-factor")
        plain(page)
        page.fill("#field-code", code_at(secret, now))
        page.press("#field-code", "Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        # Each code is good once; that of the next half minute is taken already.
        page.fill("#field-code", code_at(secret, now + timedelta(seconds=30)))
        page.press("#field-code", "Enter")
        page.wait_for_url("**/account")
        token_is_made_used_and_revoked(page, address, WORDS[language])


def token_is_made_used_and_revoked(page: Page, address: str, words: dict[str, str]) -> None:
    """Make a token on the page of the own account, call the API with it, and end it."""
    page.fill("#field-name", "of-the-browser")
    page.get_by_role("button", name=words["make"]).click()
    secret = page.locator(".copyable").first.get_attribute("data-copy")
    assert secret and status_of(address, secret) == 200
    plain(page)
    page.goto("/account")
    expect(page.locator("#tokens tbody th")).to_have_text(["of-the-browser"])
    page.locator("#tokens").get_by_role("button", name=words["revoke"]).click()
    expect(page.locator("#tokens tbody")).to_have_count(0)
    assert status_of(address, secret) == 401


def status_of(address: str, secret: str) -> int:
    """Return what the API answers to a token."""
    bearer = {"Authorization": f"Bearer {secret}"}
    return requests.get(f"{address}/api/v1/vms", headers=bearer, timeout=60).status_code
