"""The websocket server of the console proxy.

A browser opens a websocket and says, as its first message, `{"ticket": …, "kind": …}`: a ticket in an address would be
written to the log of every proxy on the way. The answer is `{"kind": …, "consoles": […], "simulated": …}`, and from
then on every message is bytes of the console. No cookie is looked at, so no foreign page can borrow an identity.
"""

import asyncio
import errno
import json
from http import HTTPStatus
from typing import Any

import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from controlplane.console_proxy.desk import Desk, NoConsole, Visit
from controlplane.console_proxy.wire import CODES, Crossing, Limits, carry
from controlplane.services.consoles import Ending
from provisioners.contract import ConsoleKind, ConsoleLine

_LARGEST_MESSAGE = 256 * 1024
_SETTINGS: dict[str, Any] = {
    "max_size": _LARGEST_MESSAGE,
    "max_queue": 4,
    "compression": None,
    "server_header": None,
}
_AT_THE_DOOR = 16
"""Connections beyond the sessions that are open: those whose ticket is being looked at."""
_OPENING_SECONDS = 30
_BIND_AGAIN_SECONDS = 2

log = structlog.get_logger(__name__)


class Proxy:
    """Serves consoles, `most` of them at the same time."""

    def __init__(self, desk: Desk, limits: Limits, most: int) -> None:
        self._desk = desk
        self._limits = limits
        self._most = most
        self._connected = 0
        self._sessions = 0

    async def run(self, host: str, port: int, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; whoever is connected then is told that the server is going away."""
        while not stop.is_set():
            try:
                async with serve(self._session, host, port, process_request=self._door, **_SETTINGS):
                    log.info("consoles are served", host=host, port=port)
                    await stop.wait()
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL}:
                    raise
                log.warning(
                    "cannot listen; set STEPPE_CONSOLE_LISTEN to another", host=host, port=port, reason=str(error)
                )
                await _either(stop, _BIND_AGAIN_SECONDS)

    def _door(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._connected >= self._most + _AT_THE_DOOR:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many consoles are open; try again later.\n")
        return None

    async def _session(self, browser: ServerConnection) -> None:
        self._connected += 1
        try:
            reason = await self._whole_session(browser)
        except NoConsole as refusal:
            log.info("console refused", reason=refusal.reason, detail=refusal.detail)
            reason = refusal.reason
        except ConnectionClosed:
            reason = "left"
        except Exception:
            log.exception("bug in a console session")
            reason = "error"
        finally:
            self._connected -= 1
        await browser.close(CODES[reason], reason)

    async def _whole_session(self, browser: ServerConnection) -> str:
        ticket, wish = await self._first_word(browser)
        if self._sessions >= self._most:
            raise NoConsole("full", f"{self._most} consoles are open")
        self._sessions += 1
        try:
            origin = browser.request.headers.get("Origin") if browser.request else None
            visit = await asyncio.to_thread(self._desk.admit, ticket, origin)
            return await self._with_visitor(browser, visit, wish)
        finally:
            self._sessions -= 1

    async def _first_word(self, browser: ServerConnection) -> tuple[str, str | None]:
        try:
            async with asyncio.timeout(self._limits.first_word):
                said: Any = json.loads(await browser.recv())
            ticket, kind = said["ticket"], said.get("kind")
        except (TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoConsole("ticket", "the first message was no ticket") from error
        if not isinstance(ticket, str) or not isinstance(kind, str | None):
            raise NoConsole("ticket", "the first message was no ticket")
        return ticket, kind

    async def _with_visitor(self, browser: ServerConnection, visit: Visit, wish: str | None) -> str:
        kind: ConsoleKind = next((offer for offer in visit.offers if offer == wish), visit.offers[0])
        line = await self._open(visit, kind)
        bound = log.bind(machine=str(visit.machine), actor=visit.actor.name, kind=kind)
        bound.info("console opened")
        began = asyncio.get_running_loop().time()
        crossing = Crossing(
            browser, line.socket, kind, self._limits, lambda: asyncio.to_thread(self._desk.may_stay, visit)
        )
        reason = "error"
        try:
            hello = {"kind": kind, "consoles": list(visit.offers), "simulated": line.simulated}
            await browser.send(json.dumps(hello))
            reason = await carry(crossing)
        except ConnectionClosed:
            reason = "left"
        finally:
            line.socket.close()
            seconds = asyncio.get_running_loop().time() - began
            bound.info("console ended", reason=reason, seconds=round(seconds, 1))
            ending = Ending(kind, reason, seconds, crossing.received, crossing.sent)
            await asyncio.shield(asyncio.to_thread(self._desk.ended, visit, ending))
        return reason

    async def _open(self, visit: Visit, kind: ConsoleKind) -> ConsoleLine:
        """A hypervisor that does not answer costs a thread until it does, and nobody's patience."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._desk.open, visit, kind))
        try:
            return await asyncio.wait_for(asyncio.shield(opening), _OPENING_SECONDS)
        except (TimeoutError, asyncio.CancelledError) as error:
            opening.add_done_callback(_close_late)
            if isinstance(error, asyncio.CancelledError):
                raise
            raise NoConsole("unreachable", f"no console within {_OPENING_SECONDS} s") from error


def _close_late(opening: "asyncio.Future[ConsoleLine]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().socket.close()


async def _either(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
