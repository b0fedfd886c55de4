"""Keeps child processes running and stops all of them together.

A child that ends by itself is started again, after a pause that grows while it keeps ending soon after its start.
Children die with their supervisor even where it is killed: nothing is left behind that holds a port or a hypervisor.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import structlog

_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_STEADY = 5.0
_LOOK = 0.5
_GRACE = 25.0
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM", "--")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running. What it says is appended to `log`, or goes where the supervisor's own output goes."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path | None = None


@dataclass(slots=True)
class Pace:
    """When a child was started, how long it is to wait if it ends soon, and when one that has ended is due."""

    started: float
    pause: float = _PAUSE
    due: float | None = None

    def wait(self, now: float) -> float:
        """Return how long a child that has just ended is to wait."""
        wait = _PAUSE if now - self.started >= _STEADY else self.pause
        self.pause = min(wait * 2, _LONGEST_PAUSE)
        return wait


class ChildFailed(Exception):
    """A child ended right after its start; its own words stand above."""


class Supervisor:
    """Starts its children on entry and stops them on exit; the first SIGINT or SIGTERM raises KeyboardInterrupt."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()

    def __enter__(self) -> "Supervisor":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        for child in self._children:
            self._start(child)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.terminate()
        for name, process in self._running.items():
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                log.warning("killed: it did not stop in time", child=name)
                process.kill()
                process.wait()

    def check(self) -> None:
        """Raise ChildFailed if a child has already ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ChildFailed(f"{name} ended with {process.returncode}")

    def watch(self, also: Callable[[], None] | None = None) -> None:
        """Start again whatever ends, until the KeyboardInterrupt that a signal raises. Each look calls `also`."""
        paces = {name: Pace(time.monotonic()) for name in self._running}
        while True:
            time.sleep(_LOOK)
            if also:
                also()
            for child in self._children:
                self._look(child, paces[child.name])

    def _look(self, child: Child, pace: Pace) -> None:
        code = self._running[child.name].poll()
        if code is None:
            return
        now = time.monotonic()
        if pace.due is None:
            pace.due = now + pace.wait(now)
            log.warning("ended; starting it again", child=child.name, code=code, after=pace.due - now)
        if now >= pace.due:
            self._start(child)
            pace.started, pace.due = now, None

    def _start(self, child: Child) -> None:
        # A session of its own: Ctrl-C at the terminal reaches the supervisor alone, which stops the rest in order.
        command = (*_DIE_WITH_PARENT, *child.command)
        with ExitStack() as stack:
            output = stack.enter_context(child.log.open("ab")) if child.log else None
            self._running[child.name] = subprocess.Popen(  # noqa: S603 - our own commands
                command, env=child.environment, start_new_session=True, stdout=output, stderr=output
            )

    def _on_signal(self, _number: int, _frame: object) -> None:
        if not self._stop.is_set():
            self._stop.set()
            # What runs in the main thread besides `watch` (a load, a wait) must end too.
            raise KeyboardInterrupt
