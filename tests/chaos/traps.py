"""Where a process of Steppe stands still so that it, or another, can be killed exactly there.

The process under test says at each point of its work where it is and waits to be told to go on. The harness tells it so
at once, but for the one point that a trap was set for: there it stands until it is killed or let go.
"""

import json
import os
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

SOCKET = "CHAOS_SOCKET"


@dataclass(frozen=True)
class Point:
    """A step (`create`, `save`, `request` ...) and how far it is. `of` is whose: a resource's id or a request's."""

    step: str
    phase: str
    of: str


@dataclass(frozen=True)
class Caught:
    """A process that stands at a point."""

    pid: int
    point: Point


def reach(point: Point) -> None:
    """Say that this process is at `point` and return when it may go on. Without a harness it always may."""
    path = os.environ.get(SOCKET)
    if not path:
        return
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.connect(path)
        line.sendall(json.dumps([os.getpid(), point.step, point.phase, point.of]).encode() + b"\n")
        line.recv(1)


class Traps:
    """The harness's end. One trap at a time."""

    def __init__(self, path: Path) -> None:
        self._wanted: Point | None = None
        self._caught: Caught | None = None
        self._changed = threading.Condition()
        self._go = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Traps":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self._server.close()
        self.release()

    def set(self, point: Point) -> None:
        """Catch the next process that comes to `point`; an empty `of` is anybody's."""
        with self._changed:
            self._go = threading.Event()
            self._wanted, self._caught = point, None

    def wait(self, seconds: float = 180) -> Caught:
        """Return who was caught."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._caught, seconds), f"nobody came to {self._wanted}"
            assert self._caught
            return self._caught

    def release(self) -> None:
        """Let whoever stands in the trap go on, and catch nobody any more."""
        with self._changed:
            self._wanted = None
            self._go.set()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            pid, *where = json.loads(line.makefile().readline() or "[0, 0, 0, 0]")
            go = self._catch(Caught(pid, Point(*where)))
            if go:
                go.wait()
            line.sendall(b"g")

    def _catch(self, who: Caught) -> threading.Event | None:
        with self._changed:
            wanted = self._wanted
            if wanted is None or (who.point.step, who.point.phase) != (wanted.step, wanted.phase):
                return None
            if wanted.of and wanted.of != who.point.of:
                return None
            self._wanted, self._caught = None, who
            self._changed.notify_all()
            return self._go
