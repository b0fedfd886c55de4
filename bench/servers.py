"""Servers for the time of a measurement: a PostgreSQL of our own, and gunicorn with the same workers for everybody."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from controlplane.embedded import embedded_server

WORKERS, THREADS = 2, 8
_PROJECT = Path(__file__).parent.parent


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder whose path leaves room for the name of a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="sb-", dir="/tmp"))
    # The embedded server runs as a user of its own where we are root.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Give the URL of an embedded server with its stock, durable configuration."""
    with embedded_server(folder) as url:
        yield url


def make_database(url: str, name: str) -> str:
    """Make a database beside that of `url` and return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def gunicorn(python: str, app: str, environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """Serve a WSGI app and give its port once all workers are up; both sides of a comparison come through here."""
    port = free_port()
    ready = log.with_suffix(".ready")
    ready.mkdir()
    command = (
        *(python, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", "--pythonpath", str(_PROJECT)),
        *("--config", str(_PROJECT / "bench" / "ready.py")),
        *("--worker-class", "web.lingering.LingeringWorker"),
        *("--workers", str(WORKERS), "--threads", str(THREADS), "--log-level", "warning", "--keep-alive", "30"),
    )
    with process(command, {**os.environ, **environment, "BENCH_READY": str(ready)}, log):
        until_ready(ready, log)
        yield port


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own for the time of the block."""
    with log.open("ab") as output:
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def until_ready(ready: Path, log: Path) -> None:
    """Wait until every worker has said that it is up: one that still loads takes a core from whoever is measured.

    `log` is what to show where they never are.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(list(ready.iterdir())) == WORKERS:
            return
        time.sleep(0.1)
    raise SystemExit(f"not all workers came up:\n{log.read_text()[-2000:]}")


def until_served(port: int, log: Path) -> None:
    """Wait until somebody listens on a port of the loopback; `log` is what to show where nobody ever does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise SystemExit(f"nobody answers on port {port}:\n{log.read_text()[-2000:]}")
