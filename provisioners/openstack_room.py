"""How much a region, or one of its zones, has: what Placement says of its compute hosts."""

from collections.abc import Iterable
from decimal import Decimal

from provisioners.contract import Room
from provisioners.openstack_link import Document, Link

OURS = {"VCPU": "vcpu", "MEMORY_MB": "memory_mib", "DISK_GB": "disk_gib"}
"""Our name of each of Placement's resource classes that we deal in."""


def room(link: Link, zone: str | None, *, disks: bool = True) -> dict[str, Room]:
    """Return what all hosts have together; hosts that share an allocation ratio or not come to one that gives the same
    in all. Without `disks` nothing is said of those of the hosts."""
    hosts = None if zone is None else _hosts(link, zone)
    inventories: dict[str, list[Document]] = {name: [] for name in OURS}
    for provider in link.few("placement", "/resource_providers", "resource_providers"):
        if hosts is None or provider["name"] in hosts:
            found = link.ask("placement", f"/resource_providers/{provider['uuid']}/inventories") or {}
            for name, inventory in found.get("inventories", {}).items():
                inventories.setdefault(name, []).append(inventory)
    return {ours: _sum(inventories[name]) for name, ours in OURS.items() if disks or ours != "disk_gib"}


def _sum(inventories: Iterable[Document]) -> Room:
    total = reserved = 0
    given_out = Decimal(0)
    for inventory in inventories:
        total += inventory["total"]
        reserved += inventory["reserved"]
        given_out += (inventory["total"] - inventory["reserved"]) * Decimal(str(inventory["allocation_ratio"]))
    usable = total - reserved
    ratio = (given_out / usable).quantize(Decimal("0.001")) if usable else Decimal(1)
    return Room(total, reserved, ratio)


def _hosts(link: Link, zone: str) -> set[str]:
    zones = link.few("compute", "/os-availability-zone/detail", "availabilityZoneInfo")
    return {host for one in zones if one["zoneName"] == zone for host in one.get("hosts") or ()}
