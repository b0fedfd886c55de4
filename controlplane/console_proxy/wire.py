"""Carrying bytes between a websocket and a console, until one of many things ends it.

Nothing is kept here: a piece is read from one side only when the last one was taken by the other, so a slow browser
slows the console down and costs no memory.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from provisioners.contract import ConsoleKind

_PIECE = 64 * 1024

CODES: Mapping[str, int] = {
    "left": 1000,
    "error": 1011,
    "full": 1013,
    "ticket": 4401,
    "right": 4403,
    "none": 4404,
    "idle": 4408,
    "too_long": 4409,
    "gone": 4410,
    "refused": 4412,
    "unreachable": 4503,
}
"""Why a session ends, and the websocket's closing code for it. The word goes along as the closing reason."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may last, all in seconds. `look`: how often the visitor's right is looked at again."""

    idle: float
    longest: float
    look: float = 15
    first_word: float = 10


_INPUT = frozenset({4, 5, 6, 255})
"""First bytes of the RFB messages that a person causes: keys, pointer, clipboard, QEMU's keys. Viewers ask for updates
by themselves as long as something moves on the screen."""


@dataclass(slots=True)
class Crossing:
    """A browser, a console, and what has gone between them: bytes from and to the browser, and when (by the loop's
    clock) somebody last typed something."""

    browser: ServerConnection
    line: socket.socket
    kind: ConsoleKind
    limits: Limits
    may_stay: Callable[[], Awaitable[bool]]
    received: int = 0
    sent: int = 0
    typed: float = 0


async def carry(crossing: Crossing) -> str:
    """Carry bytes both ways and return the word for why it ended. The line stays open; the counts are kept up."""
    crossing.line.setblocking(False)
    crossing.typed = asyncio.get_running_loop().time()
    ways = [asyncio.create_task(way(crossing)) for way in (_to_machine, _to_browser, _watch)]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _to_machine(crossing: Crossing) -> str:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionClosed):
        async for message in crossing.browser:
            piece = message.encode() if isinstance(message, str) else message
            crossing.received += len(piece)
            if crossing.kind == "text" or (piece and piece[0] in _INPUT):
                crossing.typed = loop.time()
            try:
                await loop.sock_sendall(crossing.line, piece)
            except OSError:
                return "gone"
    return "left"


async def _to_browser(crossing: Crossing) -> str:
    loop = asyncio.get_running_loop()
    while True:
        try:
            piece = await loop.sock_recv(crossing.line, _PIECE)
        except OSError:
            return "gone"
        if not piece:
            return "gone"
        try:
            await crossing.browser.send(piece)
        except ConnectionClosed:
            return "left"
        crossing.sent += len(piece)


async def _watch(crossing: Crossing) -> str:
    loop, limits = asyncio.get_running_loop(), crossing.limits
    end, look = loop.time() + limits.longest, loop.time() + limits.look
    while True:
        idle = crossing.typed + limits.idle
        await asyncio.sleep(max(0.0, min(end, look, idle) - loop.time()))
        now = loop.time()
        if now >= end:
            return "too_long"
        if now >= crossing.typed + limits.idle:
            return "idle"
        if now >= look:
            if not await crossing.may_stay():
                return "right"
            look = loop.time() + limits.look
