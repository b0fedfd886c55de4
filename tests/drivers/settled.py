"""A driver whose pool works by itself, made to wait: each order is given until it is done."""

import time
from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar
from uuid import UUID

from provisioners.contract import (
    FloatingDriver,
    Machine,
    MachineDriver,
    MachineSpec,
    SnapshotDriver,
    Underway,
    Unreachable,
)

T = TypeVar("T")

LIMIT_SECONDS = 180.0


class Settled:
    """The driver inside, for a suite that speaks of what has come of an order."""

    def __init__(self, inside: MachineDriver) -> None:
        self.inside = inside

    def observe(self, ids: Collection[UUID]) -> dict[UUID, Machine]:
        return self.inside.observe(ids)

    def create(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.create(spec))

    def start(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.start(spec))

    def stop(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.stop(spec))

    def reboot(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.reboot(spec))

    def resize(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.resize(spec))

    def rebuild(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.rebuild(spec))

    def adopt(self, spec: MachineSpec) -> None:
        self._done(spec.id, lambda: self.inside.adopt(spec))

    def set_floating(self, spec: MachineSpec) -> None:
        assert isinstance(self.inside, FloatingDriver)
        self._done(spec.id, partial(self.inside.set_floating, spec))

    def set_snapshots(self, spec: MachineSpec) -> None:
        assert isinstance(self.inside, SnapshotDriver)
        self._done(spec.id, partial(self.inside.set_snapshots, spec))

    def delete(self, machine: UUID) -> tuple[str, ...]:
        return self._done(machine, lambda: self.inside.delete(machine))

    def discover(self) -> list[Machine]:
        return self.inside.discover()

    def inspect(self, machine: UUID) -> Machine | None:
        return self.inside.inspect(machine)

    def close(self) -> None:
        self.inside.close()

    def _done(self, machine: UUID, order: Callable[[], T]) -> T:
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                return order()
            except Underway as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{machine} still has something to wait for: {error}") from error
                self._rest(machine, deadline)
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _rest(self, machine: UUID, deadline: float) -> None:
        while (found := self.inside.observe([machine]).get(machine)) and found.busy:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{machine} is still busy after {LIMIT_SECONDS:g} s")
            time.sleep(0.2)
