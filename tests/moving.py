"""Engines and applications that are made once a process and moved on from the database of one test to the next one's.

Making them costs more than most tests do: an engine compiles every statement anew, an application some five hundred
routes and its templates. Whoever takes one has it alone until it is given back, and no connection outlives that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from flask_openapi3 import OpenAPI
from sqlalchemy import URL, Engine, event, make_url

from controlplane.bootstrap import Installation
from controlplane.db import APP_ROLE, CENTRE_ROLE, make_engine, make_sessions
from web.app import configure, create_app

Thing = TypeVar("Thing")


class _Moving:
    """An engine on one server that connects to whichever `database` is said."""

    database: str | None

    def __init__(self, url: URL, role: str) -> None:
        self.engine = make_engine(url.render_as_string(hide_password=False), role=role, pool_size=20)
        event.listen(self.engine, "do_connect", self._connect)

    def _connect(self, _dialect: object, _record: object, _args: object, params: dict[str, Any]) -> None:
        params["dbname"] = self.database


_engines: dict[tuple[URL, str], list[_Moving]] = defaultdict(list)
_apps: dict[URL, list[tuple[OpenAPI, _Moving]]] = defaultdict(list)


def _server(there: URL) -> URL:
    return there.set(database="")


@contextmanager
def _taken(idle: list[Thing], make: Callable[[], Thing]) -> Iterator[Thing]:
    thing = idle.pop() if idle else make()
    yield thing
    idle.append(thing)


@contextmanager
def engine_on(url: str, role: str = CENTRE_ROLE) -> Iterator[Engine]:
    """Give an engine on a database, with room for many connections."""
    there = make_url(url)
    with _taken(_engines[_server(there), role], lambda: _Moving(there, role)) as moving:
        moving.database = there.database
        yield moving.engine
        moving.engine.dispose()


@contextmanager
def app_of(installation: Installation) -> Iterator[tuple[OpenAPI, Engine]]:
    """Give the application of an installation and its engine: as on a web server, it sees no tenant's rows unbound."""
    there = make_url(installation.url)

    def make() -> tuple[OpenAPI, _Moving]:
        moving = _Moving(there, APP_ROLE)
        own = replace(installation, engine=moving.engine, sessions=make_sessions(moving.engine))
        return create_app(own), moving

    with _taken(_apps[_server(there)], make) as (app, moving):
        moving.database = there.database
        configure(app, installation.settings)
        app.testing = True
        yield app, moving.engine
        moving.engine.dispose()
