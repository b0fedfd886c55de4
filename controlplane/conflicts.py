"""Two at once: waiting for the other where one must, and saying what the other took as the refusal that it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from controlplane.errors import AlreadyExists


@contextmanager
def refusing_duplicates(noun: str, name: str) -> Iterator[None]:
    """Raise AlreadyExists where the block writes a name or code that somebody took since it was looked for.

    The transaction is of no more use then, as after any refusal.
    """
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            raise AlreadyExists(noun=noun, name=name) from error
        raise


def lock_row(session: Session, record: Any) -> None:
    """Wait for everybody who uses or changes `record`, and keep them out until the end of the transaction."""
    model = type(record)
    session.execute(select(model.id).where(model.id == record.id).with_for_update())
