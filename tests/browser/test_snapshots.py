"""The page of a machine's snapshots, in a real browser: asked before anything is lost, and hard on nobody."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_the_console import browsing, sign_in, troubles_of
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Visitors


def kept(http: Callers, *names: str) -> str:
    """Return a machine that runs, with snapshots of these names."""
    made = str(http.ours.post("/vms", vm()).json["id"])
    http.work(made)
    for name in names:
        http.ours.post(f"/vms/{made}/snapshots", {"name": name})
        http.work(made)
    return made


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_is_hard_on_nobody_and_no_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    made = kept(http, "before-upgrade", "x" * 63)
    http.ours.post(f"/vms/{made}/restore", {"snapshot": "before-upgrade"})
    http.work(made)
    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "manager")
        page.goto(f"/vms/{made}/snapshots")
        assert troubles_of(page, "snapshots") == []


def test_one_is_taken_by_the_form_and_gone_back_to_once_that_was_confirmed(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    made = kept(http)
    with browsing(chromium, address, "en") as page:
        sign_in(page, visit, "manager")
        page.goto(f"/vms/{made}")
        page.get_by_role("link", name="Snapshots").click()
        page.get_by_label("Name").fill("before-upgrade")
        page.get_by_role("button", name="Take a snapshot").click()
        expect(page.locator("#flashes")).to_contain_text("was ordered")
        http.work(made)
        page.goto(f"/vms/{made}/snapshots")
        page.wait_for_load_state("networkidle")
        told: list[str] = []
        page.once("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.get_by_role("button", name="Restore").click()
        assert "before-upgrade" in told[0]
        assert http.ours.get(f"/vms/{made}").json["state"] == "running", "nothing was confirmed"
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Restore").click()
        expect(page.locator("#flashes")).to_contain_text("was ordered")
        http.work(made)
        assert http.ours.get(f"/vms/{made}").json["snapshots"][0]["restored"] is True
