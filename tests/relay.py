"""A gate on the way to a server: what goes through it can be cut off and let through again.

It relays between a TCP port of its own and the server's address, so that a test can take a database away from one
installation without harming the server that all tests share.
"""

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType

from sqlalchemy import make_url

_BLOCK = 65536


class Relay:
    """`url` leads through the gate to the database that it was made for. It is open at first."""

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        host = self._target.query.get("host", self._target.host)
        self._host, self._port = str(host), self._target.port or 5432
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._server: socket.socket | None = None
        self._listen = ("127.0.0.1", 0)
        self.open()
        self._listen = ("127.0.0.1", self._bound.getsockname()[1])
        plain = self._target.set(host=self._listen[0], port=self._listen[1], query={})
        self.url = plain.render_as_string(hide_password=False)

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.close()

    @property
    def _bound(self) -> socket.socket:
        assert self._server
        return self._server

    def open(self) -> None:
        """Let everybody through."""
        self._server = socket.create_server(self._listen)
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def close(self) -> None:
        """Refuse what is new and cut off what is there."""
        with self._lock:
            server, self._server = self._server, None
            if server:
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                server.close()
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._ends.clear()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = self._connect()
            with self._lock:
                if self._server is not server:
                    near.close()
                    far.close()
                    return
                self._ends |= {near, far}
            threading.Thread(target=_relay, args=(near, far), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return far


def _relay(near: socket.socket, far: socket.socket) -> None:
    with near, far, suppress(OSError):
        while True:
            for end in select.select([near, far], [], [])[0]:
                data = end.recv(_BLOCK)
                if not data:
                    return
                (far if end is near else near).sendall(data)
