"""What forms offer to choose from: what of the catalogue is offered, in the order of its codes."""

from typing import Any

from flask_babel import gettext as _

from controlplane import lookups
from controlplane.paging import MAX_LIMIT, Listing
from web.context import actor, session
from web.words import called

_ALL = Listing(MAX_LIMIT, None, "code")


def flavors() -> list[Any]:
    """Return the sizes that are offered, smaller ones first."""
    found = [f for f in lookups.flavors(session(), actor(), _ALL).items if f.offered]
    return sorted(found, key=lambda f: (f.vcpu, f.memory_mib, f.disk_gib))


def images() -> list[Any]:
    """Return the images that are offered."""
    return [i for i in lookups.images(session(), actor(), _ALL).items if i.offered]


def subnets(family: int) -> list[Any]:
    """Return the subnets of IP version 4 or 6 that machines are on, those that are a department's own last."""
    found = [s for s in _subnets() if not s.floating and (":" in s.cidr) == (family == 6)]
    return sorted(found, key=lambda s: s.department_id is not None)


def floating_subnets() -> list[Any]:
    """Return the subnets by whose addresses machines are reached from outside."""
    return [s for s in _subnets() if s.floating]


def _subnets() -> list[Any]:
    return list(lookups.subnets(session(), actor(), _ALL).items)


def subnet_words(subnet: Any) -> str:
    """Return what a form calls a subnet: its name and range, and whose own it is."""
    words = f"{called(subnet)} · {subnet.cidr}"
    if subnet.department is None:
        return words
    return str(_("%(subnet)s · only %(department)s", subnet=words, department=called(subnet.department)))
