"""In what a machine is not as its record wants it. Pure: what `plan` acts on and drift tells are this one answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import lt, ne
from typing import Any, Protocol

from provisioners.contract import Machine, Power

EXISTENCE = "existence"
ADOPTED = "adopted"


class Shape(Protocol):
    """That of a wanted machine which can differ from an observed one; a whole order has it, and so has less."""

    @property
    def power(self) -> Power: ...
    @property
    def vcpu(self) -> int: ...
    @property
    def memory_mib(self) -> int: ...
    @property
    def disk_gib(self) -> int: ...
    @property
    def data_disks(self) -> tuple[int, ...]: ...
    @property
    def boots(self) -> int: ...
    @property
    def builds(self) -> int: ...
    @property
    def adopted(self) -> bool: ...
    @property
    def floating_address(self) -> str | None: ...
    @property
    def snapshot_numbers(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: as it is wanted and as it was found."""

    wanted: Any
    observed: Any


# Reboots and rebuilds are counted: a number above the wanted one is none that is owed.
FIELDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "power": ne,
    "vcpu": ne,
    "memory_mib": ne,
    "disk_gib": ne,
    "data_disks": ne,
    "floating_address": ne,
    "snapshot_numbers": ne,
    "boots": lambda wanted, observed: lt(observed, wanted),
    "builds": lambda wanted, observed: lt(observed, wanted),
}


def differences(wanted: Shape | None, observed: Machine | None) -> dict[str, Difference]:
    """Return what differs, by field; empty where they agree.

    `wanted` None: it is to be gone; `observed` None: it is not there. A machine that is there or not where the other
    is wanted differs in its existence alone, and one that is to be adopted in that alone until it carries our label:
    before, nobody knows what its numbers mean.
    """
    if wanted is None:
        return {EXISTENCE: Difference("absent", "present")} if observed else {}
    if observed is None:
        return {EXISTENCE: Difference("present", "absent")}
    if not observed.complete:
        return {EXISTENCE: Difference("present", "incomplete")}
    if wanted.adopted and not observed.adopted:
        return {ADOPTED: Difference(wanted=True, observed=False)}
    pairs = ((field, getattr(wanted, field), getattr(observed, field), differ) for field, differ in FIELDS.items())
    return {field: Difference(want, found) for field, want, found, differ in pairs if differ(want, found)}
