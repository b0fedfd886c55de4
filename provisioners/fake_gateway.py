"""A VPN gateway in memory, for model centres and for tests: it carries groups and the sessions that it is given.

Gateways are named and outlive the driver objects that look at them, as a real one would.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from provisioners.contract import Rejected, Tunnel, TunnelGroup

Step = Literal["groups", "set_groups", "tunnels", "disconnect"]


@dataclass
class _Gateway:
    groups: frozenset[TunnelGroup] = frozenset()
    tunnels: dict[str, Tunnel] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)


_GATEWAYS: defaultdict[tuple[str, str], _Gateway] = defaultdict(_Gateway)


class FakeGateway:
    """One named gateway. Safe to use from several threads."""

    def __init__(self, gateway: _Gateway) -> None:
        self._gateway = gateway
        self._faults: defaultdict[Step, deque[Exception]] = defaultdict(deque)
        self.calls: list[Step] = []

    def fail_next(self, step: Step, error: Exception) -> None:
        """Make the next call of `step` raise `error` before anything has happened."""
        self._faults[step].append(error)

    def put(self, tunnel: Tunnel) -> None:
        """Let a session be up, as if its user had just come in."""
        with self._gateway.lock:
            self._gateway.tunnels[tunnel.session] = tunnel

    def groups(self) -> frozenset[TunnelGroup]:
        self._call("groups")
        return self._gateway.groups

    def set_groups(self, groups: Collection[TunnelGroup]) -> None:
        self._call("set_groups")
        self._gateway.groups = frozenset(groups)

    def tunnels(self) -> list[Tunnel]:
        self._call("tunnels")
        with self._gateway.lock:
            return list(self._gateway.tunnels.values())

    def disconnect(self, sessions: Collection[str]) -> None:
        self._call("disconnect")
        with self._gateway.lock:
            for session in sessions:
                self._gateway.tunnels.pop(session, None)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _call(self, step: Step) -> None:
        self.calls.append(step)
        if self._faults[step]:
            raise self._faults[step].popleft()


def connect(connection: Mapping[str, Any], state_dir: Path) -> FakeGateway:
    """Return the gateway that `connection` names by `gateway`. Raises Rejected for one without a name."""
    name = connection.get("gateway")
    if not isinstance(name, str) or not name:
        raise Rejected("gateway.connection", "the connection needs a name for the simulated gateway: gateway")
    return FakeGateway(_GATEWAYS[str(state_dir), name])
