"""Consoles of real guests, through page, ticket and proxy, as people reach them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.labs.guests import BOOT_SECONDS
from tests.labs.story import Lab

_OWN_PASSWORD = "Grassland-Horse-42-Lamp"
CANVAS_IS_PAINTED = """() => {
  const canvas = document.querySelector('#console canvas');
  if (!canvas || !canvas.width) return false;
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.some((value, at) => at % 4 !== 3 && value > 100);
}"""


@contextmanager
def console(lab: Lab, name: str, kind: str) -> Iterator[ClientConnection]:
    """Open a console of a VM by a ticket of its own."""
    permission = lab.steppe.ask(f"/vms/{lab.vms[name]['id']}/console")
    with connect(permission["url"]) as browser:
        browser.send(json.dumps({"ticket": permission["ticket"], "kind": kind}))
        hello = json.loads(browser.recv(timeout=30))
        assert hello == {"kind": kind, "consoles": ["screen", "text"], "simulated": False}, hello
        yield browser


def ending(browser: ClientConnection) -> str:
    """Read to the end and return the reason."""
    try:
        while True:
            browser.recv(timeout=60)
    except ConnectionClosed as closed:
        return closed.rcvd.reason if closed.rcvd else "lost"


def consoles(lab: Lab) -> None:
    """The screen and the serial line of a guest that has booted."""
    sentence = "the screen of a guest answers through the console proxy as an RFB server"
    with lab.report.check(sentence), console(lab, "first", "screen") as browser:
        assert browser.recv(timeout=30) == b"RFB 003.008\n"
    sentence = "its serial line asks for a login, and is one person's at a time"
    with lab.report.check(sentence), console(lab, "first", "text") as browser:
        browser.send(b"\r")
        _reads(browser, b"first login:")
        permission = lab.steppe.ask(f"/vms/{lab.vms['first']['id']}/console")
        with connect(permission["url"]) as second:
            second.send(json.dumps({"ticket": permission["ticket"], "kind": "text"}))
            assert ending(second) == "refused"
    with lab.report.check("a ticket opens nothing twice, and no ticket opens nothing"):
        permission = lab.steppe.ask(f"/vms/{lab.vms['first']['id']}/console")
        reasons = []
        for ticket in (permission["ticket"], permission["ticket"], "guessed"):
            with connect(permission["url"]) as browser:
                browser.send(json.dumps({"ticket": ticket, "kind": "screen"}))
                try:
                    reasons.append(json.loads(browser.recv(timeout=30))["kind"])
                except ConnectionClosed as closed:
                    reasons.append(closed.rcvd.reason if closed.rcvd else "lost")
        assert reasons == ["screen", "ticket", "ticket"], reasons
    chromium = shutil.which("chromium")
    if chromium is None:
        lab.report.figure("the screen in a browser", "not tried: there is no chromium")
        return
    with lab.report.check("a person sees the guest's screen and types into its serial line in a browser"):
        _in_a_browser(lab, chromium)


def _reads(browser: ClientConnection, wanted: bytes) -> None:
    read = b""
    while wanted not in read:
        piece = browser.recv(timeout=BOOT_SECONDS)
        read += piece.encode() if isinstance(piece, str) else piece


def come_in(page: Page, given: str) -> None:
    """Sign in for the first time: with the password that was given, and then one of one's own."""
    page.goto("/sign-in")
    page.fill("#field-user", "watcher")
    page.fill("#field-password", given)
    page.press("#field-password", "Enter")
    page.wait_for_url("**/account/password")
    page.fill("#field-present", given)
    page.fill("#field-wanted", _OWN_PASSWORD)
    page.fill("#field-again", _OWN_PASSWORD)
    page.press("#field-again", "Enter")
    page.wait_for_url("**/")


def _in_a_browser(lab: Lab, chromium: str) -> None:
    role = ("--role", "department_manager", "--department", "lab")
    made = lab.steppe.command("user", "create", "watcher", "--name", "值班员", *role, "--json")
    password = json.loads(made)["password"]
    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=f"http://{lab.steppe.listen}", locale="en-GB")
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        come_in(page, password)
        page.goto(f"/vms/{lab.vms['first']['id']}/console")
        page.wait_for_function(CANVAS_IS_PAINTED, timeout=60_000)
        page.screenshot(path=str(lab.folder / "screen.png"))
        page.locator("#console-kinds button[aria-pressed=false]").click()
        page.locator(".xterm-rows").wait_for(timeout=60_000)
        page.keyboard.press("Enter")
        expect(page.locator(".xterm-rows")).to_contain_text("first login:", timeout=120_000)
        page.screenshot(path=str(lab.folder / "text.png"))
        browser.close()
    assert not troubles, troubles
