"""What all reads are made of: finding by id or code, keeping to what the actor may see, filters and orders of lists."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, text
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.errors import Invalid, NotFound
from controlplane.paging import Order

T = TypeVar("T")
Filter = Callable[[str], ColumnElement[bool]]
"""Makes the condition of a filter from what it was given."""


def by_ref(model: Any, ref: str | UUID) -> Select[Any]:
    """Return the rows of a model that have this id, or code."""
    by_id = as_uuid(ref)
    return select(model).where(model.id == by_id if by_id else model.code == ref)


def as_uuid(ref: str | UUID) -> UUID | None:
    """Return the id that `ref` is, or None where it is a code."""
    try:
        return ref if isinstance(ref, UUID) else UUID(ref)
    except ValueError:
        return None


def one(session: Session, model: type[T], noun: str, ref: str | UUID) -> T:
    """Return the row with this id or code. Raises NotFound, which calls it a `noun`."""
    found: T | None = session.scalar(by_ref(model, ref))
    if found is None:
        raise NotFound(noun=noun, name=str(ref))
    return found


def uuid_of(ref: str | UUID, noun: str) -> UUID:
    """Return the id that `ref` is. Raises NotFound where it is none."""
    by_id = as_uuid(ref)
    if by_id is None:
        raise NotFound(noun=noun, name=str(ref))
    return by_id


def ids(model: Any, ref: str) -> Select[Any]:
    """Return the ids of the rows of a model that have this id, or code, for use as a subquery."""
    return by_ref(model, ref).with_only_columns(model.id)


def in_scope(statement: Select[Any], department: Any, actor: Actor) -> Select[Any]:
    """Keep to the rows of which the column `department` is one that the actor may see."""
    return statement if actor.scope is None else statement.where(department.in_(actor.scope))


def ordered_by(model: Any, *columns: str, default: str | None = None) -> Order:
    """Return the order of a list that may be sorted by these columns, by the first where nothing else is said."""
    return Order({name: getattr(model, name) for name in columns}, model.id, default or columns[0])


def filtered(
    session: Session, statement: Select[Any], asked: Mapping[str, str], known: Mapping[str, Filter]
) -> Select[Any]:
    """Keep to the rows that pass every filter that was asked for. Raises Invalid for one that is not `known`."""
    for name, value in asked.items():
        if name not in known:
            raise Invalid(field=name, reason=f"is no filter of this list; there are {', '.join(sorted(known))}")
        statement = statement.where(known[name](value))
    if "q" in asked:
        # Which plan is good depends on how much has the part, and a plan that is kept for any part cannot know.
        session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    return statement


def number(field: str, value: str) -> int:
    """Return the number that a filter was given. Raises Invalid."""
    try:
        return int(value)
    except ValueError:
        raise Invalid(field=field, reason="must be a number") from None
