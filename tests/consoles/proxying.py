"""A console proxy on a port of its own, in this process, and a program that knocks at it as a browser does."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from controlplane.bootstrap import Installation
from controlplane.console_proxy.desk import Desk, RecordDesk
from controlplane.console_proxy.server import Proxy
from controlplane.console_proxy.wire import Limits
from controlplane.db import transaction
from controlplane.entrance import rules
from controlplane.models import AuditEvent
from tests.cli.processes import free_port, until

PATIENT = Limits(idle=60, longest=60, look=60, first_word=10)
ORIGIN = "https://cloud.example"


@contextmanager
def proxying(desk: Desk, limits: Limits = PATIENT, most: int = 4, port: int | None = None) -> Iterator[str]:
    """Give the address of a proxy that serves for as long as the block runs."""
    port = port or free_port()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    proxy = Proxy(desk, limits, most)
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.run("127.0.0.1", port, stop)), daemon=True)
    thread.start()
    address = f"ws://127.0.0.1:{port}/console"
    try:
        until(lambda: _answers(address), "the proxy answers")
        yield address
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def desk_of(installation: Installation, at: datetime | None = None) -> RecordDesk:
    """Return the desk of an installation, whose clock stands at `at` where that is given."""
    drivers = installation.drivers()
    clock = (lambda: at) if at else (lambda: datetime.now(UTC))
    return RecordDesk(installation.sessions, drivers, rules(installation.settings), clock)


def knock(address: str, ticket: Any, kind: str | None = None, origin: str | None = None) -> ClientConnection:
    """Connect and show a ticket."""
    browser = connect(address, origin=origin, legacy=True)  # type: ignore[arg-type]
    browser.send(json.dumps({"ticket": ticket, "kind": kind}))
    return browser


def reading(browser: ClientConnection, text: str) -> str:
    """Read until `text` has come and return all that came."""
    read = ""
    while text not in read:
        piece = browser.recv(timeout=60)
        read += piece if isinstance(piece, str) else piece.decode(errors="replace")
    return read


def ending(browser: ClientConnection) -> tuple[int, str]:
    """Read to the end and return with what code and reason it came."""
    try:
        while True:
            browser.recv(timeout=60)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return closed.rcvd.code, closed.rcvd.reason


def trail(installation: Installation, machine: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what the audit trail says of a machine's consoles."""
    with transaction(installation.sessions) as session:
        events = session.query(AuditEvent).filter(AuditEvent.target_id == UUID(machine)).order_by(AuditEvent.id)
        return [(event.action, event.details) for event in events if event.action.startswith("vm.console")]


def _answers(address: str) -> bool:
    try:
        connect(address, open_timeout=2, legacy=True).close()
    except (OSError, WebSocketException):
        return False
    return True
