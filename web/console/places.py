"""Filters that lists of resources have in common: by department, by system, by pool."""

from collections.abc import Sequence
from uuid import UUID

from flask import request
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import Invalid, NotFound
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.policy import allows
from web.console import choosing
from web.console.lists import Filter
from web.context import actor, session
from web.words import called

_OFFERED = 200


def departments() -> list[Filter]:
    """Return the filter by department, for those who see more than one."""
    several = actor().scope is None or len(actor().scope or ()) > 1
    return [choosing.filter_of_departments()] if several else []


def systems() -> list[Filter]:
    """Return the filter by system."""
    if not allows(actor(), "system.read"):
        return []
    return [Filter("system", _("System"), _systems(), said=_system_said())]


def pools(kind: str, label: str, name: str = "pool") -> list[Filter]:
    """Return the filter by pool, for those who may know of pools."""
    return [Filter(name, label, pools_of(kind))] if allows(actor(), "pool.read") else []


def pools_of(kind: str) -> list[tuple[str, str]]:
    """Return the pools of a kind to choose from."""
    found = lookups.pools(session(), actor(), Listing(_OFFERED, None, "code", {"kind": kind}))
    return [(pool.code, called(pool)) for pool in found.items]


def chosen(kind: str, given: Sequence[str]) -> list[UUID]:
    """Return the ids of what was chosen in a list, each once. Raises NotFound, Invalid."""
    try:
        refs = list(dict.fromkeys(UUID(ref) for ref in given))
    except ValueError:
        raise NotFound(noun=kind, name="?") from None
    if len(refs) > MAX_LIMIT:
        raise Invalid(field="id", reason=_("at most %(most)s at once", most=MAX_LIMIT))
    return refs


def _systems() -> list[tuple[str, str]]:
    """Return the systems to choose from once the department is chosen: of all there are too many to look through."""
    own = actor().department
    department = request.args.get("department") or (str(own) if own else "")
    if not department:
        return []
    found = lookups.systems(session(), actor(), Listing(_OFFERED, None, "name", {"department": department}))
    return [(str(system.id), called(system)) for system in found.items]


def _system_said() -> str:
    value = request.args.get("system", "")
    try:
        return called(lookups.system_for(session(), actor(), value, "system.read")) if value else ""
    except NotFound:
        return value
