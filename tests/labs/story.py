"""What every story of a lab works with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.labs.guests import Guest, Key
from tests.labs.hypervisors import Hypervisor, Site
from tests.labs.report import Report
from tests.labs.steppe_process import Steppe

ORDER_SECONDS = 120
"""An order that only waits for a guest to shut down is carried out within this."""


@dataclass
class Lab:
    """All that a story needs. `vms` and `boots` hold what earlier stories made, by name of the VM."""

    report: Report
    site: Site
    steppe: Steppe
    key: Key
    folder: Path
    vms: dict[str, Any] = field(default_factory=dict)
    boots: dict[str, str] = field(default_factory=dict)
    before: dict[str, set[str]] = field(default_factory=dict)

    def guest(self, name: str) -> Guest:
        return Guest(self.site, self.key, self.vms[name]["addresses"][0]["address"])

    def host_of(self, name: str) -> Hypervisor:
        return next(h for h in self.site.hypervisors if h.name == self.vms[name]["pool"])

    def domain(self, name: str) -> str:
        return f"{name}-{self.vms[name]['id'].replace('-', '')[-8:]}"

    def order(self, name: str, verb: str, body: Any = None) -> None:
        self.steppe.ask(f"/vms/{self.vms[name]['id']}/{verb}", body)

    def settled(self, name: str, state: str, seconds: float = ORDER_SECONDS) -> Any:
        self.vms[name] = self.steppe.settled(self.vms[name]["id"], state, seconds)
        return self.vms[name]
