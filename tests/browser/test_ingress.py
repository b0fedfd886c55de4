"""What a department lets in, in a real browser: asked before it is taken back, and hard on nobody."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_the_console import browsing, sign_in, troubles_of
from tests.callers import Callers
from tests.web.visitors import Visitors

RULE = {
    "protocol": "udp",
    "ports": "8000-8080",
    "source": "fd20:1234:5678:9abc::/64",
    "note": "很长很长的说明文字" * 10,
}


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_a_department_lets_in_is_hard_on_nobody_and_no_wider_than_the_screen(
    chromium: Browser, address: str, http: Callers, visit: Visitors, language: str, size: str
) -> None:
    http.ours.post("/ingress-rules", RULE)
    department = http.ours.get("/departments/environment").json["id"]
    with browsing(chromium, address, language, size) as page:
        sign_in(page, visit, "manager")
        page.goto(f"/departments/{department}?tab=ingress")
        assert troubles_of(page, "ingress") == []


def test_a_rule_is_let_in_by_the_form_and_removed_once_that_was_confirmed(
    chromium: Browser, address: str, http: Callers, visit: Visitors
) -> None:
    department = http.ours.get("/departments/environment").json["id"]
    with browsing(chromium, address, "en") as page:
        sign_in(page, visit, "manager")
        page.goto(f"/departments/{department}")
        page.get_by_role("link", name="Ingress").click()
        page.get_by_label("Ports").fill("443")
        page.get_by_label("Source").fill("10.0.0.0/8")
        page.get_by_role("button", name="Let it in").click()
        expect(page.get_by_role("rowheader", name="10.0.0.0/8")).to_be_visible()
        # What asks before it is removed has been loaded by then.
        page.wait_for_load_state("networkidle")
        told: list[str] = []
        page.once("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.get_by_role("button", name="Remove").click()
        assert "tcp/443 10.0.0.0/8" in told[0]
        assert len(http.ours.get("/ingress-rules").json["items"]) == 1, "nothing was confirmed"
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Nothing is let in")).to_be_visible()
        assert http.ours.get("/ingress-rules").json["items"] == []
