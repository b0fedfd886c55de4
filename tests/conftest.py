"""What every test has: a database of its own, on which it may commit, and what works on one.

`STEPPE_DATABASE_URL` names a server to make databases on; without it the embedded one is used. A fixture that wants to
find something in the database says so by a fixture `start_…` of the session: the template that the copy is made from.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from sqlalchemy.orm import Session

from controlplane import passwords
from controlplane.bootstrap import Installation
from controlplane.db import Sessions, make_sessions
from controlplane.embedded import embedded_server
from controlplane.settings import Settings
from tests.callers import Callers, Known, known
from tests.moving import engine_on
from tests.templates import Template, at, migrated
from tests.vpn_accounts.scene import furnish

_ROOM = 2 * 1024**3


def _folder() -> Path:
    """Return where the server's files are: in memory where there is room, as most of its work is to copy databases."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    return (memory if roomy else Path(tempfile.gettempdir())) / f"steppe-tests-{os.getuid()}"


def _for_short_lives(url: str) -> None:
    """Leave out what a database that lives for one test never gets anything of: safety, tidying up, compiled plans."""
    with psycopg.connect(at(url, "postgres"), autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have what a command sets up of logging end with the test that ran it: loggers would keep it for good."""
    configure = structlog.configure
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**{**how, "cache_logger_on_first_use": False}))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def hasher() -> Iterator[PasswordHasher]:
    """Have passwords cost next to nothing, as hardly a test is about what they cost; give what hashes in production."""
    with pytest.MonkeyPatch.context() as patch:
        real = passwords._hasher
        patch.setattr(passwords, "_hasher", PasswordHasher.from_parameters(CHEAPEST))
        yield real


@pytest.fixture
def real_passwords(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have passwords cost what they do in production."""
    monkeypatch.setattr(passwords, "_hasher", hasher)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a PostgreSQL server on which databases can be made."""
    with ExitStack() as stack:
        url = os.environ.get("STEPPE_DATABASE_URL")
        if not url:
            url = stack.enter_context(embedded_server(_folder()))
            _for_short_lives(url)
        yield url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[Template[None]]:
    """A migrated, empty database."""
    with migrated(server) as made:
        yield made


@pytest.fixture(scope="session")
def start_callers(template: Template[None]) -> Iterator[Template[Known]]:
    """A small centre and the tokens of the callers."""
    with template.furnished(known) as made:
        yield made


@pytest.fixture(scope="session")
def start_vpn_callers(template: Template[None]) -> Iterator[Template[Known]]:
    """The small centre with a VPN gateway, and the tokens of the callers."""

    def furnished(session: Session) -> Known:
        made = known(session)
        furnish(session)
        return made

    with template.furnished(furnished) as made:
        yield made


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database of the test's own: a copy of whichever `start_…` its fixtures want, or of the empty one."""
    starts = [name for name in request.fixturenames if name.startswith("start_")]
    [start] = starts or ["template"]
    template: Template[Any] = request.getfixturevalue(start)
    with template.copy() as made:
        yield made


@pytest.fixture
def sessions(url: str) -> Iterator[Sessions]:
    """Sessions on a database of the test's own, as the application role."""
    with engine_on(url) as engine:
        yield make_sessions(engine)


@pytest.fixture
def installation(url: str, sessions: Sessions, tmp_path: Path) -> Installation:
    """An installation on the test's own database, with a state folder of its own."""
    engine = sessions.kw["bind"]
    return Installation(Settings(database_url=url, state_dir=tmp_path), url, engine, sessions)


@pytest.fixture
def http(installation: Installation, start_callers: Template[Known]) -> Iterator[Callers]:
    """HTTP clients of the few people that tests speak of, on a small centre."""
    callers = Callers(installation, start_callers.made)
    yield callers
    callers.close()


@pytest.fixture
def vpn_http(installation: Installation, start_vpn_callers: Template[Known]) -> Iterator[Callers]:
    """The same on a small centre with a VPN gateway."""
    callers = Callers(installation, start_vpn_callers.made)
    yield callers
    callers.close()
