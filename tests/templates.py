"""Databases that tests begin with: each is made once a process, and copied for every test in tens of milliseconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import uuid4

import psycopg
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from controlplane import schema
from controlplane.db import make_sessions, transaction
from tests.moving import engine_on

Made = TypeVar("Made")
Furnished = TypeVar("Furnished")


@dataclass(frozen=True)
class Template(Generic[Made]):
    """A database on a server that nobody is connected to, and what making its contents gave."""

    server: str
    name: str
    made: Made

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Give the URL of a copy."""
        with _database(self.server, "test", f"TEMPLATE {self.name} STRATEGY file_copy") as name:
            yield at(self.server, name)

    @contextmanager
    def furnished(self, furnish: Callable[[Session], Furnished]) -> "Iterator[Template[Furnished]]":
        """Give a copy with what `furnish` puts into it as a template of its own."""
        with self.copy() as url:
            with engine_on(url) as engine, transaction(make_sessions(engine)) as session:
                made = furnish(session)
            yield Template(self.server, str(make_url(url).database), made)


@contextmanager
def migrated(server: str) -> Iterator[Template[None]]:
    """Give the template that has the schema and nothing in it."""
    with _database(server, "template") as name:
        schema.upgrade(at(server, name))
        yield Template(server, name, None)


def at(url: str, database: str) -> str:
    """Return the URL of another database of a server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@contextmanager
def _database(server: str, what: str, how: str = "") -> Iterator[str]:
    name = f"steppe_{what}_{uuid4().hex[:12]}"
    with psycopg.connect(at(server, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {how}")
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
