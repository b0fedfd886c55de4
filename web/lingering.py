"""gunicorn's threaded worker, whose threads look out for a moment for the next request of whom they just served.

A program that asks again at once, as most do, is then answered by the thread that it already has. Otherwise each of its
requests goes from that thread to the main thread, into the poll, out of it and to another thread, which costs as much
as a small request itself. Knows nothing of Steppe: it serves any WSGI application.
"""

from select import POLLIN, poll
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


def _asks_again(conn: TConn) -> bool:
    if conn.parser.unreader.buf.getvalue():
        return True
    looking = poll()
    looking.register(conn.sock, POLLIN)
    return bool(looking.poll(LOOK_OUT_MS))
