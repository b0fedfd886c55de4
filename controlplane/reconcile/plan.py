"""What has to be done to get from what was observed to what is wanted. Pure, and empty where they agree."""

from typing import Literal

from provisioners.contract import Machine, MachineSpec

Step = Literal["create", "delete", "stop", "resize", "rebuild", "start", "reboot"]


def plan(wanted: MachineSpec | None, observed: Machine | None) -> tuple[Step, ...]:
    """Return the steps in order. `wanted` None: it is to be gone; `observed` None: it is not there."""
    if wanted is None:
        return ("delete",) if observed else ()
    if observed is None or not observed.complete:
        return ("create",)
    steps: list[Step] = []
    if observed.builds < wanted.builds:
        steps.append("rebuild")
    if _size(observed) != _size(wanted):
        steps.append("resize")
    if steps and observed.power == "on":
        steps.insert(0, "stop")
    powered = observed.power == "on" and not steps
    if wanted.power == "on" and not powered:
        steps.append("start")
    elif wanted.power == "off" and powered:
        steps.append("stop")
    if observed.boots < wanted.boots:
        # A machine that was just started has booted; the driver still writes the number down.
        steps.append("reboot")
    return tuple(steps)


def _size(machine: Machine | MachineSpec) -> tuple[int, int, int]:
    return machine.vcpu, machine.memory_mib, machine.disk_gib
