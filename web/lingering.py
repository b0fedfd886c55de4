"""gunicorn's threaded worker, whose threads look out for a moment for the next request of whom they just served.

A program that asks again at once, as most do, is then answered by the thread that it already has. Otherwise each of its
requests goes from that thread to the main thread, into the poll, out of it and to another thread, which costs as much
as a small request itself. Head and body of an answer go out in one packet, so that whoever waits wakes up once. Knows
nothing of Steppe: it serves any WSGI application.
"""

from contextlib import suppress
from select import POLLIN, poll
from socket import AF_UNIX, IPPROTO_TCP, TCP_CORK
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

LOOK_OUT_MS = 3


class LingeringWorker(ThreadWorker):  # type: ignore[misc]
    """For `gunicorn --worker-class web.lingering.LingeringWorker`."""

    def handle(self, conn: TConn) -> Any:
        """Serve the requests of a connection while they follow one on the other and nobody waits for a thread."""
        kept = super().handle(conn)
        while kept is True and self.alive and self.tpool._work_queue.empty() and _asks_again(conn):
            kept = super().handle(conn)
        return kept

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer one request; what gunicorn sends in pieces leaves together."""
        _cork(conn, 1)
        try:
            return super().handle_request(req, conn)
        finally:
            _cork(conn, 0)


def _cork(conn: TConn, on: int) -> None:
    if conn.sock.family != AF_UNIX:
        # Whoever asked may be gone, and the socket with him.
        with suppress(OSError):
            conn.sock.setsockopt(IPPROTO_TCP, TCP_CORK, on)


def _asks_again(conn: TConn) -> bool:
    if conn.parser.unreader.buf.getvalue():
        return True
    looking = poll()
    looking.register(conn.sock, POLLIN)
    return bool(looking.poll(LOOK_OUT_MS))
