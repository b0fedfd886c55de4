"""Starting and stopping the lab's daemons, by anybody in its namespace.

Processes are known by files of their ids in the lab's folder, so a test can stop what the lab has started.
"""

import os
import select
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tests.labs.openstack_answers import heard_of
from tests.labs.openstack_daemons import DAEMONS
from tests.labs.waiting import until

START_SECONDS = 240.0
STOP_SECONDS = 30.0
# Debian's programs are to meet Debian's libraries, whatever virtual environment the lab runs in.
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "PYTHONUNBUFFERED": "1",
}


class Ended(Exception):
    """A daemon ended while it was to come up."""


class Processes:
    """The daemons of the lab in `folder`, by their names in the table of daemons."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def log(self, name: str) -> Path:
        """Return the file with what a daemon has printed; some write a log of their own beside it."""
        return self._folder / "log" / f"{name}.out"

    def start(self, name: str, seconds: float = START_SECONDS) -> None:
        """Start a daemon and wait until it works. Raises TookTooLong, or Ended with the last that it said."""
        began = datetime.now(UTC)
        self.launch(name)
        self.answering(name, seconds)
        heard = DAEMONS[name].heard
        if heard:
            until(f"{name} was heard of", lambda: heard_of(heard, began), seconds, every=0.5)

    def launch(self, name: str) -> None:
        """Start a daemon without waiting. One that runs is left as it is."""
        if self.runs(name):
            return
        daemon = DAEMONS[name]
        environment = {key: self._filled(value) for key, value in daemon.environment.items()}
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                [self._filled(word) for word in daemon.words],
                env=_ENVIRONMENT | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._note(name).write_text(str(process.pid))

    def answering(self, name: str, seconds: float = START_SECONDS) -> None:
        """Wait until a daemon answers."""

        def answers() -> bool:
            if not self.runs(name):
                said = self.log(name).read_text(errors="replace")[-2000:]
                raise Ended(f"{name} ended; the last that it said: {said}")
            return DAEMONS[name].answers()

        until(f"{name} answers", answers, seconds)

    def stop(self, name: str) -> None:
        """Ask a daemon to end, and kill what has not ended in time."""
        if not self._end(name, signal.SIGTERM, STOP_SECONDS):
            self.kill(name)

    def kill(self, name: str) -> None:
        """End a daemon and its children without a word to anybody."""
        if not self._end(name, signal.SIGKILL, STOP_SECONDS):
            raise Ended(f"{name} cannot be killed")

    def runs(self, name: str) -> bool:
        """Whether a daemon was started and has not ended."""
        pid = self._pid(name)
        return bool(pid) and not _over(pid, 0)

    def running(self) -> list[str]:
        """Names of the daemons that run."""
        return [name for name in DAEMONS if self.runs(name)]

    def _end(self, name: str, how: signal.Signals, seconds: float) -> bool:
        pid = self._pid(name)
        if not pid:
            return True
        with suppress(ProcessLookupError):
            os.killpg(pid, how)
        over = _over(pid, seconds)
        if over:
            # Children that outlive their parent would hold its port.
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        return over

    def _pid(self, name: str) -> int:
        if name not in DAEMONS:
            raise KeyError(f"no daemon is called {name}; there are {', '.join(DAEMONS)}")
        note = self._note(name)
        return int(note.read_text()) if note.exists() else 0

    def _note(self, name: str) -> Path:
        return self._folder / "run" / f"{name}.pid"

    def _filled(self, word: str) -> str:
        return word.replace("{folder}", str(self._folder))


def _over(pid: int, seconds: float) -> bool:
    """Wait up to `seconds` for a process to end, buried or not."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)
