"""Doing the planned steps through a driver, one by one. A step that was done already is no error."""

from collections.abc import Callable, Sequence
from uuid import UUID

import structlog

from controlplane.reconcile.plan import Step
from provisioners.contract import MachineDriver, MachineSpec, Missing

Apply = Callable[[MachineDriver, MachineSpec], None]

STEPS: dict[Step, Apply] = {
    "create": lambda driver, spec: driver.create(spec),
    "start": lambda driver, spec: driver.start(spec),
    "stop": lambda driver, spec: driver.stop(spec),
    "reboot": lambda driver, spec: driver.reboot(spec),
    "resize": lambda driver, spec: driver.resize(spec),
    "rebuild": lambda driver, spec: driver.rebuild(spec),
}

log = structlog.get_logger(__name__)


def apply(driver: MachineDriver, resource: UUID, spec: MachineSpec | None, steps: Sequence[Step]) -> None:
    """Do `steps`. Raises Unreachable, Rejected, and Missing where something vanished that a step needs."""
    for step in steps:
        log.info("step", resource=str(resource), step=step)
        if spec is None:
            _delete(driver, resource)
        else:
            STEPS[step](driver, spec)


def _delete(driver: MachineDriver, resource: UUID) -> None:
    try:
        driver.delete(resource)
    except Missing:
        log.info("gone already", resource=str(resource))
