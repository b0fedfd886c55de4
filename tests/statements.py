"""What goes to the database, for tests that say how much or how little of it there is."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, event


@contextmanager
def noted(engine: Engine | Connection) -> Iterator[list[str]]:
    """Note every statement that SQLAlchemy sends within the block; one for many rows is noted once."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
