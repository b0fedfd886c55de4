"""What has to be done to get from what was observed to what is wanted. Pure, and empty where they agree."""

from typing import Literal

from controlplane.reconcile.differences import ADOPTED, EXISTENCE, differences
from provisioners.contract import Machine, MachineSpec

Step = Literal["create", "delete", "stop", "resize", "rebuild", "start", "reboot", "adopt", "float", "snapshot", "lack"]

_SIZES = frozenset({"vcpu", "memory_mib", "disk_gib", "data_disks"})


def plan(wanted: MachineSpec | None, observed: Machine | None) -> tuple[Step, ...]:
    """Return the steps in order. `wanted` None: it is to be gone; `observed` None: it is not there."""
    differing = differences(wanted, observed).keys()
    if EXISTENCE in differing:
        return ("create",) if wanted else ("delete",)
    if ADOPTED in differing:
        return ("adopt",)
    if wanted is None or observed is None:
        return ()
    # What the disk was to be made from may be gone: that must take nothing from the disk which is there.
    possible = wanted.restored in {None, *observed.snapshot_numbers}
    steps: list[Step] = []
    if "builds" in differing and possible:
        steps.append("rebuild")
    if differing & _SIZES:
        steps.append("resize")
    if steps and observed.power == "on":
        steps.insert(0, "stop")
    powered = observed.power == "on" and not steps
    if wanted.power == "on" and not powered:
        steps.append("start")
    elif wanted.power == "off" and powered:
        steps.append("stop")
    if "boots" in differing:
        # A machine that was just started has booted; the driver still writes the number down.
        steps.append("reboot")
    if "floating_address" in differing:
        # The last: an address that cannot be led must not keep a machine from being stopped.
        steps.append("float")
    if "snapshot_numbers" in differing:
        # So is one that cannot be taken; but what a rebuild is about to replace is to be kept first.
        steps.insert(steps.index("rebuild") if "rebuild" in steps else len(steps), "snapshot")
    if "builds" in differing and not possible:
        steps.append("lack")
    return tuple(steps)
