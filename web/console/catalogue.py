"""What forms offer to choose from: what of the catalogue is offered, in the order of its codes."""

from typing import Any

from controlplane import lookups
from controlplane.paging import MAX_LIMIT, Listing
from web.context import actor, session

_ALL = Listing(MAX_LIMIT, None, "code")


def flavors() -> list[Any]:
    """Return the sizes that are offered, smaller ones first."""
    found = [f for f in lookups.flavors(session(), actor(), _ALL).items if f.offered]
    return sorted(found, key=lambda f: (f.vcpu, f.memory_mib, f.disk_gib))


def images() -> list[Any]:
    """Return the images that are offered."""
    return [i for i in lookups.images(session(), actor(), _ALL).items if i.offered]


def subnets(family: int) -> list[Any]:
    """Return the subnets of IP version 4 or 6."""
    found = lookups.subnets(session(), actor(), _ALL).items
    return [s for s in found if (":" in s.cidr) == (family == 6)]
