"""Doing the planned steps through a driver, one by one. A step that was done already is no error."""

from collections.abc import Callable, Sequence
from uuid import UUID

import structlog

from controlplane.reconcile.plan import Step
from provisioners.contract import (
    LOST,
    FloatingDriver,
    MachineDriver,
    MachineSpec,
    Missing,
    Rejected,
    SnapshotDriver,
    Unreachable,
)

Apply = Callable[[MachineDriver, MachineSpec], None]


def _float(driver: MachineDriver, spec: MachineSpec) -> None:
    if not isinstance(driver, FloatingDriver):
        raise Rejected("floating.not_here", "machines of this pool have no floating addresses")
    driver.set_floating(spec)


def _snapshot(driver: MachineDriver, spec: MachineSpec) -> None:
    if not isinstance(driver, SnapshotDriver):
        raise Rejected("snapshot.not_here", "machines of this pool have no snapshots")
    driver.set_snapshots(spec)


def _lack(_driver: MachineDriver, spec: MachineSpec) -> None:
    detail = f"what {spec.name} was to be restored from is gone: restore it from another snapshot, or rebuild it"
    raise Rejected(f"vm{LOST}", detail)


STEPS: dict[Step, Apply] = {
    "create": lambda driver, spec: driver.create(spec),
    "start": lambda driver, spec: driver.start(spec),
    "stop": lambda driver, spec: driver.stop(spec),
    "reboot": lambda driver, spec: driver.reboot(spec),
    "resize": lambda driver, spec: driver.resize(spec),
    "rebuild": lambda driver, spec: driver.rebuild(spec),
    "adopt": lambda driver, spec: driver.adopt(spec),
    "float": _float,
    "snapshot": _snapshot,
    "lack": _lack,
}

log = structlog.get_logger(__name__)


def apply(driver: MachineDriver, resource: UUID, spec: MachineSpec | None, steps: Sequence[Step]) -> tuple[str, ...]:
    """Do `steps`; return the disks that a delete left. Raises Rejected; Unreachable also where something vanished that
    a step needs: look again later."""
    left: tuple[str, ...] = ()
    for step in steps:
        log.info("step", resource=str(resource), step=step)
        if spec is None:
            left += _delete(driver, resource)
        else:
            _do(driver, step, spec)
    return left


def _do(driver: MachineDriver, step: Step, spec: MachineSpec) -> None:
    try:
        STEPS[step](driver, spec)
    except Missing as error:
        raise Unreachable(f"{spec.name} vanished while it was being worked on; looking again") from error


def _delete(driver: MachineDriver, resource: UUID) -> tuple[str, ...]:
    try:
        left = driver.delete(resource)
    except Missing:
        log.info("gone already", resource=str(resource))
        return ()
    if left:
        log.warning("disks left", resource=str(resource), disks=left)
    return left
