"""The console proxy, over real websockets to the simulated console of the fake driver."""

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from controlplane.console_proxy.desk import Visit
from controlplane.console_proxy.wire import CODES, Limits
from controlplane.db import transaction
from controlplane.services import leavers
from controlplane.services.consoles import Ending
from provisioners.contract import ConsoleKind, ConsoleLine
from tests.callers import Callers
from tests.cli.processes import until
from tests.consoles.proxying import ORIGIN, desk_of, ending, knock, proxying, reading, trail
from tests.drivers.makers import a_machine
from tests.factories import vm
from tests.people import ADMIN, SECURITY
from tests.web.visitors import Visitors


@pytest.fixture
def machine(http: Callers) -> str:
    """Id of a VM of ours that runs."""
    ident: str = http.ours.post("/vms", vm()).json["id"]
    http.work(ident)
    return ident


def ticket(http: Callers, machine: str, **headers: str) -> str:
    answer = http.ours.post(f"/vms/{machine}/console", headers=headers)
    assert answer.status_code == 200, answer.text
    secret: str = answer.json["ticket"]
    return secret


def test_a_ticket_opens_the_console_which_greets_and_repeats_what_is_typed(http: Callers, machine: str) -> None:
    with proxying(desk_of(http.installation)) as address:
        browser = knock(address, ticket(http, machine))
        assert json.loads(browser.recv(timeout=60)) == {"kind": "text", "consoles": ["text"], "simulated": True}
        greeting = reading(browser, "web-01# ")
        assert "Simulated console" in greeting
        assert "10.1.0.2/24" in greeting
        browser.send(b"hello\r")
        assert reading(browser, "web-01# ").startswith("hello\r\n")
        browser.close()
        until(lambda: len(trail(http.installation, machine)) == 2, "the end is in the trail")
    (opened, kind), (ended, details) = trail(http.installation, machine)
    assert (opened, kind) == ("vm.console", {"console": "text"})
    assert ended == "vm.console_ended"
    assert (details["reason"], details["received"]) == ("left", 6)
    assert details["sent"] > len(greeting) - 1


def test_a_ticket_opens_one_console_and_no_second(http: Callers, machine: str) -> None:
    secret = ticket(http, machine)
    with proxying(desk_of(http.installation)) as address, knock(address, secret) as browser:
        reading(browser, "web-01# ")
        assert ending(knock(address, secret)) == (4401, "ticket")


def test_a_ticket_is_refused_when_its_minute_is_over(http: Callers, machine: str) -> None:
    secret = ticket(http, machine)
    late = desk_of(http.installation, datetime.now(UTC) + timedelta(seconds=61))
    with proxying(late) as address:
        assert ending(knock(address, secret)) == (4401, "ticket")


@pytest.mark.parametrize("elsewhere", ["https://evil.example", None])
def test_a_ticket_is_good_for_the_site_alone_whose_page_asked(
    http: Callers, machine: str, elsewhere: str | None
) -> None:
    with proxying(desk_of(http.installation)) as address:
        secret = ticket(http, machine, Origin=ORIGIN)
        assert ending(knock(address, secret, origin=elsewhere)) == (4401, "ticket")
        with knock(address, secret, origin=ORIGIN) as browser:
            reading(browser, "web-01# ")


@pytest.mark.parametrize("words", ["no json", "[]", '{"ticket": 1}', '{"ticket": "x", "kind": 1}', '{"kind": "text"}'])
def test_what_is_no_ticket_is_refused(http: Callers, words: str) -> None:
    with proxying(desk_of(http.installation)) as address:
        browser = connect(address, legacy=True)
        browser.send(words)
        assert ending(browser) == (4401, "ticket")
        assert ending(knock(address, "garbage \ud800")) == (4401, "ticket")


def test_who_says_nothing_is_sent_away(http: Callers) -> None:
    with proxying(desk_of(http.installation), Limits(60, 60, first_word=0.2)) as address:
        assert ending(connect(address, legacy=True)) == (4401, "ticket")


def test_a_ticket_dies_with_the_machine(http: Callers, machine: str) -> None:
    secret = ticket(http, machine)
    http.ours.delete(f"/vms/{machine}")
    with proxying(desk_of(http.installation)) as address:
        assert ending(knock(address, secret)) == (4410, "gone")


def test_more_consoles_than_are_allowed_are_refused_and_a_place_that_is_left_is_given_again(
    http: Callers, machine: str
) -> None:
    with proxying(desk_of(http.installation), most=1) as address:
        first = knock(address, ticket(http, machine))
        reading(first, "web-01# ")
        assert ending(knock(address, ticket(http, machine))) == (1013, "full")
        first.close()
        until(lambda: _is_let_in(address, ticket(http, machine)), "the place is given again")


