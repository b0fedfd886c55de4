"""One open driver a pool, for as long as a worker lives: connections, and simulated hypervisors, are kept by it."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from controlplane.reconcile.gate import Limits, gated
from provisioners.contract import MachineDriver

Connect = Callable[[str, dict[str, Any]], MachineDriver]


class Drivers:
    """Opens the driver of a pool on first use. Safe to use from several threads."""

    def __init__(self, connect: Connect, limits: Limits | None = None) -> None:
        """With `limits`, a pool that does not answer holds up nobody but itself."""
        self._connect = connect
        self._limits = limits
        self._open: dict[UUID, tuple[dict[str, Any], MachineDriver]] = {}
        self._opening: dict[UUID, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, pool: UUID, driver: str, connection: dict[str, Any]) -> MachineDriver:
        """Return the pool's driver, a new one where `connection` has changed. May raise Unreachable."""
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

    def _gated(self, driver: MachineDriver) -> MachineDriver:
        return gated(driver, self._limits) if self._limits else driver

    def close(self) -> None:
        """Close every driver."""
        with self._lock:
            while self._open:
                self._open.popitem()[1][1].close()
