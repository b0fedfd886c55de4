"""What an ask would do, told before it is done: the very same service runs, and its transaction is undone.

Everything here is read out of the records into plain values, which outlive the undoing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from controlplane.errors import ApprovalNeeded, Refusal, RowsRefused
from controlplane.policy import allows
from controlplane.reports import quota
from controlplane.services.requests import Submitted
from web import errors
from web.context import actor, session, trial
from web.words import class_word, exact_scale

ORDER = ("vm", "vcpu", "memory_mib", "disk_gib")
SHOWN_PLACES = 10


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """One class of a department's quota, now and afterwards; `limit` None is no limit. In units after `divisor`."""

    label: str
    unit: str
    divisor: int
    limit: int | None
    held: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one machine would go. `pool` is empty for those who may not know."""

    name: str
    addresses: Sequence[str]
    pool: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why it cannot be: a sentence, the ledger's numbers where it was the ledger, and what is wrong with which row.

    `approval`: it has only to be approved first.
    """

    words: str
    shortages: Sequence[Mapping[str, Any]] = ()
    rows: Sequence[tuple[int, str]] = ()
    approval: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """What would come of it: either `refused`, or the rest."""

    quota: Sequence[QuotaLine] = ()
    places: Sequence[Place] = ()
    count: int = 0
    refused: Refused | None = None
    missing: Sequence[str] = field(default=())


def of_asking(department: UUID, submit: Callable[[Any], Submitted], classes: Sequence[str] = ORDER) -> Impact:
    """Return what `submit`, given the session, would do; of the quota what it takes of `classes`."""
    before = _balances(department)
    try:
        with trial() as tried:
            made = submit(tried).resources
            with_pool = allows(actor(), "pool.read")
            places = [
                Place(vm.prepared.name, sorted(vm.addresses.values()), vm.pool.code if with_pool else "")
                for vm in made[:SHOWN_PLACES]
            ]
            return Impact(_lines(before, _balances(department), {}, classes), places, len(made))
    except Refusal as refusal:
        return Impact(_lines(before, before, {}, classes), refused=refused(refusal))


def of_changing(vm: Any, change: Callable[[Any], Any]) -> Impact:
    """Return what changing a machine would do to the quota of its department. What shrinks is given back when done."""
    before, old = _balances(vm.department_id), dict(vm.demand)
    department = vm.department_id
    try:
        with trial() as tried:
            new = dict(change(tried).demand)
            less = {name: min(0, new[name] - old[name]) for name in new}
            return Impact(_lines(before, _balances(department), less), count=1)
    except Refusal as refusal:
        return Impact(_lines(before, before, {}), refused=refused(refusal))


def refused(refusal: Refusal) -> Refused:
    """Return a refusal as pages show it."""
    rows = []
    if isinstance(refusal, RowsRefused):
        rows = [(row + 1, errors.message(problem)) for row, problem in refusal.problems]
    approval = isinstance(refusal, ApprovalNeeded)
    return Refused(errors.message(refusal), errors.shortages(refusal), rows, approval)


def _balances(department: UUID) -> dict[str, Any]:
    found = quota.of_departments(session(), actor(), [department]).get(department, ())
    return {b.resource_class: b for b in found}


def _lines(
    before: Mapping[str, Any], after: Mapping[str, Any], less: Mapping[str, int], classes: Sequence[str] = ORDER
) -> list[QuotaLine]:
    lines = []
    for name in (c for c in classes if c in before):
        then, now = before[name], after[name]
        used = now.used + less.get(name, 0)
        divisor, unit = exact_scale(name, then.limit, then.used, used, then.held)
        lines.append(QuotaLine(class_word(name), unit, divisor, then.limit, now.held, then.used, used))
    return lines
