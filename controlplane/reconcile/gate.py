"""A gate before each pool: one that does not answer holds up nobody but itself.

A call to a hypervisor may never return. So no job waits for one longer than a limit, and no more than a few calls to
one pool are under way at once: where none of them has come back for a while, the next is refused instead of waiting.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TypeVar
from uuid import UUID

from provisioners.contract import (
    Astray,
    CatalogueDriver,
    CatalogueMatch,
    Driver,
    FloatingDriver,
    GatewayDriver,
    Ingress,
    Machine,
    MachineDriver,
    MachineSpec,
    OfferedFlavor,
    OfferedImage,
    Room,
    RoomDriver,
    SnapshotDriver,
    Tenant,
    TenantDriver,
    Tunnel,
    TunnelGroup,
    Unreachable,
)

T = TypeVar("T")

_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """At most `calls` under way at once; each may take `seconds`; a full gate at which nothing has moved for
    `patience` seconds lets nobody wait any more."""

    calls: int
    seconds: float
    patience: float = 5.0


class Gate:
    """The gate of one pool. Safe to use from several threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = Condition()
        self._inside = 0
        self._moved = time.monotonic()

    def call(self, act: Callable[[], T], seconds: float | None = None) -> T:
        """Return what `act` returns. Raises Unreachable where it may not begin or does not end in time.

        What did not end in time keeps its place at the gate until it does.
        """
        self._enter()
        answer: Future[T] = Future()
        Thread(target=copy_context().run, args=(self._do, act, answer), daemon=True).start()
        limit = seconds or self._limits.seconds
        try:
            return answer.result(limit)
        except TimeoutError:
            if answer.done():
                raise
            raise Unreachable(f"the pool has not answered within {limit:g} s") from None

    def _do(self, act: Callable[[], T], answer: "Future[T]") -> None:
        try:
            result = act()
        except BaseException as error:
            self._leave()
            answer.set_exception(error)
        else:
            self._leave()
            answer.set_result(result)

    def _enter(self) -> None:
        with self._changed:
            while self._inside >= self._limits.calls:
                left = self._moved + self._limits.patience - time.monotonic()
                if left <= 0:
                    raise Unreachable(f"the pool does not answer: {self._inside} calls to it hang")
                self._changed.wait(left)
            self._inside += 1
            self._moved = time.monotonic()

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._moved = time.monotonic()
            self._changed.notify()


def gated(driver: Driver, limits: Limits) -> Driver:
    """Return a driver behind a gate of its own, offering what the driver offers."""
    if isinstance(driver, GatewayDriver):
        return GatedGateway(driver, Gate(limits))
    behind = next((before for offers, before in _BEHIND if all(isinstance(driver, o) for o in offers)), GatedDriver)
    return behind(driver, Gate(limits))


class GatedDriver:
    """A driver behind its pool's gate."""

    def __init__(self, driver: MachineDriver, gate: Gate) -> None:
        self._driver = driver
        self._gate = gate

    def observe(self, ids: Collection[UUID]) -> dict[UUID, Machine]:
        return self._gate.call(lambda: self._driver.observe(ids))

    def create(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.create(spec))

    def start(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.start(spec))

    def stop(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.stop(spec))

    def reboot(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.reboot(spec))

    def resize(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.resize(spec))

    def rebuild(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.rebuild(spec))

    def adopt(self, spec: MachineSpec) -> None:
        self._gate.call(lambda: self._driver.adopt(spec))

    def delete(self, machine: UUID) -> tuple[str, ...]:
        return self._gate.call(lambda: self._driver.delete(machine))

    def inspect(self, machine: UUID) -> Machine | None:
        return self._gate.call(lambda: self._driver.inspect(machine))

    def discover(self) -> list[Machine]:
        return self._gate.call(self._driver.discover)

    def close(self) -> None:
        _close(self._gate, self._driver)


