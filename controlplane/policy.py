"""Which role may do what: one table, read by everything that authorizes."""

from typing import get_args

from controlplane.actor import Actor, Role
from controlplane.errors import Forbidden

ROLES: tuple[Role, ...] = get_args(Role)

_ADMIN: frozenset[Role] = frozenset({"system_admin"})
_TENANT: frozenset[Role] = frozenset({"system_admin", "department_manager", "department_member"})
_EVERYONE: frozenset[Role] = frozenset(ROLES)

ACTIONS: dict[str, frozenset[Role]] = {
    "centre.read": frozenset({"system_admin", "auditor"}),
    "catalogue.read": _EVERYONE,
    "catalogue.write": _ADMIN,
    "department.read": _EVERYONE,
    "department.write": _ADMIN,
    "system.read": _EVERYONE,
    "system.write": frozenset({"system_admin", "department_manager"}),
    "quota.read": _EVERYONE,
    "quota.write": _ADMIN,
    "pool.read": frozenset({"system_admin", "auditor"}),
    "pool.write": _ADMIN,
    "drift.read": frozenset({"system_admin", "auditor"}),
    "drift.decide": _ADMIN,
    "resource.read": _EVERYONE,
    "resource.create": _TENANT,
    "resource.change": _TENANT,
    "resource.delete": _TENANT,
    "request.read": _EVERYONE,
    "audit.read": frozenset({"system_admin", "auditor", "department_manager"}),
    "token.write": frozenset({"system_admin", "department_manager"}),
}


def allows(actor: Actor, action: str) -> bool:
    """Tell whether the actor's role may do `action`; for showing or hiding, never in place of `authorize`."""
    return actor.role in ACTIONS[action]


def authorize(actor: Actor, action: str) -> None:
    """Raise Forbidden unless the actor's role may do `action`. Whose things they are is settled by `lookups`."""
    if not allows(actor, action):
        raise Forbidden(role=actor.role, action=action)