def test_the_door_closes_to_a_crowd_that_shows_no_tickets(http: Callers) -> None:
    with proxying(desk_of(http.installation), most=1) as address:
        crowd = [connect(address, legacy=True) for _ in range(17)]
        with pytest.raises(InvalidStatus, match="503"):
            connect(address, legacy=True)
        for one in crowd:
            one.close()


@pytest.mark.parametrize(
    ("limits", "word"), [(Limits(idle=0.3, longest=60), "idle"), (Limits(idle=60, longest=0.3), "too_long")]
)
def test_a_console_ends_when_nobody_types_and_when_it_was_open_for_long(
    http: Callers, machine: str, limits: Limits, word: str
) -> None:
    with proxying(desk_of(http.installation), limits) as address:
        assert ending(knock(address, ticket(http, machine))) == (CODES[word], word)
        until(lambda: len(trail(http.installation, machine)) == 2, "the end is in the trail")
    assert trail(http.installation, machine)[1][1]["reason"] == word


def test_a_console_ends_when_its_user_is_disabled(http: Callers, machine: str) -> None:
    visit = Visitors(http)
    manager = visit("manager")
    manager.get("/")
    asked = manager.client.post(
        f"/api/v1/vms/{machine}/console", headers={"X-CSRFToken": manager.page.csrf, "Origin": ORIGIN}
    )
    with proxying(desk_of(http.installation), Limits(60, 60, look=0.2)) as address:
        browser = knock(address, asked.json["ticket"], origin=ORIGIN)
        reading(browser, "web-01# ")
        with transaction(http.sessions) as session:
            leavers.disable(session, SECURITY, "manager")
        assert ending(browser) == (4403, "right")


def test_a_console_ends_when_its_machine_is_to_go(http: Callers, machine: str) -> None:
    with proxying(desk_of(http.installation), Limits(60, 60, look=0.2)) as address:
        browser = knock(address, ticket(http, machine))
        reading(browser, "web-01# ")
        http.ours.delete(f"/vms/{machine}")
        assert ending(browser) == (4403, "right")


def test_who_is_connected_when_the_proxy_stops_is_told(http: Callers, machine: str) -> None:
    with proxying(desk_of(http.installation)) as address:
        browser = knock(address, ticket(http, machine))
        reading(browser, "web-01# ")
    assert ending(browser)[0] == 1001
    assert trail(http.installation, machine)[1][0] == "vm.console_ended"


def test_the_proxy_waits_for_its_port_to_be_free(http: Callers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        threading.Timer(1, taken.close).start()
        with proxying(desk_of(http.installation), port=port) as address:
            assert ending(knock(address, "x")) == (4401, "ticket")


class OneLine:
    """A desk that lets anybody in to one end of a socket pair: the other end is the test's machine."""

    def __init__(self, kind: ConsoleKind) -> None:
        self.machine, self._line = socket.socketpair()
        self.kind = kind
        self.endings: list[Ending] = []

    def admit(self, ticket: str, origin: str | None) -> Visit:
        driver: Any = None
        return Visit(ADMIN, uuid4(), a_machine(), driver, (self.kind,))

    def open(self, visit: Visit, kind: ConsoleKind) -> ConsoleLine:
        return ConsoleLine(self._line)

    def may_stay(self, visit: Visit) -> bool:
        return True

    def ended(self, visit: Visit, ending: Ending) -> None:
        self.endings.append(ending)


def test_a_console_ends_when_the_machine_goes_off() -> None:
    desk = OneLine("screen")
    with proxying(desk) as address:
        browser = knock(address, "x")
        browser.recv(timeout=60)
        desk.machine.sendall(b"RFB 003.008\n")
        assert browser.recv(timeout=60) == b"RFB 003.008\n"
        desk.machine.close()
        assert ending(browser) == (4410, "gone")


def test_asking_for_updates_of_a_screen_is_no_typing() -> None:
    desk = OneLine("screen")
    with proxying(desk, Limits(idle=0.5, longest=60)) as address:
        browser = knock(address, "x")
        browser.recv(timeout=60)
        try:
            while True:
                browser.send(b"\x03" + bytes(9))
                desk.machine.recv(4096)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            assert closed.rcvd.reason == "idle"


def test_a_browser_that_does_not_read_makes_the_machine_wait() -> None:
    desk = OneLine("text")
    flood = 64 * 1024 * 1024
    sent = 0
    with proxying(desk) as address:
        browser = knock(address, "x")
        browser.recv(timeout=60)
        desk.machine.settimeout(2)
        with pytest.raises(TimeoutError):
            while sent < flood:
                sent += desk.machine.send(bytes(64 * 1024))
        assert sent < flood / 4
        browser.close()


def _is_let_in(address: str, secret: str) -> bool:
    with knock(address, secret) as browser:
        try:
            return "consoles" in json.loads(browser.recv(timeout=60))
        except ConnectionClosed:
            return False


def test_the_codes_are_ones_that_an_application_may_use() -> None:
    assert all(code in {1000, 1001, 1011, 1013} or 4000 <= code < 5000 for code in CODES.values())
