"""The database as everything else sees it: tables' common ground, engines, and the one transaction."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from select import POLLIN, poll
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import DateTime, Dialect, Engine, MetaData, Text, create_engine, event, func, make_url
from sqlalchemy import exc as sql_errors
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from uuid_utils.compat import uuid7

from quotas import wire
from quotas.tables import NAMING

APP_ROLE = "steppe_app"
"""The PostgreSQL role that serves tenants: it sees what `binding` says, and unbound no tenant's rows at all."""
CENTRE_ROLE = "steppe_centre"
"""The role of what serves the whole centre, such as the worker. Neither owns a table, so neither can alter one, drop a
guard or switch off what keeps tenants apart."""

_PLANNING = "-c random_page_cost=1.1"
"""What is read often is in memory, the rest on flash: the default, of disks that turn, has a page of a list read whole
tables that an index takes a few pages of."""
_TRUSTED_SECONDS = 30.0

Sessions = sessionmaker[Session]

CONNECT_SECONDS = 5
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ReadOnlySqlTransaction,
    sql_errors.OperationalError,
    sql_errors.InterfaceError,
    sql_errors.TimeoutError,
)


_SHUTTING_DOWN = "57P"
"""How such an SQLSTATE begins."""


def new_id() -> UUID:
    """Return a UUIDv7: ids sort by the time they were made."""
    return uuid7()


class Base(DeclarativeBase):
    """Base of all records."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[dict[str, Any]]: JSONB,
    }


class Recorded:
    """Columns of every record: its id, when it was made, and a version that each update raises."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    version: Mapped[int] = mapped_column(default=1)


def driver_url(url: str) -> str:
    """Return `url` with the psycopg 3 driver named, as SQLAlchemy wants it."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def make_engine(url: str, *, role: str | None = CENTRE_ROLE, pool_size: int = 5) -> Engine:
    """Return an engine on `url` whose connections work as `role`; migrations alone as the owner, which is None."""
    options: dict[str, Any] = {"options": f"-c role={role} {_PLANNING}"} if role else {}
    engine = create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        # The server's process that served last has what it needs at hand.
        pool_use_lifo=True,
        json_deserializer=orjson.loads,
        connect_args={"connect_timeout": CONNECT_SECONDS, **options},
    )
    event.listen(engine, "checkout", partial(_refuse_dead, engine.dialect))
    return engine


def _refuse_dead(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool open another connection where the server has ended this one.

    Asking the server each time would cost every request a round trip. An idle connection has nothing to say: only where
    something has come, or after a time in which a network may have lost it, is it asked.
    """
    now = time.monotonic()
    idle = now - record.info.get("used", now)
    record.info["used"] = now
    try:
        asked = poll()
        asked.register(connection, POLLIN)
        if asked.poll(0) or idle > _TRUSTED_SECONDS:
            dialect.do_ping(connection)
    except psycopg.Error as error:
        raise sql_errors.DisconnectionError from error


def make_sessions(engine: Engine) -> Sessions:
    """Return a factory of sessions that keep loaded values after their commit."""
    return sessionmaker(engine, expire_on_commit=False)


def hurried(session: Session) -> Session:
    """Return a session that waits for answers only where they are needed; what it wrote may be refused as late as by
    its commit. For who commits before anybody is told."""
    wire.unwaited(session)
    return session


@contextmanager
def transaction(sessions: Sessions) -> Iterator[Session]:
    """Give a session; commit it at the end of the block, roll it back on any exception."""
    with sessions() as session, session.begin():
        yield session


def is_away(error: BaseException | None) -> bool:
    """Tell whether `error` comes of a database that went away, is starting, or is a standby just now.

    What was under way may be done again once it is back; whether a commit still got through, nobody knows.
    """
    while error is not None:
        if isinstance(error, _AWAY):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_lost(error: BaseException | None) -> bool:
    """Tell whether `error` is that nobody answers at the database or that it shuts down: not what it refuses while it
    works, such as a deadlock, which for `is_away` is worth another try as well."""
    while error is not None:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return error.sqlstate is None or error.sqlstate.startswith(_SHUTTING_DOWN)
        error = error.__cause__ or error.__context__
    return False
