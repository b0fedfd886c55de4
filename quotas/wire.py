"""Statements sent straight to psycopg, on the connection and in the transaction of a SQLAlchemy session.

For what every allocation goes through. Built and read by the ORM, its two dozen statements took four times as long, and
each waited for the answer to the one before. In a pipeline a statement waits only where its answer is read: SQLAlchemy
itself, which always reads at once, must not be used within one.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Connection, Cursor, OperationalError
from sqlalchemy.orm import Session

Params = dict[str, Any]


def run(session: Session, statement: LiteralString, params: Params | None = None) -> Cursor[Any]:
    """Send one statement; what the session has not written yet goes first. Raises psycopg's errors, not SQLAlchemy's.

    Within `pipelined` the answer, or the error, comes when the cursor is read or the block ends.
    """
    session.flush()
    with _loss_noticed(session) as driver:
        return driver.execute(statement, params)


Parts = tuple[tuple[LiteralString, LiteralString], ...]
"""Names and statements of common table expressions."""


@dataclass(frozen=True, slots=True)
class Write:
    """A part of a statement that writes much. `parts` are its common table expressions, `calls` the functions that it
    calls; names of parts and parameters must differ from those of the other writes that it goes out with."""

    parts: Parts
    params: Params
    calls: tuple[LiteralString, ...] = ()


def write(session: Session, *writes: Write) -> None:
    """Send all `writes` as one statement: for the server and for us that is a fraction of one statement each."""
    params: Params = {}
    for one in writes:
        params |= one.params
    said = tuple((one.parts, one.calls) for one in writes if one.parts or one.calls)
    if said:
        run(session, _joined(said), params)


@cache
def _joined(writes: tuple[tuple[Parts, tuple[LiteralString, ...]], ...]) -> Any:
    parts = [f"{name} AS ({statement})" for parts, _ in writes for name, statement in parts]
    calls = [call for _, calls in writes for call in calls]
    return (f"WITH {', '.join(parts)} " if parts else "") + f"SELECT {', '.join(calls)}"


@contextmanager
def pipelined(session: Session) -> Iterator[None]:
    """Let the statements of `run` go out together. What was not read raises its error at the end of the block."""
    session.flush()
    with _loss_noticed(session) as driver, driver.pipeline():
        yield


def rows(values: Any) -> str:
    """Return plain values, ids among them, as one JSON parameter: an array for each column takes far longer."""
    return json.dumps(values, default=_plain, ensure_ascii=False)


def array(values: Iterable[UUID | int | str]) -> str:
    """Return ids, numbers or plain words as one array parameter, to be cast to an array of theirs."""
    return "{" + ",".join([value if isinstance(value, str) else _plain(value) for value in values]) + "}"


def _plain(value: Any) -> str:
    # Half the price of an id with its dashes, and the same to PostgreSQL.
    return value.hex if isinstance(value, UUID) else str(value)


@contextmanager
def _loss_noticed(session: Session) -> Iterator[Connection[Any]]:
    """Give the session's driver connection; where it is lost meanwhile, let SQLAlchemy know, which then does not try to
    roll back on it when the session is closed."""
    driver = _driver(session)
    try:
        yield driver
    except OperationalError:
        if driver.closed:
            session.connection().invalidate()
        raise


def _driver(session: Session) -> Connection[Any]:
    # Asking the session takes as long as sending a statement, so it is asked once a transaction.
    transaction = session.get_transaction()
    known = session.info.get(_KNOWN)
    if transaction is not None and known is not None and known[0] is transaction:
        return known[1]  # type: ignore[no-any-return]
    connection: Any = session.connection().connection.driver_connection
    session.info[_KNOWN] = (session.get_transaction(), connection)
    return connection  # type: ignore[no-any-return]


_KNOWN = "wire"
