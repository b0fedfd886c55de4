"""The embedded server belongs to all processes that use it: the first starts it, the last stops it.

Processes are killed and servers die; neither may leave a server that nobody stops, or one that nobody can use. So the
users here are real processes, and they are really killed.
"""

import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from controlplane.embedded import embedded_server, revive
from tests.cli.processes import ROOT, environment, postmaster, runs, short_folder, until, with_no_mercy

USER = """
import sys
from pathlib import Path
from controlplane.embedded import embedded_server
with embedded_server(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


class User:
    """A process that uses the embedded server until it is told to leave."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            (sys.executable, "-c", USER, str(state)),
            cwd=ROOT,
            env=environment(state),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        """Wait until the server is there and return its address."""
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], 180)[0], "the server did not come up"
        return self.process.stdout.readline().strip()

    def leave(self) -> int:
        self.process.communicate(timeout=180)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=180)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A state folder whose database is made once: making it is what takes time."""
    with short_folder() as made:
        yield made


@pytest.fixture
def state(folder: Path) -> Path:
    """The state folder, with no server running."""
    assert postmaster(folder) is None
    return folder


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True, connect_timeout=60) as connection:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None


def test_two_that_start_at_once_share_a_server_and_the_last_to_leave_stops_it(state: Path) -> None:
    first, second = User(state), User(state)
    assert first.url() == second.url() != ""
    server = postmaster(state)
    assert server
    assert first.leave() == 0
    assert runs(server), "somebody still uses it"
    with embedded_server(state) as url:
        assert ask(url, "SELECT 42") == 42
        assert postmaster(state) == server
    assert second.leave() == 0
    assert postmaster(state) is None
    assert not runs(server)


def test_one_that_was_killed_does_not_keep_the_server_running(state: Path) -> None:
    killed, other = User(state), User(state)
    assert killed.url() == other.url()
    server = postmaster(state)
    assert server
    killed.kill()
    assert runs(server)
    assert other.leave() == 0
    assert not runs(server)


def test_a_server_whose_only_user_was_killed_is_used_and_stopped_by_the_next(state: Path) -> None:
    killed = User(state)
    killed.url()
    server = postmaster(state)
    assert server
    killed.kill()
    assert runs(server)
    with embedded_server(state) as url:
        assert postmaster(state) == server
        assert ask(url, "SELECT 42") == 42
    assert not runs(server)


def test_a_server_that_was_killed_is_replaced_and_has_lost_nothing(state: Path) -> None:
    with embedded_server(state) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS SELECT 17 AS value")
        server = postmaster(state)
        assert server
        with_no_mercy(server)
        until(lambda: not runs(server), "the server to be dead")
    with embedded_server(state) as url:
        assert postmaster(state) != server
        assert ask(url, "SELECT value FROM kept") == 17
    assert postmaster(state) is None


def test_a_server_that_was_killed_is_started_again_for_those_who_use_it(state: Path) -> None:
    with embedded_server(state) as url:
        assert not revive(state), "it runs"
        server = postmaster(state)
        assert server
        with_no_mercy(server)
        until(lambda: not runs(server), "the server to be dead")
        assert revive(state)
        assert ask(url, "SELECT 42") == 42
        assert not revive(state)
    assert postmaster(state) is None


def test_a_server_that_replaced_a_killed_one_is_stopped_by_whoever_is_last(state: Path) -> None:
    early = User(state)
    early.url()
    server = postmaster(state)
    assert server
    with_no_mercy(server)
    until(lambda: not runs(server), "the server to be dead")
    with embedded_server(state) as url:
        assert ask(url, "SELECT 42") == 42
    replaced = postmaster(state)
    assert replaced, "the early one still uses it"
    assert early.leave() == 0
    until(lambda: not runs(replaced), "the server to be stopped")
