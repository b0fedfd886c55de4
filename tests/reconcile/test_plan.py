"""The plan is the one place that decides what a driver is told to do, for a first build, a retry and a repair alike.

It is pure, so every meeting of what is wanted with what was found can be written down as a line of a table.
"""

from dataclasses import replace
from typing import Any

import pytest

from controlplane.reconcile.plan import Step, plan
from provisioners.contract import Floating, Machine, MachineSpec, Snapshot
from tests.drivers.makers import a_machine

ON = a_machine(boots=3, builds=2)
OFF = replace(ON, power="off")
FLOATING = replace(ON, floating=Floating("172.31.99.7", "ext"))
KEPT = replace(ON, snapshots=(Snapshot(1, "kept", 20),), shots=1)


def found(**changes: Any) -> Machine:
    """A machine that is exactly as ON wants it, but for `changes`."""
    same = {
        key: getattr(ON, key)
        for key in ("id", "name", "power", "vcpu", "memory_mib", "disk_gib", "image", "boots", "builds")
    }
    return Machine(**{**same, **changes})


TABLE: dict[str, tuple[MachineSpec | None, Machine | None, tuple[Step, ...]]] = {
    # --- it is to be gone
    "absent, and it is not there": (None, None, ()),
    "absent, and it runs": (None, found(), ("delete",)),
    "absent, and it is off": (None, found(power="off"), ("delete",)),
    "absent, and only remains are there": (None, found(complete=False), ("delete",)),
    # --- it is to be there
    "on, and it is not there": (ON, None, ("create",)),
    "off, and it is not there": (OFF, None, ("create",)),
    "on, and only remains are there": (ON, found(complete=False), ("create",)),
    "remains are created whatever else differs": (
        ON, found(complete=False, vcpu=0, memory_mib=0, disk_gib=0, boots=0, builds=0, power="off"), ("create",),
    ),
    # --- it is there, and as it is wanted
    "on, and it is": (ON, found(), ()),
    "off, and it is": (OFF, found(power="off"), ()),
    # --- floating addresses
    "a floating address that leads to it": (FLOATING, found(floating_address="172.31.99.7"), ()),
    "one that does not": (FLOATING, found(), ("float",)),
    "another one that does": (FLOATING, found(floating_address="172.31.99.8"), ("float",)),
    "one that is to do so no more": (ON, found(floating_address="172.31.99.7"), ("float",)),
    "one is seen to whatever has to be done besides": (
        FLOATING, found(vcpu=9), ("stop", "resize", "start", "float"),
    ),
    "one that cannot be led keeps nothing from being stopped": (
        replace(FLOATING, power="off"), found(), ("stop", "float"),
    ),
    # --- snapshots
    "a snapshot that is there": (KEPT, found(snapshot_numbers=(1,)), ()),
    "one that is to be taken": (KEPT, found(), ("snapshot",)),
    "one that nobody wants any more": (ON, found(snapshot_numbers=(1,)), ("snapshot",)),
    "one is taken before a rebuild replaces what it is to keep": (
        KEPT, found(builds=1), ("stop", "snapshot", "rebuild", "start"),
    ),
    "a restore from one that is there": (replace(KEPT, restored=1), found(builds=1, snapshot_numbers=(1,)), (
        "stop", "rebuild", "start",
    )),
    "a restore from one that is gone takes nothing away": (
        replace(ON, restored=1), found(builds=1), ("lack",),
    ),
    "and lets it be started": (replace(ON, restored=1), found(builds=1, power="off"), ("start", "lack")),
    "one that cannot be taken keeps nothing else from being done": (
        replace(KEPT, power="off"), found(vcpu=9), ("stop", "resize", "snapshot"),
    ),
    # --- power
    "on, and it is off": (ON, found(power="off"), ("start",)),
    "off, and it runs": (OFF, found(), ("stop",)),
    # --- reboot
    "a reboot more was asked": (ON, found(boots=2), ("reboot",)),
    "a reboot more was asked, and it is off": (ON, found(boots=2, power="off"), ("start", "reboot")),
    "a reboot is still owed, wanted off": (OFF, found(boots=2), ("stop", "reboot")),
    "a reboot is still owed, off, wanted off": (OFF, found(boots=2, power="off"), ("reboot",)),
    "more reboots than were asked are no reason to act": (ON, found(boots=4), ()),
    # --- size
    "more processors, running": (ON, found(vcpu=1), ("stop", "resize", "start")),
    "less memory, running": (ON, found(memory_mib=4096), ("stop", "resize", "start")),
    "more disk, running": (ON, found(disk_gib=10), ("stop", "resize", "start")),
    "a data disk, running": (replace(ON, data_disks=(10,)), found(), ("stop", "resize", "start")),
    "a data disk, off, wanted off": (replace(OFF, data_disks=(10,)), found(power="off"), ("resize",)),
    "more disk, off, wanted on": (ON, found(disk_gib=10, power="off"), ("resize", "start")),
    "more disk, off, wanted off": (OFF, found(disk_gib=10, power="off"), ("resize",)),
    "more disk, running, wanted off": (OFF, found(disk_gib=10), ("stop", "resize")),
    # --- rebuild
    "a rebuild, running": (ON, found(builds=1), ("stop", "rebuild", "start")),
    "a rebuild, off, wanted off": (OFF, found(builds=1, power="off"), ("rebuild",)),
    "a rebuild, running, wanted off": (OFF, found(builds=1), ("stop", "rebuild")),
    "more rebuilds than were asked are no reason to act": (ON, found(builds=3), ()),
    # --- several at once
    "a rebuild and a size, running": (ON, found(builds=1, vcpu=1), ("stop", "rebuild", "resize", "start")),
    "a rebuild and a size, off, wanted off": (OFF, found(builds=1, vcpu=1, power="off"), ("rebuild", "resize")),
    "a rebuild and a reboot": (ON, found(builds=1, boots=1), ("stop", "rebuild", "start", "reboot")),
    "a size and a reboot": (ON, found(vcpu=1, boots=2), ("stop", "resize", "start", "reboot")),
    # --- it was somebody else's
    "to be adopted, whatever else differs": (
        replace(ON, adopted=True), found(vcpu=1, disk_gib=0, power="off"), ("adopt",),
    ),
    "adopted, and off": (replace(ON, adopted=True), found(adopted=True, power="off"), ("start",)),
    "adopted, and it is not there": (replace(ON, adopted=True), None, ("create",)),
    # --- what only labels it
    "another name is no reason to act": (ON, found(name="other"), ()),
    "another generation is no reason to act": (replace(ON, generation=9), found(generation=1), ()),
    "another image without a rebuild is no reason to act": (ON, found(image="other"), ()),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "observed", "steps"), TABLE.values(), ids=TABLE.keys())
def test_the_steps_lead_from_what_was_found_to_what_is_wanted(
    wanted: MachineSpec | None, observed: Machine | None, steps: tuple[Step, ...]
) -> None:
    assert plan(wanted, observed) == steps


@pytest.mark.parametrize(("wanted", "observed"), [row[:2] for row in TABLE.values()], ids=TABLE.keys())
def test_what_must_be_off_is_never_ordered_of_a_machine_that_runs(
    wanted: MachineSpec | None, observed: Machine | None
) -> None:
    runs = observed is not None and observed.power == "on"
    for step in plan(wanted, observed):
        assert not (runs and step in {"resize", "rebuild"}), "the hypervisor would refuse it"
        runs = {"create": True, "start": True, "stop": False}.get(step, runs)
