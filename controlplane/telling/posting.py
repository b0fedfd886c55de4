"""One POST to a webhook: to the address that was judged, by no redirect, for a limited time, reading little."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from controlplane.telling.targets import Target

SECONDS, LONGEST_SECONDS = 10.0, 20.0
"""The longest wait for any one step, and for all of them."""
_MOST_READ, _MOST_KEPT = 4096, 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook answered: its status, and the beginning of its body as text."""

    status: int
    text: str

    @property
    def good(self) -> bool:
        """Tell whether it took what it was sent."""
        return 200 <= self.status < 300


class Unanswered(Exception):
    """It was not reached, or did not answer in time."""


def post(to: Target, body: bytes, headers: Mapping[str, str], context: ssl.SSLContext) -> Answer:
    """Send `body`; return what was answered, whatever it is. Raises Unanswered.

    Of several addresses the next is tried only where the one before could not be connected to.
    """
    reason = "no address"
    for address in to.addresses:
        connection = _connection(to, address, context)
        try:
            with _for_a_time(connection):
                connection.connect()
                return _exchanged(connection, to, body, headers)
        except (ConnectTimeoutError, NewConnectionError) as error:
            reason = _said(error)
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            raise Unanswered(_said(error)) from error
        finally:
            connection.close()
    raise Unanswered(reason)


def _connection(to: Target, address: str, context: ssl.SSLContext) -> HTTPConnection:
    """Return a connection to an address, on which certificate and name are still those of the host."""
    if to.secure:
        return HTTPSConnection(address, to.port, timeout=SECONDS, ssl_context=context, server_hostname=to.host)
    return HTTPConnection(address, to.port, timeout=SECONDS)


def _exchanged(connection: HTTPConnection, to: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
    usual = to.port == (443 if to.secure else 80)
    host = f"[{to.host}]" if ":" in to.host else to.host
    named = {"Host": host if usual else f"{host}:{to.port}", "User-Agent": "Steppe", **headers}
    connection.request("POST", to.path, body, named, preload_content=False, decode_content=False)
    response = connection.getresponse()
    text = response.read(_MOST_READ, decode_content=False).decode("utf-8", "replace")
    kept = "".join(letter if letter.isprintable() else " " for letter in text)[:_MOST_KEPT]
    return Answer(response.status, kept.strip())


@contextmanager
def _for_a_time(connection: HTTPConnection) -> Iterator[None]:
    """Cut a connection off after LONGEST_SECONDS: who sends one byte now and then would hold it forever. Raises
    TimeoutError then, whatever came so far: headers that break off would pass for an answer."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        if connection.sock is not None:
            with suppress(OSError):
                # Not the TLS socket's own way, which takes apart what another thread is reading from.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = threading.Timer(LONGEST_SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if over.is_set():
        raise TimeoutError


def _said(error: Exception) -> str:
    if isinstance(error, ConnectTimeoutError | TimeoutError):
        return f"no answer within {SECONDS:.0f} seconds"
    return f"{type(error).__name__}: {error}"[:_MOST_KEPT]
