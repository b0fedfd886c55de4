"""Wires an installation together from its settings: database, sessions, drivers, log. Nothing else does."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from sqlalchemy import Engine
from structlog.typing import Processor

from controlplane import pool_secrets, schema
from controlplane.db import Sessions, make_engine, make_sessions
from controlplane.embedded import EmbeddedServerFailed, embedded_server, revive
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.gate import Limits
from controlplane.secrets import keys
from controlplane.settings import Settings
from provisioners import registry
from provisioners.contract import Driver, Unreachable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    """One process's view of an installation: where its database is, and the means to work on it."""

    settings: Settings
    url: str
    engine: Engine
    sessions: Sessions

    def drivers(self, limits: Limits | None = None) -> Drivers:
        """Return a fresh set of drivers, each behind a gate where there are limits; only workers and the console
        proxy need one."""
        return Drivers(self.connect, limits)

    def connect(self, driver: str, connection: dict[str, Any]) -> Driver:
        """Return the driver of a pool, its secrets opened. Raises Rejected, Unreachable."""
        if pool_secrets.SECRET & connection.keys():
            try:
                connection = pool_secrets.opened(keys(self.settings), connection)
            except pool_secrets.CannotOpen as error:
                raise Unreachable(f"the pool's secret: {error}") from error
        return registry.connect(driver, connection, self.settings.state_dir / "nodes")


@contextmanager
def installation(settings: Settings, *, migrate: bool = False, pool_size: int = 5) -> Iterator[Installation]:
    """Give the installation that `settings` describe; the embedded server runs at least as long as the block.

    With `migrate` the schema is brought up to date first.
    """
    with database(settings) as url:
        if migrate:
            schema.upgrade(url)
        engine = make_engine(url, pool_size=pool_size)
        try:
            yield Installation(settings, url, engine, make_sessions(engine))
        finally:
            engine.dispose()


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Give the URL of the database: the one that is set, or the embedded server's."""
    if settings.database_url:
        yield settings.database_url
    else:
        with embedded_server(settings.state_dir) as url:
            yield url


def keeper(settings: Settings) -> Callable[[], None]:
    """Return what starts the embedded server again where it was killed; with a database of one's own, it does nothing.

    For those who are inside `database`; to be called again and again.
    """

    def keep() -> None:
        try:
            if revive(settings.state_dir):
                log.warning("the embedded database had ended; it runs again")
        except EmbeddedServerFailed as error:
            log.warning("the embedded database does not start; trying again", reason=str(error))

    return keep if settings.database_url is None else lambda: None


def _one_line(event: Any, default: Callable[[Any], Any]) -> bytes:
    try:
        return orjson.dumps(event, default=default)
    except TypeError:
        # Half a character, out of a file's name or somebody else's error, is no JSON; the line is worth more than it.
        return json.dumps(event, default=default).encode()


def configure_logging(settings: Settings) -> None:
    """Send structured log lines to standard error."""
    renderer: Processor
    factory: Callable[..., Any]
    if settings.log_format == "json":
        # The line and its end in one write: print makes two.
        renderer = structlog.processors.JSONRenderer(serializer=_one_line)
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        # Not the rich tracebacks: they show the values of variables, and some are secrets.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        factory = structlog.PrintLoggerFactory(sys.stderr)
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr)
