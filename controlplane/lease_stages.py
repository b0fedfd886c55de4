"""The way of a lease from its warnings to the deletion of what it was for, and the only moves on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, get_args

Stage = Literal["granted", "warned", "ended", "stopped", "quarantined", "deleting"]
Step = Literal["warn", "end", "stop", "quarantine", "delete", "extend"]

STAGES: tuple[Stage, ...] = get_args(Stage)
AHEAD: frozenset[Stage] = frozenset({"granted", "warned"})
"""Stages in which the lease has not ended."""

MOVES: dict[tuple[Stage, Step], Stage] = {
    ("granted", "warn"): "warned",
    ("warned", "warn"): "warned",
    ("granted", "end"): "ended",
    ("warned", "end"): "ended",
    ("ended", "stop"): "stopped",
    ("ended", "quarantine"): "quarantined",
    ("stopped", "quarantine"): "quarantined",
    ("ended", "delete"): "deleting",
    ("stopped", "delete"): "deleting",
    ("quarantined", "delete"): "deleting",
    ("granted", "extend"): "granted",
    ("warned", "extend"): "granted",
    ("ended", "extend"): "granted",
    ("stopped", "extend"): "granted",
    ("quarantined", "extend"): "granted",
    ("deleting", "extend"): "granted",
}

_STEPS: tuple[Step, ...] = ("stop", "quarantine", "delete")
_STAGES: tuple[Stage, ...] = ("ended", "stopped", "quarantined", "deleting")


class ImpossibleStep(Exception):
    """There is no line in the table for this stage and step."""


class Days(Protocol):
    """After how many days each step is taken; None: it is passed over."""

    @property
    def stop_days(self) -> int | None: ...

    @property
    def quarantine_days(self) -> int | None: ...

    @property
    def delete_days(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Due:
    """A step that is taken from `stage` once that has lasted `after` days."""

    step: Step
    stage: Stage
    after: int


def move(stage: Stage, step: Step) -> Stage:
    """Return the stage after `step`. Raises ImpossibleStep."""
    try:
        return MOVES[stage, step]
    except KeyError:
        raise ImpossibleStep(f"{step} while {stage}") from None


def due(days: Days) -> Iterator[Due]:
    """Yield each step with each stage that it follows on: the one before it, and those before steps that are passed
    over."""
    after = dict(zip(_STEPS, (days.stop_days, days.quarantine_days, days.delete_days), strict=True))
    for place, step in enumerate(_STEPS):
        own = after[step]
        if own is None:
            continue
        for before in range(place, -1, -1):
            yield Due(step, _STAGES[before], own)
            if before and after[_STEPS[before - 1]] is not None:
                break


def coming(days: Days, stage: Stage, since: datetime | None, until: datetime | None) -> tuple[Step, datetime] | None:
    """Return the step that comes next to a lease, and the earliest time for it; None where none does."""
    if stage in AHEAD:
        return ("end", until) if until else None
    if since is None:
        return None
    found = [(since + timedelta(days=one.after), one.step) for one in due(days) if one.stage == stage]
    return min(((step, at) for at, step in found), key=lambda one: one[1]) if found else None
