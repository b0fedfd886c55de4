"""What the stories of the OpenStack lab share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.labs.openstack_processes import Processes
from tests.labs.report import Report


@dataclass
class Lab:
    """The cloud as Steppe's user sees it, its daemons, and where the checks are counted."""

    report: Report
    settings: dict[str, Any]
    """How Steppe's user signs in: `auth` and `region_name`, as openstacksdk takes them."""
    daemons: Processes
    folder: Path
    real: bool
    """Whether servers are guests of a real hypervisor."""