class GatedCatalogue(GatedDriver):
    """A driver that knows what the catalogue is in its pool, behind its pool's gate."""

    def match_catalogue(self, images: Collection[OfferedImage], flavors: Collection[OfferedFlavor]) -> CatalogueMatch:
        assert isinstance(self._driver, CatalogueDriver)  # noqa: S101 - `gated` saw to it
        known = self._driver
        return self._gate.call(lambda: known.match_catalogue(images, flavors))


class GatedNode(GatedDriver):
    """A driver of machines that have floating addresses and snapshots, behind its pool's gate."""

    def set_floating(self, spec: MachineSpec) -> None:
        assert isinstance(self._driver, FloatingDriver)  # noqa: S101 - `gated` saw to it
        known = self._driver
        self._gate.call(lambda: known.set_floating(spec))

    def set_snapshots(self, spec: MachineSpec) -> None:
        assert isinstance(self._driver, SnapshotDriver)  # noqa: S101 - `gated` saw to it
        known = self._driver
        self._gate.call(lambda: known.set_snapshots(spec))


class GatedCloud(GatedCatalogue, GatedNode):
    """A driver of a cloud, which offers all that there is to offer, behind its pool's gate."""

    def room(self) -> dict[str, Room]:
        assert isinstance(self._driver, RoomDriver)  # noqa: S101 - `gated` saw to it
        return self._gate.call(self._driver.room)

    def limited(self) -> tuple[str, ...]:
        return self._gate.call(lambda: self._tenants().limited())

    def tenants(self, departments: Collection[str]) -> dict[str, Tenant]:
        return self._gate.call(lambda: self._tenants().tenants(departments))

    def set_tenant(self, department: str, limits: dict[str, int | None], ingress: Collection[Ingress]) -> Tenant:
        return self._gate.call(lambda: self._tenants().set_tenant(department, limits, ingress))

    def astray(self, ingress: Mapping[str, Collection[Ingress]]) -> dict[str, Astray]:
        return self._gate.call(lambda: self._tenants().astray(ingress))

    def networks(self, departments: Collection[str]) -> dict[str, frozenset[tuple[str, str]]]:
        return self._gate.call(lambda: self._tenants().networks(departments))

    def remove_network(self, department: str, network: str, cidr: str) -> None:
        self._gate.call(lambda: self._tenants().remove_network(department, network, cidr))

    def remove_tenant(self, department: str) -> None:
        self._gate.call(lambda: self._tenants().remove_tenant(department))

    def _tenants(self) -> TenantDriver:
        assert isinstance(self._driver, TenantDriver)  # noqa: S101 - `gated` saw to it
        return self._driver


_BEHIND: tuple[tuple[tuple[type, ...], type[GatedDriver]], ...] = (
    ((TenantDriver, RoomDriver, CatalogueDriver, FloatingDriver, SnapshotDriver), GatedCloud),
    ((CatalogueDriver,), GatedCatalogue),
    ((FloatingDriver, SnapshotDriver), GatedNode),
)
"""What stands before a driver that offers all of these, the first that fits."""


class GatedGateway:
    """The driver of a VPN gateway behind its gate."""

    def __init__(self, driver: GatewayDriver, gate: Gate) -> None:
        self._driver = driver
        self._gate = gate

    def groups(self) -> frozenset[TunnelGroup]:
        return self._gate.call(self._driver.groups)

    def set_groups(self, groups: Collection[TunnelGroup]) -> None:
        self._gate.call(lambda: self._driver.set_groups(groups))

    def tunnels(self) -> list[Tunnel]:
        return self._gate.call(self._driver.tunnels)

    def disconnect(self, sessions: Collection[str]) -> None:
        self._gate.call(lambda: self._driver.disconnect(sessions))

    def close(self) -> None:
        _close(self._gate, self._driver)


def _close(gate: Gate, driver: Driver) -> None:
    """Close a driver, or leave it where it hangs."""
    with suppress(Unreachable):
        gate.call(driver.close, _CLOSE_SECONDS)
