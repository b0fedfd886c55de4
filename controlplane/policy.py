"""Which role may do what: one table, read by everything that authorizes.

The powers over a centre are separated, as MLPS level 3 wants it: the system administrator runs the cloud, the security
administrator says who may do what, the audit administrator sees what both did. A user has one role, so nobody combines
them; no role can change the trail.
"""

from typing import get_args

from controlplane.actor import Actor, Role
from controlplane.errors import Forbidden

ROLES: tuple[Role, ...] = get_args(Role)

ADMINISTRATORS: frozenset[Role] = frozenset({"system_admin", "security_admin", "audit_admin"})
"""The three powers: each needs a second factor."""

OF_DEPARTMENTS: frozenset[Role] = frozenset({"department_manager", "department_member"})
"""Roles that somebody has in one department; all others are of the centre."""

_SYSTEM: frozenset[Role] = frozenset({"system_admin"})
_SECURITY: frozenset[Role] = frozenset({"security_admin"})
_AUDIT: frozenset[Role] = frozenset({"audit_admin"})
_READERS: frozenset[Role] = frozenset({"system_admin", "audit_admin", "operator", "auditor"})
_TENANT: frozenset[Role] = frozenset({"system_admin", *OF_DEPARTMENTS})
_EVERYONE: frozenset[Role] = frozenset(ROLES)

ACTIONS: dict[str, frozenset[Role]] = {
    "account.own": _EVERYONE,
    "catalogue.read": _EVERYONE,
    "department.read": _EVERYONE,
    "centre.read": _READERS,
    "pool.read": _READERS,
    "drift.read": _READERS,
    "system.read": _READERS | OF_DEPARTMENTS,
    "ingress.read": _READERS | OF_DEPARTMENTS,
    "quota.read": _READERS | OF_DEPARTMENTS,
    "request.read": _READERS | OF_DEPARTMENTS | _SECURITY,
    "request.ask": _TENANT,
    "request.comment": _TENANT | _SECURITY,
    "request.attach": _TENANT | _SECURITY,
    "request.decide": _SYSTEM | _SECURITY | {"department_manager"},
    "register.write": _SYSTEM,
    "routing.read": _READERS | OF_DEPARTMENTS | _SECURITY,
    "routing.write": _SECURITY,
    "resource.read": _READERS | OF_DEPARTMENTS,
    "resource.history": _READERS | OF_DEPARTMENTS,
    "catalogue.write": _SYSTEM,
    "department.write": _SYSTEM,
    "quota.write": _SYSTEM,
    "pool.write": _SYSTEM,
    "system.write": _SYSTEM | {"department_manager"},
    "ingress.write": _SYSTEM | {"department_manager"},
    "drift.decide": _SYSTEM | {"operator"},
    "resource.create": _TENANT,
    "resource.operate": _TENANT | {"operator"},
    "resource.change": _TENANT,
    "resource.delete": _TENANT,
    "vpn.person": _TENANT,
    "vpn.issue": _SYSTEM | {"department_manager"},
    "lease.write": _SYSTEM,
    "lease.keep": _SYSTEM | {"department_manager"},
    "lease.hold": _SECURITY,
    "user.read": _SECURITY | _AUDIT | {"department_manager"},
    "user.write": _SECURITY | {"department_manager"},
    "role.grant": _SECURITY,
    "session.read": _SECURITY | _AUDIT,
    "session.end": _SECURITY,
    "token.read": _SECURITY | _AUDIT | {"department_manager"},
    "token.revoke": _SECURITY | {"department_manager"},
    "webhook.read": _SYSTEM | {"department_manager"},
    "webhook.write": _SYSTEM | {"department_manager"},
    "policy.read": _SECURITY | _AUDIT,
    "audit.read": _AUDIT | {"department_manager"},
    "audit.export": _AUDIT,
}
"""`account.own` is one's own account: its password, second factor, sessions and tokens. A department's people see and
change only what is theirs, whatever the action: that is settled by `lookups`. Managers have users, tokens and trail of
their own department alone; of users they make members."""


def allows(actor: Actor, action: str) -> bool:
    """Tell whether the actor may do `action`; for showing or hiding, never in place of `authorize`.

    A token may do less than its owner: only what it was made for, and where somebody of the centre confined it to a
    department, only what a manager there may do too.
    """
    roles = ACTIONS[action]
    if actor.kind in {"system", "nobody"}:
        return actor.kind == "system"
    if actor.actions is not None and action not in actor.actions:
        return False
    confined = actor.scope is not None and actor.role not in OF_DEPARTMENTS
    return actor.role in roles and (not confined or "department_manager" in roles)


def authorize(actor: Actor, action: str) -> None:
    """Raise Forbidden unless the actor's role may do `action`. Whose things they are is settled by `lookups`."""
    if not allows(actor, action):
        raise Forbidden(role=actor.role, action=action)


def table() -> list[dict[str, str | bool]]:
    """Return the table with a row for each action: its name, and for each role whether it may."""
    return [{"action": action, **{role: role in roles for role in ROLES}} for action, roles in ACTIONS.items()]
