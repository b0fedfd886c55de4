"""What a request would do to a department's quota, class by class, and where its machines would go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.policy import allows
from controlplane.services import deciding
from web.console import impact
from web.console.impact import ORDER, SHOWN_PLACES, Place, Refused
from web.context import actor, session
from web.words import class_word, exact_scale


@dataclass(frozen=True, slots=True)
class Line:
    """One class: its balance now and afterwards, in `unit` after `divisor`; `most` is what a full bar stands for."""

    label: str
    unit: str
    divisor: int
    before: Any
    after: Any
    most: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What granting it now would do, or why it cannot be. `with_pools`: the reader may know where machines go."""

    lines: Sequence[Line]
    places: Sequence[Place]
    count: int
    refused: Refused | None
    with_pools: bool


def of(asked: Any) -> Seen:
    """Return what granting an open request would do at this moment."""
    found = deciding.impact(session(), actor(), asked.id)
    with_pools = allows(actor(), "pool.read")
    places = [
        Place(one.prepared.name, sorted(one.addresses.values()), one.pool.code if with_pools else "")
        for one in found.made[:SHOWN_PLACES]
    ]
    refused = impact.refused(found.problem) if found.problem else None
    return Seen(_lines(found.before, found.after), places, len(found.made), refused, with_pools)


def _lines(before: Sequence[Any], after: Sequence[Any]) -> list[Line]:
    then, now = _by_class(before), _by_class(after)
    lines = []
    for name in (*(c for c in ORDER if c in now), *sorted(now.keys() - set(ORDER))):
        first, last = then.get(name, now[name]), now[name]
        limits = [limit for limit in (first.limit, last.limit) if limit is not None]
        divisor, unit = exact_scale(name, *limits, first.used, first.held, last.used, last.held)
        most = max(limits) if limits and last.limit is not None else None
        lines.append(Line(class_word(name), unit, divisor, first, last, most))
    return lines


def _by_class(balances: Sequence[Any]) -> Mapping[str, Any]:
    return {balance.resource_class: balance for balance in balances}
