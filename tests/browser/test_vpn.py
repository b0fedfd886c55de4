"""VPN in a real browser: an account that comes up as one looks, a file of passwords, pages hard on nobody."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_the_console import browsing, sign_in, troubles_of
from tests.callers import Callers
from tests.vpn_accounts.scene import look
from tests.web.visitors import Visitors
from tests.web.vpn.scene import PASSPHRASE, opened, tried, tunnel


@pytest.fixture
def http(vpn_http: Callers) -> Callers:
    return vpn_http


def test_an_account_comes_up_on_its_page_without_a_reload_and_its_tunnel_is_ended_there(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    [ref] = opened(http, 1, looked_at=False)
    with browsing(chromium, address) as page:
        sign_in(page, visit, "manager")
        page.goto(f"/vpn-accounts/{ref}")
        state = page.locator(".thing-what .state").first
        expect(state).to_have_text("Being opened")
        page.evaluate("window.notReloaded = true")
        look(http)
        expect(state).to_have_text("Active")
        assert page.evaluate("window.notReloaded") is True
        tunnel(http, "wang1")
        page.reload()
        page.get_by_role("button", name="Disconnect").click()
        expect(page.locator("#vpn-account tbody").first).to_contain_text("Being disconnected")


def test_chosen_accounts_get_their_passwords_in_a_file_that_is_downloaded(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    opened(http, 1, 2)
    with browsing(chromium, address, "zh") as page:
        sign_in(page, visit, "manager")
        page.goto("/vpn-accounts")
        page.get_by_label("选择 wang1").check()
        page.locator("[data-bulk] button", has_text="发放密码").click()
        page.fill("#field-passphrase", PASSPHRASE)
        page.fill("#field-again", PASSPHRASE)
        with page.expect_download() as download:
            page.locator("form.ask-form button[type=submit]").click()
        assert download.value.suggested_filename == "vpn-accounts-environment.zip"
    accounts = {one["username"]: bool(one["issued_at"]) for one in http.ours.get("/vpn-accounts").json["items"]}
    assert accounts == {"wang1": True, "wang2": False}


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_of_vpn_is_hard_on_people_or_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    [ref, *_] = opened(http, 1, 2, 3)
    group = http.ours.get("/vpn-groups").json["items"][0]["id"]
    tunnel(http, "wang1")
    tunnel(http, "an-intruder-with-a-rather-long-name.of-somebody-else")
    tried(http, "wang1", "wrong_password")
    paths = ("-accounts", f"-accounts/{ref}", f"-accounts/{ref}?tab=history", f"-accounts/{ref}/revoke")
    paths += ("-accounts/new", "-passwords", "-sessions", "-logins")
    paths += ("-gateways", "-gateways/vpn-1", "-groups/new", f"-groups/{group}")
    findings: list[str] = []
    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "admin")
        for path in paths:
            page.goto(f"/vpn{path}")
            page.wait_for_load_state("networkidle")
            findings.extend(troubles_of(page, path))
    assert not findings, "\n".join(findings)
