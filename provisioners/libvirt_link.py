"""The connection to one libvirt, and what its errors mean.

A hypervisor goes away and comes back. Whoever wants to talk to it asks here each time and gets the open connection or a
new one; every libvirt error that leaves the block becomes one of the contract's three, by the tables below.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock, Thread

import libvirt

from provisioners.contract import Missing, Rejected, Unreachable

# Twenty seconds without an answer to a keepalive: the peer is gone and calls that wait for it fail.
_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT = 5, 4
# There are no keepalives before a connection is open: a peer that says nothing then is waited for so long, and one
# that has said nothing for ten minutes is asked anew.
_OPEN_SECONDS, _GIVE_UP_SECONDS = 20.0, 600.0

_LOST_DOMAINS = frozenset({libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE})
_LOST = frozenset(
    {
        libvirt.VIR_ERR_NO_CONNECT,
        libvirt.VIR_ERR_INVALID_CONN,
        libvirt.VIR_ERR_RPC,
        libvirt.VIR_ERR_AUTH_FAILED,
        libvirt.VIR_ERR_AUTH_CANCELLED,
        libvirt.VIR_ERR_AUTH_UNAVAILABLE,
        libvirt.VIR_ERR_GNUTLS_ERROR,
    }
)
_LATER = frozenset({libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_RESOURCE_BUSY, libvirt.VIR_ERR_NO_MEMORY})
_MISSING = frozenset({libvirt.VIR_ERR_NO_DOMAIN})
_REJECTED: Mapping[int, str] = {
    libvirt.VIR_ERR_NO_STORAGE_POOL: "libvirt.no_storage_pool",
    libvirt.VIR_ERR_NO_STORAGE_VOL: "libvirt.no_volume",
    libvirt.VIR_ERR_NO_NETWORK: "libvirt.no_network",
    libvirt.VIR_ERR_XML_ERROR: "libvirt.bad_definition",
    libvirt.VIR_ERR_XML_DETAIL: "libvirt.bad_definition",
    libvirt.VIR_ERR_XML_INVALID_SCHEMA: "libvirt.bad_definition",
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: "libvirt.unsupported",
    libvirt.VIR_ERR_NO_SUPPORT: "libvirt.unsupported",
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED: "libvirt.unsupported",
    libvirt.VIR_ERR_OPERATION_INVALID: "libvirt.wrong_state",
    libvirt.VIR_ERR_OPERATION_DENIED: "libvirt.denied",
    libvirt.VIR_ERR_ACCESS_DENIED: "libvirt.denied",
}


def translate(error: libvirt.libvirtError) -> Exception:
    """Return the contract's error for one of libvirt's. What no table knows was understood and refused."""
    code, text = error.get_error_code(), error.get_error_message() or str(error)
    if is_lost(error) or code in _LATER:
        return Unreachable(text)
    if code in _MISSING:
        return Missing(text)
    return Rejected(_REJECTED.get(code, "libvirt.refused"), text)


def is_lost(error: libvirt.libvirtError) -> bool:
    """Return whether an error is about the connection, not about the order."""
    return error.get_error_code() in _LOST or error.get_error_domain() in _LOST_DOMAINS


class Link:
    """One connection, opened when first needed and again after it was lost. Safe to use from several threads."""

    def __init__(self, address: Callable[[], str], open_seconds: float = _OPEN_SECONDS) -> None:
        """`address` returns the URI to open; it is asked at each opening and may raise Unreachable or Rejected."""
        self._address = address
        self._open_seconds = open_seconds
        self._opening: _Opening | None = None
        self._lock = Lock()
        self._connection: libvirt.virConnect | None = None

    @contextmanager
    def calls(self) -> Iterator[libvirt.virConnect]:
        """Give the connection to a block of libvirt calls. Raises Unreachable, Rejected or Missing for its errors."""
        connection = None
        try:
            connection = self._current()
            yield connection
        except libvirt.libvirtError as error:
            if connection is not None and is_lost(error):
                self._drop(connection)
            raise translate(error) from error

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(libvirt.libvirtError):
                connection.close()

    def _current(self) -> libvirt.virConnect:
        with self._lock:
            if self._connection is None or not self._connection.isAlive():
                self._connection = self._opened()
            return self._connection

    def _opened(self) -> libvirt.virConnect:
        """Return a new connection: that of an opening that is still under way, if there is one."""
        if self._opening is None or self._opening.is_given_up():
            self._opening = _Opening(self._address())
        try:
            connection = self._opening.answer.result(self._open_seconds)
        except TimeoutError:
            raise Unreachable("libvirt takes the connection and says nothing") from None
        finally:
            if self._opening.answer.done():
                self._opening = None
        return connection

    def _drop(self, connection: libvirt.virConnect) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None
        with suppress(libvirt.libvirtError):
            connection.close()


class _Opening:
    """The opening of a connection, in a thread of its own: libvirt waits for an answer without end."""

    def __init__(self, uri: str) -> None:
        self.answer: Future[libvirt.virConnect] = Future()
        self._began = time.monotonic()
        Thread(target=self._open, args=(uri,), name="libvirt-open", daemon=True).start()

    def is_given_up(self) -> bool:
        return time.monotonic() - self._began > _GIVE_UP_SECONDS

    def _open(self, uri: str) -> None:
        try:
            self.answer.set_result(_open(uri))
        except BaseException as error:
            self.answer.set_exception(error)


def _open(uri: str) -> libvirt.virConnect:
    _run_events()
    connection = libvirt.open(uri)
    try:
        connection.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
    return connection


@cache
def _run_events() -> None:
    """Keepalives need libvirt's event loop, and it must be there before the first connection is.

    libvirt prints every error unless it is told not to; ours all arrive as exceptions.
    """
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    Thread(target=_turn, name="libvirt-events", daemon=True).start()


def _turn() -> None:
    while True:
        with suppress(libvirt.libvirtError):
            libvirt.virEventRunDefaultImpl()
