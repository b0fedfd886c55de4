"""Statements sent straight to psycopg, on the connection and in the transaction of a SQLAlchemy session.

For what every allocation goes through. Built and read by the ORM, its two dozen statements took four times as long, and
each waited for the answer to the one before. In a pipeline a statement waits only where its answer is read: SQLAlchemy
itself, which always reads at once, must not be used within a block of one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, LiteralString
from uuid import UUID

import orjson
from psycopg import Connection, Error
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from quotas.pipeline import Kept, Pipeline, Refused, Reply

Params = dict[str, Any]
_Info = dict[Any, Any]
"""What is noted at a connection for as long as it lives."""


def run(
    session: Session, statement: LiteralString, params: Params | None = None, refused: Refused | None = None
) -> Reply:
    """Send one statement; what the session has not written yet goes first. Raises psycopg's errors, not SQLAlchemy's,
    or what `refused` makes of them.

    Within `pipelined` the answer, or the error, comes when the reply is read or the block ends.
    """
    under_way: Pipeline | None = session.info.get(_OPEN)
    if under_way:
        return under_way.send(statement, params, refused)
    with _pipeline(session) as alone:
        return alone.send(statement, params, refused)


Parts = tuple[tuple[LiteralString, LiteralString], ...]
"""Names and statements of common table expressions."""


@dataclass(frozen=True, slots=True)
class Write:
    """A part of a statement that writes much. `parts` are its common table expressions, `calls` the functions that it
    calls in turn; names of parts and parameters must differ from those of the other writes that it goes out with.

    The statements `behind` are sent with the commit and run after it, each once a transaction: for what others are to
    be told once it is true. A rolled back savepoint does not take them back.
    """

    parts: Parts
    params: Params
    calls: tuple[LiteralString, ...] = ()
    behind: tuple[LiteralString, ...] = ()


def write(session: Session, *writes: Write, refused: Refused | None = None) -> None:
    """Send all `writes` as one statement: for the server and for us that is a fraction of one statement each.

    `refused` says what an error of it means.
    """
    params: Params = {}
    for one in writes:
        params |= one.params
    said = tuple((one.parts, one.calls) for one in writes if one.parts or one.calls)
    if said:
        run(session, _joined(said), params, refused)
    behind = [statement for one in writes for statement in one.behind]
    if behind:
        _driver(session)[1].setdefault(_BEHIND, {}).update(dict.fromkeys(behind))


@cache
def _joined(writes: tuple[tuple[Parts, tuple[LiteralString, ...]], ...]) -> Any:
    parts = [f"{name} AS ({statement})" for parts, _ in writes for name, statement in parts]
    calls = [call for _, calls in writes for call in calls]
    return (f"WITH {', '.join(parts)} " if parts else "") + f"SELECT {', '.join(calls)}"


class Taking:
    """Parts of a statement that take rows of plain values. `{name}` stands for the rows where the parts read them;
    `columns` are names and types of theirs.

    One row, as most are, goes as values: the server takes ten times as long to read it as JSON.
    """

    def __init__(
        self, name: LiteralString, columns: tuple[tuple[LiteralString, LiteralString], ...], parts: Parts
    ) -> None:
        self._name = name
        self._columns = tuple(column for column, _ in columns)
        self._params = tuple(f"{name}_{column}" for column in self._columns)
        self._documents = tuple(f"{name}_{column}" for column, kind in columns if kind == "jsonb")
        values = ", ".join(f"%({name}_{column})s::{kind}" for column, kind in columns)
        self._one = _put(parts, name, f"(SELECT {values}) {name}({', '.join(self._columns)})")
        of = ", ".join(f"{column} {kind}" for column, kind in columns)
        self._many = _put(parts, name, f"json_to_recordset(%({name})s::json) {name}({of})")

    def rows(self, given: Sequence[Sequence[Any]]) -> tuple[Parts, Params]:
        """Return the parts for these rows, in the order of the columns, and their parameters. No jsonb is None."""
        if len(given) != 1:
            return self._many, {self._name: rows([dict(zip(self._columns, row, strict=True)) for row in given])}
        params = dict(zip(self._params, given[0], strict=True))
        for name in self._documents:
            params[name] = rows(params[name])
        return self._one, params


def _put(parts: Parts, name: str, source: str) -> Parts:
    return tuple((part, statement.replace(f"{{{name}}}", source)) for part, statement in parts)


@contextmanager
def pipelined(session: Session) -> Iterator[None]:
    """Let the statements of `run` go out together. What was not read raises its error at the end of the block, or in a
    session that is `unwaited` when it is next asked for an answer or committed."""
    with _pipeline(session):
        yield


def unwaited(session: Session) -> None:
    """Let what this session sends go on by itself until an answer is needed, for a caller that commits before it tells
    anybody of success: the commit then goes out behind the last statement, and one wait serves for both."""
    session.info[_UNWAITED] = True


def rows(values: Any) -> str:
    """Return plain values, ids among them, as one JSON parameter: an array for each column takes far longer."""
    return orjson.dumps(values, default=_json).decode()


def ids(values: Iterable[UUID]) -> str:
    """Return ids as one array parameter, to be cast to uuid[]."""
    return "{" + ",".join([value.hex for value in values]) + "}"


def plain(values: Iterable[int | str]) -> str:
    """Return numbers, truths or plain words as one array parameter, to be cast to an array of theirs."""
    return "{" + ",".join(map(str, values)) + "}"


def words(values: Iterable[str]) -> str:
    """Return texts of any kind as one array parameter, to be cast to text[]."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"


