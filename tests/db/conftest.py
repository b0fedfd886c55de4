"""One database for all tests that commit nothing: making one costs more than most of those tests do."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from controlplane.db import Sessions, make_engine, make_sessions


@pytest.fixture(scope="session")
def shared_url(server: str, template: str) -> Iterator[str]:
    """URL of a migrated, empty database in which nobody may commit."""
    name = f"steppe_test_{uuid4().hex[:12]}"
    postgres, shared = (
        make_url(server).set(database=database).render_as_string(hide_password=False) for database in ("postgres", name)
    )
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield shared
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared(shared_url: str) -> Iterator[Sessions]:
    """Sessions on the shared database, as the application role; leave each by rolling it back."""
    engine = make_engine(shared_url)
    yield make_sessions(engine)
    engine.dispose()
