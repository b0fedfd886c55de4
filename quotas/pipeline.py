"""A pipeline of libpq in which a statement is waited for only where its answer is read.

psycopg's own hands each statement to the network and looks for answers as it comes: a fifth of the time of an
allocation, and a wake-up of the server for each. This one keeps statements until an answer is needed. All that knows of
types, values, rows and errors is psycopg's.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import count
from typing import Any

from psycopg import Connection, Error, generators, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result


class Kept:
    """What a connection keeps from one pipeline to the next: what dumps and loads values, and the statements that the
    server has prepared, text and types of the parameters -> name."""

    __slots__ = ("prepared", "types")

    def __init__(self, connection: Connection[Any]) -> None:
        self.types = Transformer(connection)
        self.prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}


Refused = Callable[[Error], Exception]
"""Says what a statement's error means to whoever sent it: the error itself where it means nothing else."""


class Reply:
    """The answer to one statement, there or still to come."""

    __slots__ = ("_pipeline", "_result", "refused")

    def __init__(self, pipeline: "Pipeline", refused: "Refused | None") -> None:
        self._pipeline = pipeline
        self._result: pq.abc.PGresult | None = None
        self.refused = refused

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows. Raises the server's error as psycopg's."""
        if self._result is None:
            self._pipeline.read(self)
        return self._pipeline.rows(self._result)

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row, None where there is none. Raises the server's error as psycopg's."""
        return next(iter(self), None)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    def arrived(self, result: pq.abc.PGresult) -> None:
        """Keep the answer; for the pipeline."""
        self._result = result


class Pipeline:
    """Statements under way on one connection, which serves nothing else until `finish`."""

    def __init__(self, connection: Connection[Any], kept: Kept) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._prepared = kept.prepared
        self._types = kept.types
        self._waiting: deque[_Expected] = deque()
        self._failure: Exception | None = None
        self._asked = True
        begun = self._pgconn.transaction_status != pq.TransactionStatus.IDLE
        self._pgconn.enter_pipeline_mode()
        if not begun:
            self._pgconn.send_query_params(b"BEGIN", None)
            self._waiting.append(None)

    def send(self, statement: str, params: Mapping[str, Any] | None, refused: Refused | None = None) -> Reply:
        """Take a statement, with `%(name)s` for its parameters, into the pipeline."""
        reply = Reply(self, refused)
        self._put(statement, params, reply)
        self._asked = False
        return reply

    def _put(self, statement: str, params: Mapping[str, Any] | None, expected: "_Expected") -> None:
        text, names = _native(statement)
        given = [params[name] for name in names] if params else []
        values = self._types.dump_sequence(given, [PyFormat.AUTO] * len(given))
        known = text, tuple(self._types.types or ())
        name = self._prepared.get(known)
        if name is None:
            name = self._prepared[known] = b"steppe_%d" % next(_numbers)
            self._pgconn.send_prepare(name, text, known[1])
            self._waiting.append(known)
        self._pgconn.send_query_prepared(name, values, self._types.formats, result_format=pq.Format.BINARY)
        self._waiting.append(expected)

    def read(self, reply: Reply) -> None:
        """Wait until `reply` is there. Raises the first error of it and of all that went before."""
        if not self._asked:
            self._pgconn.send_flush_request()
            self.push()
            self._asked = True
        while reply in self._waiting:
            self._take()
        if self._failure:
            raise self._failure

    def push(self) -> None:
        """Hand the network what was not yet, without waiting for answers."""
        if self._pgconn.flush():
            self._connection.wait(generators.send(self._pgconn))

    def commit(self, behind: Iterable[str] = ()) -> None:
        """Commit the transaction together with what is under way, and finish. Roll back where something was refused:
        then the commit is passed over. Raises what `finish` raises.

        The statements `behind` follow the commit, in a transaction of their own; where it fails they are passed over,
        and where they fail it stands.
        """
        self._pgconn.send_query_params(b"COMMIT", None)
        self._waiting.append(None)
        for statement in behind:
            self._put(statement, None, _UNHEEDED)
        try:
            self.finish()
        finally:
            # SQLAlchemy takes a transaction whose commit failed for ended, and would give the connection to others.
            if self._pgconn.transaction_status == pq.TransactionStatus.INERROR:
                self._pgconn.exec_(b"ROLLBACK")

    def finish(self) -> None:
        """Wait for everything and give the connection back. Raises the first error that there was."""
        self._pgconn.pipeline_sync()
        self.push()
        while self._waiting:
            self._take()
        self._fetch()
        self._pgconn.exit_pipeline_mode()
        if self._failure:
            raise self._failure

    def rows(self, result: pq.abc.PGresult | None) -> list[tuple[Any, ...]]:
        """Return the rows of an answer as Python values."""
        if result is None or result.status != pq.ExecStatus.TUPLES_OK:
            return []
        self._types.set_pgresult(result)
        return self._types.load_rows(0, result.ntuples, tuple)

    def _take(self) -> None:
        """Take the next answer and the end that follows it."""
        expected, result = self._waiting.popleft(), self._fetch()
        self._fetch()
        if result is None or result.status in _REFUSED:
            if isinstance(expected, tuple):
                del self._prepared[expected]
            if result is not None and self._failure is None and expected is not _UNHEEDED:
                self._failure = _meaning(error_from_result(result), expected)
        elif isinstance(expected, Reply):
            expected.arrived(result)

    def _fetch(self) -> pq.abc.PGresult | None:
        if not self._pgconn.is_busy():
            return self._pgconn.get_result()
        result: pq.abc.PGresult | None = self._connection.wait(generators.fetch(self._pgconn))
        return result


def _meaning(error: Error, of: object) -> Exception:
    said = of.refused(error) if isinstance(of, Reply) and of.refused else error
    if said is not error:
        said.__cause__ = error
    return said


_Expected = Reply | tuple[bytes, tuple[int, ...]] | str | None
"""Whose answer comes next: a statement's, or that to its preparation, by what it is known as."""

_UNHEEDED = "unheeded"
_numbers = count()
_REFUSED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED})
_PARAMETER = re.compile(r"%\((\w+)\)s")


@cache
def _native(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement as the server reads it, and the names of its parameters in the order of their numbers."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    return numbered.replace("%%", "%").encode(), names
