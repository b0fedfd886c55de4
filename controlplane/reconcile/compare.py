"""A whole pool at once: what is recorded against what was observed. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from controlplane.reconcile.differences import EXISTENCE, Difference, differences
from provisioners.contract import Machine, Power

Kind = str

_SHOWN = ("power", "vcpu", "memory_mib", "disk_gib", "department", "system")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the record says of one live resource of a pool. `settled`: nothing is under way that would explain drift."""

    id: UUID
    name: str
    generation: int
    settled: bool
    power: Power
    vcpu: int
    memory_mib: int
    disk_gib: int
    boots: int
    builds: int
    adopted: bool
    data_disks: tuple[int, ...] = ()
    floating_address: str | None = None
    snapshot_numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """One machine that is otherwise than recorded. `resource` None: no live record of the pool is of it."""

    machine: UUID
    name: str
    kind: Kind
    differences: dict[str, Any]
    resource: UUID | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was seen to differ, and the resources that were seen in order, with the generation at which they were."""

    seen: tuple[Seen, ...]
    agreeing: Mapping[UUID, int]
    present: frozenset[UUID]


def compare(recorded: Iterable[Recorded], observed: Mapping[UUID, Machine]) -> Comparison:
    """Return how the machines of a pool compare with its record."""
    seen: list[Seen] = []
    agreeing: dict[UUID, int] = {}
    known = set()
    for record in recorded:
        known.add(record.id)
        found = observed.get(record.id)
        if not record.settled or (found and found.busy):
            continue
        differing = differences(record, found)
        if differing:
            kind = "missing" if EXISTENCE in differing else "different"
            seen.append(Seen(record.id, record.name, kind, _plain(differing), record.id, record.generation))
        else:
            agreeing[record.id] = record.generation
    seen += (unknown(machine) for machine in observed.values() if machine.id not in known)
    return Comparison(tuple(seen), agreeing, frozenset(observed))


def unknown(machine: Machine) -> Seen:
    """Return a machine that no live record of its pool is of, with what is known of it."""
    existence = Difference("absent", "present" if machine.complete else "incomplete")
    fields = (*_SHOWN, "data_disks") if machine.data_disks else _SHOWN
    shown = {field: Difference(None, getattr(machine, field)) for field in fields}
    return Seen(machine.id, machine.name or str(machine.id), "unknown", _plain({EXISTENCE: existence, **shown}))


def _plain(differing: Mapping[str, Difference]) -> dict[str, Any]:
    return {name: {"wanted": d.wanted, "observed": d.observed} for name, d in differing.items()}