def _json(value: Any) -> Any:
    # An id without its dashes takes half as long, and is the same to PostgreSQL.
    return list(value) if isinstance(value, tuple) else value.hex if isinstance(value, UUID) else str(value)


@contextmanager
def _pipeline(session: Session) -> Iterator[Pipeline]:
    """Give a pipeline on the session's connection; where that is lost meanwhile, let SQLAlchemy know, which then does
    not try to roll back on it when the session is closed."""
    if session.new or session.dirty or session.deleted:
        session.flush()
    connection, info = _driver(session)
    try:
        pipeline = info.pop(_LASTING, None) or _begun(connection, info)
        session.info[_OPEN] = pipeline
        try:
            yield pipeline
        except BaseException:
            with suppress(Exception):
                pipeline.finish()
            raise
        if _UNWAITED in session.info:
            pipeline.push()
            info[_LASTING] = pipeline
        else:
            pipeline.finish()
    except Error:
        if connection.closed:
            session.connection().invalidate()
        raise
    finally:
        session.info.pop(_OPEN, None)


def _begun(connection: Any, info: _Info) -> Pipeline:
    kept = info.get(_KEPT)
    if kept is None:
        kept = info[_KEPT] = Kept(connection)
    return Pipeline(connection, kept)


def _driver(session: Session) -> tuple[Connection[Any], _Info]:
    # Asking the session takes as long as sending a statement, so it is asked once a transaction; and once a savepoint,
    # which SQLAlchemy sets no sooner than it is asked.
    transaction = session.get_nested_transaction() or session.get_transaction()
    known = session.info.get(_KNOWN)
    if transaction is not None and known is not None and known[0] is transaction:
        return known[1]  # type: ignore[no-any-return]
    pooled: Any = session.connection().connection
    found = pooled.driver_connection, pooled.info
    session.info[_KNOWN] = (session.get_nested_transaction() or session.get_transaction(), found)
    return found


@event.listens_for(Engine, "before_cursor_execute")
def _wait_before(connection: SqlConnection, *_statement: Any) -> None:
    _end(connection, connection.info.pop(_LASTING, None), Pipeline.finish)


@event.listens_for(Engine, "commit")
def _commit_behind(connection: SqlConnection) -> None:
    info = connection.info
    lasting, behind = info.pop(_LASTING, None), info.pop(_BEHIND, ())
    if behind and lasting is None:
        lasting = _begun(connection.connection.driver_connection, info)
    _end(connection, lasting, lambda pipeline: pipeline.commit(behind))


def _end(connection: SqlConnection, lasting: Pipeline | None, how: Callable[[Pipeline], None]) -> None:
    """Wait for what goes on by itself on a connection. Raises its error."""
    if lasting is None:
        return
    try:
        how(lasting)
    except Error:
        if connection.connection.driver_connection.closed:  # type: ignore[union-attr]
            connection.invalidate()
        raise


@event.listens_for(Engine, "rollback")
def _forget_all(connection: SqlConnection) -> None:
    if not connection.invalidated:
        connection.info.pop(_BEHIND, None)
    _forget(connection)


@event.listens_for(Engine, "rollback_savepoint")
def _forget(connection: SqlConnection, *_savepoint: Any) -> None:
    """psycopg gives up every prepared statement of a connection that rolls back, ours too."""
    if not connection.invalidated:
        with suppress(Exception):
            _end(connection, connection.info.pop(_LASTING, None), Pipeline.finish)
        connection.info.pop(_KEPT, None)


@event.listens_for(Pool, "reset")
def _forget_where_left_open(driver: Connection[Any], record: ConnectionPoolEntry, _state: Any) -> None:
    if driver.info.transaction_status != TransactionStatus.IDLE:
        record.info.pop(_KEPT, None)
        record.info.pop(_BEHIND, None)


_KNOWN, _OPEN, _UNWAITED = "wire", "pipeline", "unwaited"
_LASTING, _KEPT, _BEHIND = "lasting", "kept", "behind"
