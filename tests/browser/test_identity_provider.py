"""Coming in through a real identity provider, in a real browser that holds to the content security policy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import User
from tests.browser.conftest import served
from tests.browser.test_first_sign_in import plain
from tests.browser.test_the_console import browsing
from tests.oidc.office import Office
from tests.oidc.real import RealProvider, running

WORDS = {
    "zh": {"button": "统一身份认证登录", "out": "退出登录", "there": "同时退出统一身份认证", "none": "没有账号"},
    "en": {"button": "Single sign-on", "out": "Sign out", "there": "Sign out there too", "none": "no account here yet"},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with running() as started:
        yield started


@pytest.mark.parametrize("language", WORDS)
def test_somebody_comes_in_through_the_provider_and_goes_out_again(
    chromium: Browser, installation: Installation, provider: RealProvider, language: str
) -> None:
    words = WORDS[language]
    here = Office(installation, provider.issuer, oidc_provision=True)
    provider.knows("u-1", "wang", ["eyes"])
    with served(here.http) as address, browsing(chromium, address, language, "narrow", provider.issuer) as page:
        provider.says(redirects=[f"{address}/sign-in/oidc/back"], signOutTo=[f"{address}/sign-in"])
        page.goto("/vms")
        plain(page)
        page.get_by_role("link", name=words["button"]).click()
        page.wait_for_url(f"{provider.issuer}/**")
        page.fill("#user", "u-1")
        page.press("#user", "Enter")
        page.wait_for_url(f"{address}/vms")
        page.goto("/account")
        plain(page)
        expect(page.locator(".facts").first).to_contain_text(provider.issuer)
        expect(page.locator("a[href='/account/password']")).to_have_count(0)
        page.locator("form[action='/sign-out'] button").last.dispatch_event("click")
        page.wait_for_url("**/sign-in?out=1")
        plain(page)
        page.get_by_role("link", name=words["there"]).click()
        page.wait_for_url(f"{provider.issuer}/session/end*")
    here.http.close()


@pytest.mark.parametrize("language", WORDS)
def test_who_has_no_account_is_told_so_and_can_still_sign_in_otherwise(
    chromium: Browser, installation: Installation, provider: RealProvider, language: str
) -> None:
    here = Office(installation, provider.issuer)
    provider.knows("u-1", "wang", ["eyes"])
    with served(here.http) as address, browsing(chromium, address, language, also=provider.issuer) as page:
        provider.says(redirects=[f"{address}/sign-in/oidc/back"])
        page.goto("/sign-in")
        page.get_by_role("link", name=WORDS[language]["button"]).click()
        page.fill("#user", "u-1")
        page.press("#user", "Enter")
        expect(page.get_by_role("alert")).to_contain_text(WORDS[language]["none"])
        expect(page.locator("#field-password")).to_be_visible()
        plain(page)
    with transaction(here.http.sessions) as session:
        assert session.query(User).filter_by(username="wang").count() == 0
    here.http.close()
