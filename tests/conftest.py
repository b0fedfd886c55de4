"""A database for each test process, made from a migrated template, and emptied by dropping it at the end.

`STEPPE_DATABASE_URL` names a server to make them on; without it the embedded one is used. Tests may commit: each gets
a database of its own, copied from the template in some tens of milliseconds.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import structlog
from sqlalchemy import make_url

from controlplane import schema
from controlplane.bootstrap import Installation
from controlplane.db import Sessions, make_sessions
from controlplane.embedded import embedded_server
from controlplane.settings import Settings
from tests.callers import Callers
from tests.moving import engine_on


def _in(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _forget_on_power_loss(url: str) -> None:
    """Spare the disk: a database that lives for one test needs to outlive no power cut."""
    with psycopg.connect(_in(url, "postgres"), autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have what a command sets up of logging end with the test that ran it: loggers would keep it for good."""
    configure = structlog.configure
    monkeypatch.setattr(structlog, "configure", lambda **how: configure(**{**how, "cache_logger_on_first_use": False}))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a PostgreSQL server on which databases can be made."""
    with ExitStack() as stack:
        url = os.environ.get("STEPPE_DATABASE_URL")
        if not url:
            state = Path(tempfile.gettempdir()) / f"steppe-tests-{os.getuid()}"
            url = stack.enter_context(embedded_server(state))
            _forget_on_power_loss(url)
        yield url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Name of a migrated, empty database."""
    name = f"steppe_template_{uuid4().hex[:12]}"
    with psycopg.connect(_in(server, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        schema.upgrade(_in(server, name))
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def url(server: str, template: str) -> Iterator[str]:
    """URL of a database of the test's own."""
    name = f"steppe_test_{uuid4().hex[:12]}"
    with psycopg.connect(_in(server, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield _in(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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
def http(installation: Installation) -> Iterator[Callers]:
    """HTTP clients of the few people that tests speak of, on a small centre."""
    callers = Callers(installation)
    yield callers
    callers.close()
