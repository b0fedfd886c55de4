"""Looking after real processes: waiting for what they say, and seeing what they leave behind."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
STEPPE = (sys.executable, "-m", "controlplane.cli")


def until(look: Callable[[], T | None], what: str, seconds: float = 180) -> T:
    """Return what `look` finds as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@contextmanager
def short_folder() -> Iterator[Path]:
    """Give a folder whose path leaves room for the name of a unix socket, as pytest's own do not."""
    folder = Path(tempfile.mkdtemp(prefix="st-", dir="/tmp"))
    # The embedded server runs as a user of its own where we are root.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for process in alive(folder):
            with_no_mercy(process)
        shutil.rmtree(folder, ignore_errors=True)


def environment(state: Path, **more: str) -> dict[str, str]:
    """Return the environment of a `steppe` whose state is kept in `state`."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("STEPPE_")}
    return {**plain, "STEPPE_STATE_DIR": str(state), "PYTHONUNBUFFERED": "1", **more}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def steppe(env: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        (*STEPPE, *words), env=env, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )


def alive(state: Path) -> list[int]:
    """Return every process that works on a state folder: it says so in its words or in its environment."""
    return [p for p in _processes() if str(state) in _read(p, "cmdline") or f"={state}" in _read(p, "environ")]


def postmaster(state: Path) -> int | None:
    """Return the embedded server's process if it runs."""
    file = state / "postgres" / "postmaster.pid"
    if not file.exists():
        return None
    words = file.read_text().split()
    return int(words[0]) if words and runs(int(words[0])) else None


def runs(process: int) -> bool:
    """Tell whether a process is there and is no zombie."""
    words = _read(process, "stat").rpartition(")")[2].split()
    return bool(words) and words[0] != "Z"


def with_no_mercy(process: int) -> None:
    try:
        os.kill(process, 9)
    except ProcessLookupError:
        return


def _processes() -> list[int]:
    found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [p for p in found if p != os.getpid() and runs(p)]


def _read(process: int, file: str) -> str:
    try:
        return (Path("/proc") / str(process) / file).read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
