"""Snapshots of virtual machines: what the first disk held, kept under a name, and brought back.

They are a part of their machine's record and go with it. Each counts as much as the disk that it is of, from the ask on
until it is confirmed gone.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from controlplane.capacity import KEEPING
from controlplane.errors import NoSnapshots, NotFound, NotItsDisk, SnapshotInUse, SnapshotTaken, TooManySnapshots
from controlplane.kinds.contract import Change
from controlplane.kinds.names import Code
from controlplane.models import Resource
from provisioners.contract import LOST

MOST = 10
"""Snapshots that one machine may have."""


class VmSnapshot(BaseModel):
    """A snapshot of a machine's first disk; its data disks are not in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Code = Field(description="unique among those of the VM")


class VmOfSnapshot(BaseModel):
    """Which snapshot of a machine is meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot: Code = Field(description="its name")


def sizes(vm: Resource) -> list[int]:
    """Return the GiB that each snapshot of a machine counts as."""
    return [snapshot["gib"] for snapshot in _of(vm)]


def could_have(vm: Resource) -> bool:
    """Tell whether a machine is in a pool where there are snapshots, and has a disk of ours."""
    return vm.pool.driver in KEEPING and not vm.wanted.get("adopted")


def has_any(vm: Resource) -> bool:
    """Tell whether a machine has snapshots."""
    return bool(_of(vm))


def take(_session: Session, vm: Resource, body: VmSnapshot) -> Change:
    """Return the change that keeps what the first disk of a machine holds, under a name.

    Raises NoSnapshots, NotItsDisk, SnapshotTaken, TooManySnapshots.
    """
    if vm.wanted.get("adopted"):
        raise NotItsDisk(name=vm.name)
    if not could_have(vm):
        raise NoSnapshots(name=vm.name)
    has = _of(vm)
    if any(snapshot["name"] == body.name for snapshot in has):
        raise SnapshotTaken(name=vm.name, snapshot=body.name)
    if len(has) >= MOST:
        raise TooManySnapshots(name=vm.name, most=MOST)
    number = vm.wanted.get("shots", 0) + 1
    gib = vm.wanted["disk_gib"]
    made = {"number": number, "name": body.name, "gib": gib, "taken": None}
    return _having(vm, [*has, made], gib, shots=number)


def restore(_session: Session, vm: Resource, body: VmOfSnapshot) -> Change:
    """Return the change that makes the first disk of a machine anew from a snapshot. Raises NotFound, NotItsDisk."""
    if vm.wanted.get("adopted"):
        raise NotItsDisk(name=vm.name)
    again = {"restored": _named(vm, body.snapshot)["number"], "builds": vm.wanted["builds"] + 1}
    return Change(vm.spec, vm.wanted | again, vm.demand)


def drop(_session: Session, vm: Resource, body: VmOfSnapshot) -> Change:
    """Return the change that deletes a snapshot. Raises NotFound; SnapshotInUse for the one that the disk was last made
    from, unless it is lost already."""
    gone = _named(vm, body.snapshot)
    if vm.wanted.get("restored") == gone["number"] and not (vm.fault_code or "").endswith(LOST):
        raise SnapshotInUse(name=vm.name, snapshot=body.snapshot)
    return _having(vm, [snapshot for snapshot in _of(vm) if snapshot != gone], -gone["gib"])


def _of(vm: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = vm.wanted.get("snapshots", [])
    return found


def _named(vm: Resource, name: str) -> dict[str, Any]:
    for snapshot in _of(vm):
        if snapshot["name"] == name:
            return snapshot
    raise NotFound(noun="snapshot", name=name)


def _having(vm: Resource, snapshots: list[dict[str, Any]], growth: int, **more: Any) -> Change:
    demand = {**vm.demand, "disk_gib": vm.demand["disk_gib"] + growth}
    return Change(vm.spec, {**vm.wanted, "snapshots": snapshots, **more}, demand)
