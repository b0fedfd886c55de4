"""Reading an ask: who asks, what for, and all that it names, looked up. Nothing is taken yet.

What it names is on its way while the caller sends more; only `understood` waits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.errors import Invalid, Refusal, RowsRefused
from controlplane.kinds import KINDS, Kind
from controlplane.kinds.contract import Prepared
from controlplane.lookups import Asking
from controlplane.lookups.reading import as_uuid


@dataclass(frozen=True, slots=True)
class Ask:
    """Things of one kind for one department, all or none. `items` are the kind's specs, or their raw form."""

    kind: str
    department: str | UUID
    items: Sequence[BaseModel | Mapping[str, Any]]


class Asked(NamedTuple):
    """An ask that is being read: what it names is on its way, `understood` waits for it."""

    department: UUID
    specs: Sequence[BaseModel]
    understood: Callable[[], tuple[Asking, list[Prepared]]]


def asking(session: Session, actor: Actor, ask: Ask, action: str) -> Asked:
    """Begin to read an ask of whoever may do `action`. Raises Invalid for too many items; RowsRefused, or the refusal
    itself where there is one item."""
    kind = KINDS[ask.kind]
    if not 1 <= len(ask.items) <= kind.most_at_once:
        raise Invalid(field="items", reason=f"one ask takes 1 to {kind.most_at_once} of them, not {len(ask.items)}")
    found = lookups.department_asking(session, actor, ask.department, action)
    with _alone(ask):
        specs = _parse(kind, ask.items)
    id_ = as_uuid(ask.department) or found().id
    resolve = kind.prepare(session, id_, specs)

    def understood() -> tuple[Asking, list[Prepared]]:
        department = found()
        with _alone(ask):
            return department, resolve(department)

    return Asked(id_, specs, understood)


def read(session: Session, actor: Actor, ask: Ask, action: str = "resource.create") -> tuple[Asking, list[Prepared]]:
    """Return who asks and what for. Raises RowsRefused, or the refusal itself where there is one item."""
    return asking(session, actor, ask, action).understood()


@contextmanager
def _alone(ask: Ask) -> Iterator[None]:
    """Say of one item what is wrong with it, not of which rows."""
    try:
        yield
    except RowsRefused as refusal:
        if len(ask.items) == 1:
            raise refusal.problems[0][1] from None
        raise


def _parse(kind: Kind, items: Sequence[BaseModel | Mapping[str, Any]]) -> list[BaseModel]:
    specs: list[BaseModel] = []
    problems: list[tuple[int, Refusal]] = []
    for row, item in enumerate(items):
        try:
            specs.append(item if isinstance(item, BaseModel) else kind.spec.model_validate(item))
        except ValidationError as error:
            for problem in error.errors():
                where = ".".join(str(part) for part in problem["loc"]) or "item"
                problems.append((row, Invalid(field=where, reason=problem["msg"])))
    if problems:
        raise RowsRefused(problems)
    return specs
