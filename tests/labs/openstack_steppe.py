"""A Steppe beside the OpenStack lab's cloud, set up as an administrator would: one region, two departments, one subnet.

It is the Steppe of `make chaos`, whose worker can be caught and killed at each call that changes anything in the cloud.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.chaos.steppe import Steppe
from tests.chaos.traps import Point
from tests.cli.processes import short_folder, until
from tests.labs.openstack_content import IMAGES, SHARED_NETWORK
from tests.labs.openstack_story import Lab

T = TypeVar("T")

POOL = "region-1"
DEPARTMENT, OTHER = "water", "finance"
SMALL = {"vcpu": 1, "memory_mib": 128, "disk_gib": 1}
LARGE = {"vcpu": 2, "memory_mib": 192, "disk_gib": 1}
LIMITS = {"vm": 60, "vcpu": 120, "memory_mib": 2_000_000, "disk_gib": 600}
SETTLE_SECONDS = 240.0
_CATCH_SECONDS = 120.0
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1MpVOTSaW0eyDJMcsTG2Nl5lSvy6OZ6Cg0GbyCLs3X lab"


@contextmanager
def beside(lab: Lab, **settings: str) -> Iterator[Steppe]:
    """Give a Steppe whose one pool is the lab's region."""
    with short_folder() as folder, Steppe(folder, **settings) as running:
        _set_up(running, connection(lab))
        yield running


def connection(lab: Lab) -> dict[str, Any]:
    """Return how a pool reaches the lab's region."""
    auth = lab.settings["auth"]
    ingress = [{"protocol": "icmp"}, {"protocol": "tcp", "ports": "22", "source": "10.0.0.0/8"}]
    more = {"region_name": lab.settings["region_name"], "domain": auth["user_domain_name"], "ingress": ingress}
    return {**auth, **more}


def an_ask(name: str, department: str = DEPARTMENT, **more: Any) -> dict[str, Any]:
    """Return the body of an ask for a VM."""
    plain = {"name": name, "department": department, "system": "proof", "image": IMAGES[0], "subnets": ["gov"]}
    return {**plain, **SMALL, "ssh_keys": [_KEY], **more}


def settled(steppe: Steppe, vm: str, state: str = "running", seconds: float = SETTLE_SECONDS) -> dict[str, Any]:
    """Wait until a VM is in a state and its last order was carried out, and return it."""

    def there() -> dict[str, Any] | None:
        found = steppe.call("GET", f"/vms/{vm}").body
        seen = found.get("observed_generation") == found.get("generation")
        assert state == "faulted" or found.get("state") != "faulted", found["fault"]
        return found if found.get("state") == state and (seen or state == "faulted") else None

    return until(there, f"{vm} to be {state}", seconds)


def gone(steppe: Steppe, vm: str, seconds: float = SETTLE_SECONDS) -> None:
    """Wait until a VM is confirmed gone."""
    until(lambda: steppe.call("GET", f"/vms/{vm}").status == 404, f"{vm} to be gone", seconds)


def killed_at(steppe: Steppe, point: Point, order: Callable[[], T]) -> T:
    """Give an order and kill the worker that comes to a point on its way; return what the order gave."""
    until(steppe.whole, "all parts to run", 60)
    steppe.traps.set(point)
    try:
        given = order()
        steppe.kill("worker", steppe.traps.wait(_CATCH_SECONDS).pid)
    finally:
        steppe.traps.release()
    return given


def ends_of(calls: Iterable[str]) -> Iterator[Point]:
    """Return the points before each call is sent and after it was answered."""
    for call in calls:
        yield Point(call, "before", "")
        yield Point(call, "after", "")


def add_pool(steppe: Steppe, code: str, region: dict[str, Any]) -> None:
    """Make a pool of a connection."""
    capacity = {"vm": {}, "vcpu": {"total": 1000}, "memory_mib": {"total": 2_000_000}, "disk_gib": {"total": 600_000}}
    steppe.made(
        "/pools", code=code, name="一区", kind="vm", site="nm", mlps_level=3, driver="openstack",
        connection=region, capacity=capacity,
    )  # fmt: skip


def _set_up(steppe: Steppe, region: dict[str, Any]) -> None:
    contact = {"name": "王芳", "phone": "0471-0000001", "email": "wang@nm.example"}
    steppe.made("/sites", code="nm", name="内蒙古", name_en="Inner Mongolia", level="region")
    for code, name in ((DEPARTMENT, "水利厅"), (OTHER, "财政厅")):
        steppe.made("/departments", code=code, name=name, name_en=code.title(), site="nm", limits=LIMITS)
        steppe.made(
            "/systems", department=code, code="proof", name="实证", name_en="Proof", mlps_level=2, contact=contact
        )
    for image in IMAGES:
        steppe.made("/images", code=image, name=image, os="linux", min_disk_gib=1)
    steppe.made(
        "/subnets", code="gov", name="政务外网", site="nm", cidr="10.20.0.0/24", gateway="10.20.0.1",
        network=SHARED_NETWORK, reserved=["10.20.0.2-10.20.0.20"], excluded=["10.20.0.250-10.20.0.254"],
    )  # fmt: skip
    add_pool(steppe, POOL, region)
