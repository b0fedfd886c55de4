"""The fields that describe new machines, in whichever form they stand: how they begin, and what they offer."""

from typing import Any

from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import MAX_LIMIT, Listing
from web.console import catalogue, choosing, sizes, vm_draft
from web.context import actor, session
from web.words import called


def at_first() -> dict[str, str]:
    """Return the fields as they stand before anything is typed."""
    department = own()
    flavors, images, subnets = catalogue.flavors(), catalogue.images(), catalogue.subnets(4)
    return {
        "department": choosing.written(department) if department else "",
        "count": "1",
        "flavor": flavors[0].code if flavors else "",
        "image": images[0].code if images else "",
        "subnet4": subnets[0].code if subnets else "",
    }


def choices(department: Any) -> dict[str, Any]:
    """Return what the fields offer to choose from, for a department, or None while it is not known."""
    return {
        "systems": _systems(department),
        "sizes": sizes.options(catalogue.flavors()),
        "images": [(i.code, called(i)) for i in catalogue.images()],
        "subnets4": [(s.code, catalogue.subnet_words(s)) for s in catalogue.subnets(4)],
        "subnets6": [(s.code, catalogue.subnet_words(s)) for s in catalogue.subnets(6)],
        "floating": [(s.code, catalogue.subnet_words(s)) for s in catalogue.floating_subnets()],
        "most": vm_draft.MOST_AT_ONCE,
    }


def own() -> Any:
    """Return the department that the reader is of, if any."""
    department = actor().department
    return lookups.department_for(session(), actor(), department, "department.read") if department else None


def only() -> Any:
    """Return the department that the reader asks for, where it can be no other."""
    return own() if actor().scope is not None and len(actor().scope or ()) == 1 else None


def department(typed: str) -> Any:
    """Return the department that was typed; None where nothing is, or none is called so."""
    try:
        return choosing.department(typed) if typed else None
    except NotFound:
        return None


def systems(department: Any) -> list[tuple[str, str]]:
    """Return the systems of a department to choose from, each with its MLPS level."""
    found = lookups.systems(session(), actor(), Listing(MAX_LIMIT, None, "name", {"department": str(department.id)}))
    return [(s.code, _("%(name)s · MLPS %(level)s", name=called(s), level=s.mlps_level)) for s in found.items]


def _systems(department: Any) -> list[tuple[str, str]]:
    if department is None:
        return [("", _("Choose the department first"))]
    named = systems(department)
    return [("", _("Choose a system")), *named] if named else [("", _("This department has no system yet"))]
