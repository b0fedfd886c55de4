"""Reads of VPN groups, of what accounts have beside their resource, of sessions and of logins."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor
from controlplane.errors import Invalid, NotFound
from controlplane.lookups.reading import Filter, as_uuid, filtered, ids, in_scope, ordered_by, uuid_of
from controlplane.lookups.resource import resources
from controlplane.models import Department, Pool, Resource, VpnAccount, VpnGroup, VpnLogin, VpnSession
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def vpn_group_for(
    session: Session, actor: Actor, ref: str | UUID, action: str = "resource.read", *, lock: bool = False
) -> VpnGroup:
    """Return a group by id. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = in_scope(select(VpnGroup), VpnGroup.department_id, actor).where(
        VpnGroup.id == uuid_of(ref, "VPN group")
    )
    statement = statement.with_for_update(of=VpnGroup) if lock else statement.options(*_GROUP_PARTS)
    group: VpnGroup | None = session.scalar(statement)
    if group is None:
        raise NotFound(noun="VPN group", name=str(ref))
    return group


def vpn_group_of(session: Session, actor: Actor, account: Resource) -> VpnGroup | None:
    """Return the group that carries an account which the caller has already. Raises Forbidden."""
    authorize(actor, "resource.read")
    statement = in_scope(select(VpnGroup), VpnGroup.department_id, actor).where(
        VpnGroup.pool_id == account.pool_id,
        VpnGroup.department_id == account.department_id,
        VpnGroup.system_id.is_not_distinct_from(account.system_id),
    )
    found: VpnGroup | None = session.scalar(statement)
    return found


def vpn_groups(session: Session, actor: Actor, listing: Listing) -> Page[VpnGroup]:
    """List groups; filters: department, gateway."""
    authorize(actor, "resource.read")
    statement = in_scope(select(VpnGroup), VpnGroup.department_id, actor)
    statement = filtered(session, statement, listing.filters, _GROUP_FILTERS).options(*_GROUP_PARTS)
    return paginate(session, statement, ordered_by(VpnGroup, "name", "created_at"), listing)


def vpn_accounts(session: Session, actor: Actor, listing: Listing) -> Page[Resource]:
    """List accounts; filters: those of resources; person, number: in hex what `persons` makes of whole ones; confirm:
    `due` for those that their department was told to confirm and has not."""
    return resources(session, actor, "vpn_account", listing, _ACCOUNT_FILTERS)


def vpn_accounts_of(session: Session, actor: Actor, resources: Sequence[UUID]) -> dict[UUID, VpnAccount]:
    """Return what accounts, whose resources the caller has already, have beside them; the hashes are never read."""
    statement = select(VpnAccount).where(VpnAccount.resource_id.in_(resources)).join(VpnAccount.resource)
    statement = in_scope(statement, Resource.department_id, actor)
    return {account.resource_id: account for account in session.scalars(statement)}


def vpn_session_for(
    session: Session, actor: Actor, ref: str | int, action: str = "resource.read", *, lock: bool = False
) -> VpnSession:
    """Return a tunnel by its number. Raises Forbidden, NotFound."""
    authorize(actor, action)
    number = str(ref)
    if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER):
        raise NotFound(noun="VPN session", name=number)
    statement = in_scope(select(VpnSession), VpnSession.department_id, actor).where(VpnSession.id == int(number))
    found: VpnSession | None = session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound(noun="VPN session", name=number)
    return found


def vpn_sessions(session: Session, actor: Actor, listing: Listing) -> Page[VpnSession]:
    """List tunnels, newest first; filters: up (true or false), department, gateway, account, username."""
    authorize(actor, "resource.read")
    statement = in_scope(select(VpnSession), VpnSession.department_id, actor)
    statement = filtered(session, statement, listing.filters, _SESSION_FILTERS)
    statement = statement.options(joinedload(VpnSession.department))
    return paginate(session, statement, ordered_by(VpnSession, "started", default="-started"), listing)


def vpn_logins(session: Session, actor: Actor, listing: Listing) -> Page[VpnLogin]:
    """List tries to come in, newest first; filters: accepted (true or false), department, gateway, account, username,
    reason."""
    authorize(actor, "resource.read")
    statement = in_scope(select(VpnLogin), VpnLogin.department_id, actor)
    statement = filtered(session, statement, listing.filters, _LOGIN_FILTERS)
    statement = statement.options(joinedload(VpnLogin.department))
    return paginate(session, statement, ordered_by(VpnLogin, "at", default="-at"), listing)


def _of(person: ColumnElement[bool]) -> ColumnElement[bool]:
    """Tell whether an account is a person's. The department is there so that a filter by it is one of the index."""
    accounts = select(VpnAccount.resource_id, VpnAccount.department_id).where(person)
    return tuple_(Resource.id, Resource.department_id).in_(accounts)


def _due(value: str) -> ColumnElement[bool]:
    if value != "due":
        raise Invalid(field="confirm", reason="must be due")
    return VpnAccount.confirm_told_at.is_not(None)


def _said(field: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise Invalid(field=field, reason="must be true or false")
    return value == "true"


def _codes(gateway: str) -> Select[str]:
    by_id = as_uuid(gateway)
    return select(Pool.code).where(Pool.id == by_id if by_id else Pool.code == gateway)


_LONGEST_NUMBER = 18

_GROUP_PARTS = (joinedload(VpnGroup.pool), joinedload(VpnGroup.department), joinedload(VpnGroup.system))

_GROUP_FILTERS: dict[str, Filter] = {
    "department": lambda v: VpnGroup.department_id.in_(ids(Department, v)),
    "gateway": lambda v: VpnGroup.pool_id.in_(ids(Pool, v)),
}

_ACCOUNT_FILTERS: dict[str, Filter] = {
    "person": lambda v: _of(VpnAccount.name_key == bytes.fromhex(v)),
    "number": lambda v: _of(VpnAccount.number_key == bytes.fromhex(v)),
    "confirm": lambda v: _of(_due(v)),
}

_SESSION_FILTERS: dict[str, Filter] = {
    "up": lambda v: VpnSession.stopped.is_(None) if _said("up", v) else VpnSession.stopped.is_not(None),
    "department": lambda v: VpnSession.department_id.in_(ids(Department, v)),
    "gateway": lambda v: VpnSession.gateway.in_(_codes(v)),
    "account": lambda v: VpnSession.resource_id == uuid_of(v, "VPN account"),
    "username": lambda v: VpnSession.username == v,
}

_LOGIN_FILTERS: dict[str, Filter] = {
    "accepted": lambda v: VpnLogin.accepted.is_(_said("accepted", v)),
    "department": lambda v: VpnLogin.department_id.in_(ids(Department, v)),
    "gateway": lambda v: VpnLogin.gateway.in_(_codes(v)),
    "account": lambda v: VpnLogin.resource_id == uuid_of(v, "VPN account"),
    "username": lambda v: VpnLogin.username == v,
    "reason": lambda v: VpnLogin.reason == v,
}
