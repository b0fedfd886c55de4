"""One open driver a pool, for as long as a worker lives: connections, and simulated hypervisors, are kept by it."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from controlplane.reconcile.gate import Limits, gated
from provisioners.contract import Driver, GatewayDriver, MachineDriver, Rejected

Connect = Callable[[str, dict[str, Any]], Driver]


class Drivers:
    """Opens the driver of a pool on first use. Safe to use from several threads."""

    def __init__(self, connect: Connect, limits: Limits | None = None) -> None:
        """With `limits`, a pool that does not answer holds up nobody but itself."""
        self._connect = connect
        self._limits = limits
        self._open: dict[UUID, tuple[dict[str, Any], Driver]] = {}
        self._opening: dict[UUID, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, pool: UUID, driver: str, connection: dict[str, Any]) -> MachineDriver:
        """Return the driver of a pool of machines, a new one where `connection` has changed. Raises Rejected for a
        gateway; may raise Unreachable."""
        opened = self.opened(pool, driver, connection)
        if isinstance(opened, GatewayDriver):
            raise Rejected("driver.no_machines", f"{driver} drives gateways, which have no machines")
        return opened

    def gateway(self, pool: UUID, driver: str, connection: dict[str, Any]) -> GatewayDriver:
        """Return the driver of a gateway likewise. Raises Rejected for what is none; may raise Unreachable."""
        opened = self.opened(pool, driver, connection)
        if not isinstance(opened, GatewayDriver):
            raise Rejected("driver.no_gateway", f"{driver} drives machines, and no gateway")
        return opened

    def opened(self, pool: UUID, driver: str, connection: dict[str, Any]) -> Driver:
        """Return the driver of a pool of either sort. May raise Unreachable."""
        with self._lock:
            opening = self._opening.setdefault(pool, threading.Lock())
        # A lock a pool: one that is slow to answer must not hold up the others.
        with opening:
            known, opened = self._open.get(pool, (None, None))
            if opened is None or known != connection:
                if opened is not None:
                    opened.close()
                opened = self._gated(self._connect(driver, connection))
                self._open[pool] = (connection, opened)
            return opened

    def _gated(self, driver: Driver) -> Driver:
        return gated(driver, self._limits) if self._limits else driver

    def close(self) -> None:
        """Close every driver."""
        with self._lock:
            while self._open:
                self._open.popitem()[1][1].close()
