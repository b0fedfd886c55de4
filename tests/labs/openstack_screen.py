"""The screen of a real guest of the region, through Steppe's page, ticket and proxy and then Nova's."""

import json
import shutil

from playwright.sync_api import sync_playwright
from websockets.sync.client import connect

from tests.chaos.steppe import Steppe
from tests.labs.console_story import CANVAS_IS_PAINTED, come_in
from tests.labs.openstack_steppe import DEPARTMENT
from tests.labs.openstack_story import Lab


def answers(steppe: Steppe, vm: str) -> None:
    """AssertionError where the screen does not answer as an RFB server."""
    # The answer holds a secret, so it is asked for once and not under a key.
    permission = steppe.call("POST", f"/vms/{vm}/console").body
    with connect(permission["url"], proxy=None) as browser:
        browser.send(json.dumps({"ticket": permission["ticket"], "kind": "screen"}))
        hello = json.loads(browser.recv(timeout=30))
        assert hello == {"kind": "screen", "consoles": ["screen"], "simulated": False}, hello
        assert browser.recv(timeout=30) == b"RFB 003.008\n"


def is_seen(lab: Lab, steppe: Steppe, vm: str) -> None:
    """AssertionError where a person of the department does not see the screen in a browser."""
    chromium = shutil.which("chromium")
    assert chromium, "there is no chromium"
    role = ("--role", "department_manager", "--department", DEPARTMENT)
    made = json.loads(steppe.command("user", "create", "watcher", "--name", "值班员", *role, "--json"))
    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=steppe.url, locale="en-GB")
        page.on("pageerror", lambda error: troubles.append(str(error)))
        come_in(page, made["password"])
        page.goto(f"/vms/{vm}/console")
        page.wait_for_function(CANVAS_IS_PAINTED, timeout=60_000)
        page.screenshot(path=str(lab.folder / "screen.png"))
        browser.close()
    assert not troubles, troubles
