"""The worker as it is, whose hypervisors and transactions say where they are: `python -m tests.chaos.worker`.

A decorator around the driver knows the beginning and the end of each step. The half way is where a simulated hypervisor
keeps what became of an order: the volumes' files are written by then and the machine's is not. In a cloud, it is each
call that changes anything.
"""

import threading
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from importlib import import_module
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session

from controlplane import bootstrap, worker
from controlplane.bootstrap import Installation
from controlplane.models import Resource
from controlplane.settings import settings
from provisioners import libvirt_driver
from provisioners.contract import MachineDriver, MachineSpec
from provisioners.libvirt_node import NodeFiles, Shelf
from tests.chaos.traps import Point, reach

_ORDERS = {"create", "start", "stop", "reboot", "resize", "rebuild", "adopt", "delete"}
_doing = threading.local()
T = TypeVar("T")


class TrappedDriver:
    """A driver whose orders stand still at their beginning and end."""

    def __init__(self, driver: MachineDriver) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._driver, name)
        return partial(self._order, name, act) if name in _ORDERS else act

    def _order(self, step: str, act: Callable[[Any], T], order: MachineSpec | UUID) -> T:
        machine = str(order if isinstance(order, UUID) else order.id)
        reach(Point(step, "before", machine))
        _doing.step = step
        try:
            done = act(order)
        finally:
            _doing.step = None
        reach(Point(step, "after", machine))
        return done


class TrappedFiles(NodeFiles):
    """The files of a simulated hypervisor, which stand still between the volumes and the machine."""

    def write(self, shelf: Shelf, name: str, definition: str | None) -> None:
        step = getattr(_doing, "step", None)
        if shelf == "domains" and step:
            reach(Point(step, "half way", name))
        super().write(shelf, name, definition)


class TrappedInstallation(Installation):
    """An installation whose drivers are trapped."""

    def connect(self, driver: str, connection: dict[str, Any]) -> MachineDriver:
        if driver == "openstack":
            # Loaded where it is asked for alone: it is slow to load.
            import_module("tests.chaos.cloud_calls").trap()
        return cast("MachineDriver", TrappedDriver(super().connect(driver, connection)))


def _note_saved(session: Session, *_: Any) -> None:
    for changed in session.dirty:
        if isinstance(changed, Resource):
            session.info["saves"] = str(changed.id)


def _before_commit(session: Session) -> None:
    session.flush()
    if "saves" in session.info:
        reach(Point("save", "half way", session.info["saves"]))


def _after_commit(session: Session) -> None:
    if "saves" in session.info:
        reach(Point("save", "after", session.info.pop("saves")))


def main() -> None:
    libvirt_driver.NodeFiles = TrappedFiles  # type: ignore[misc]
    config = settings()
    bootstrap.configure_logging(config)
    with bootstrap.installation(config) as installation:
        event.listen(installation.sessions, "before_flush", _note_saved)
        event.listen(installation.sessions, "before_commit", _before_commit)
        event.listen(installation.sessions, "after_commit", _after_commit)
        parts = {field.name: getattr(installation, field.name) for field in fields(Installation)}
        worker.run(TrappedInstallation(**parts))


if __name__ == "__main__":
    main()
