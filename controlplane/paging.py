"""Lists by cursor: a page is found by the last row of the one before, never by counting rows."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from controlplane.errors import BadCursor, Invalid

T = TypeVar("T")
S = TypeVar("S")
MAX_LIMIT = 500
COUNTED_UP_TO = 10_000
"""Rows that a list that is to be counted is counted up to: beyond, the count costs more than it tells."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the reader of a list asked for: `sort` is a column's name, with `-` before it for descending.

    `counted`: tell too how many rows there are in all, up to COUNTED_UP_TO.
    """

    limit: int = 50
    cursor: str | None = None
    sort: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of a list, and the cursors of its neighbours where there are any.

    `total` is how many rows all pages have, None where that was not asked; COUNTED_UP_TO + 1 stands for more than that.
    """

    items: Sequence[T]
    next: str | None
    previous: str | None
    total: int | None = None

    def of(self, items: Sequence[S]) -> "Page[S]":
        """Return this page with what its rows became in their place."""
        return Page(items, self.next, self.previous, self.total)


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that a list may be sorted by (none may hold NULL), the unique one that settles ties, the default."""

    columns: Mapping[str, InstrumentedAttribute[Any]]
    unique: InstrumentedAttribute[Any]
    default: str


def paginate(session: Session, statement: Select[Any], order: Order, listing: Listing) -> Page[T]:
    """Run `statement` for one page. Raises BadCursor, Invalid for an unknown sort or limit."""
    if not 1 <= listing.limit <= MAX_LIMIT:
        raise Invalid(field="limit", reason=f"must be between 1 and {MAX_LIMIT}")
    sort = listing.sort or order.default
    name = sort.removeprefix("-")
    if name not in order.columns:
        raise Invalid(field="sort", reason=f"must be one of {', '.join(order.columns)}, with - for descending")
    column = order.columns[name]
    backwards, after = _decode(listing.cursor, sort, column, order.unique) if listing.cursor else (False, None)
    descending = sort.startswith("-") != backwards
    key = tuple_(column, order.unique)
    total = _count(session, statement, order) if listing.counted else None
    if after is not None:
        statement = statement.where(key < after if descending else key > after)
    ordering = (column.desc(), order.unique.desc()) if descending else (column, order.unique)
    rows: list[T] = list(session.scalars(statement.order_by(*ordering).limit(listing.limit + 1)).unique())
    more = len(rows) > listing.limit
    rows = rows[: listing.limit]
    if backwards:
        rows.reverse()
    has_next, has_previous = (after is not None, more) if backwards else (more, after is not None)
    return Page(
        rows,
        _encode(rows[-1], sort, name, order, backwards=False) if rows and has_next else None,
        _encode(rows[0], sort, name, order, backwards=True) if rows and has_previous else None,
        total,
    )


def _count(session: Session, statement: Select[Any], order: Order) -> int:
    counted = statement.with_only_columns(order.unique, maintain_column_froms=True).limit(COUNTED_UP_TO + 1)
    return session.scalar(select(func.count()).select_from(counted.subquery())) or 0


def _encode(row: Any, sort: str, name: str, order: Order, *, backwards: bool) -> str:
    value = getattr(row, order.columns[name].key)
    if isinstance(value, datetime):
        value = value.isoformat()
    plain = json.dumps([sort, backwards, value, str(getattr(row, order.unique.key))], ensure_ascii=False)
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _decode(
    cursor: str, sort: str, column: InstrumentedAttribute[Any], unique: InstrumentedAttribute[Any]
) -> tuple[bool, Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of_sort, backwards, value, last = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if of_sort != sort:
            raise BadCursor
        python_type = column.type.python_type
        typed = datetime.fromisoformat(value) if python_type is datetime else value
        if type(backwards) is not bool or type(typed) is not python_type or not _storable(typed):
            raise BadCursor
        return backwards, tuple_(typed, _unique(last, unique))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, binascii.Error) as error:
        raise BadCursor from error


def _unique(text: str, column: InstrumentedAttribute[Any]) -> UUID | int:
    """Return the key that settles ties, of the type of its column. Raises ValueError."""
    if column.type.python_type is UUID:
        return UUID(text)
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number


def _storable(value: Any) -> bool:
    """Tell whether a column could hold `value`: text without NUL or half a surrogate pair, 4 bytes, a zoned time."""
    if isinstance(value, str):
        return "\0" not in value and value == value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return -(2**31) <= value < 2**31
    return not isinstance(value, datetime) or value.tzinfo is not None
