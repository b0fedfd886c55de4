"""Moving many VPN accounts at once: to another gateway, or to a group that reaches other systems of the department."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit, changes, jobs, lookups
from controlplane.actor import Actor
from controlplane.capacity import with_names
from controlplane.errors import Invalid
from controlplane.kinds.vpn_account import Place
from controlplane.models import Pool, Resource, System, VpnGroup
from controlplane.services.vpn_orders import KIND, Which, chosen, for_each
from quotas import ledger
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand

_ACTION = "resource.change"


@dataclass(frozen=True, slots=True)
class Target:
    """Where accounts are to be: at `gateway`, by its code, and in the group of `system` or, with `of_department`, of
    the whole department. What is left out stays as it is."""

    gateway: str | None = None
    system: str | None = None
    of_department: bool = False


class _Group(NamedTuple):
    pool: UUID
    gateway: str
    accepting: bool
    gateway_level: int
    system: UUID | None
    code: str | None
    system_level: int


def move(session: Session, actor: Actor, which: Which, target: Target) -> list[UUID]:
    """Record that accounts are to be elsewhere, all or none; return their ids.

    RADIUS lets them in there, and no longer where they were, from the caller's commit on; passwords stay good. Both
    sides' gateways are looked at, which ends the tunnels that are up where they were.

    Raises Forbidden, NotFound, Invalid, NothingFits, OverQuota where the gateway has no seats left; RowsRefused, naming
    each account that it is not possible for by its place.
    """
    if target == Target() or (target.system and target.of_department):
        raise Invalid(field="to_system", reason="say another gateway, a system, or the whole department")
    department = lookups.department_for(session, actor, which.department, _ACTION)
    system = lookups.system_of(session, actor, department.id, target.system).id if target.system else None
    refs = chosen(session, department.id, which, "move")
    groups = _groups(session, department.id)
    found = lookups.resources_locked(session, actor, KIND, refs, _ACTION)
    before = {account.pool_id for account in found.values()}
    done = for_each(
        refs, found, department.id, lambda account: _moved(session, account, _group(groups, account, target, system))
    )
    _take(session, department.id, [found[ref] for ref in refs])
    audit.record(session, actor, done)
    session.flush()
    jobs.enqueue_pools(session, before | {account.pool_id for account in found.values()}, actor.trace)
    return refs


def _groups(session: Session, department: UUID) -> Mapping[tuple[UUID, UUID | None], _Group]:
    """Return what a department has at gateways by gateway and system; none of it is closed meanwhile."""
    statement = (
        select(
            VpnGroup.pool_id,
            Pool.code,
            Pool.accepting,
            Pool.mlps_level,
            VpnGroup.system_id,
            System.code,
            System.mlps_level,
        )
        .join(Pool, Pool.id == VpnGroup.pool_id)
        .outerjoin(System, System.id == VpnGroup.system_id)
        .where(VpnGroup.department_id == department)
        .order_by(VpnGroup.id)
        .with_for_update(read=True, key_share=True, of=VpnGroup)
    )
    found = [_Group(*row[:-1], row[-1] or 1) for row in session.execute(statement)]
    return {(group.pool, group.system): group for group in found}


def _group(
    groups: Mapping[tuple[UUID, UUID | None], _Group], account: Resource, target: Target, system: UUID | None
) -> _Group:
    """Return the group that an account is to be in, of `system` where the target names one. Raises Invalid."""
    of = system if target.system or target.of_department else account.system_id
    if target.gateway:
        to = next((group for group in groups.values() if (group.gateway, group.system) == (target.gateway, of)), None)
    else:
        to = groups.get((account.pool_id, of))
    if to is None:
        where = f"gateway {target.gateway}" if target.gateway else "its gateway"
        what = "this department" if of is None else "that system"
        raise Invalid(field="to_gateway", reason=f"{where} has no group for {what}; an administrator can open one")
    if to.pool != account.pool_id and not to.accepting:
        raise Invalid(field="to_gateway", reason=f"gateway {to.gateway} takes no more accounts")
    if to.gateway_level < to.system_level:
        raise Invalid(field="to_gateway", reason=f"gateway {to.gateway} is of a lower MLPS level than system {to.code}")
    return to


def _moved(session: Session, account: Resource, to: _Group) -> list[audit.Act]:
    done = changes.do(session, account, "move", Place(gateway=to.gateway, system=to.code))
    account.pool_id, account.system_id = to.pool, to.system
    return [done]


def _take(session: Session, department: UUID, accounts: Sequence[Resource]) -> None:
    """Take the seats where accounts are now and give back those where they were. Raises OverQuota."""
    above = tuple(d for d in lookups.lineage_of(session, department) if d != department)
    demands = [Demand(one.id, department, one.demand, above, one.pool_id) for one in accounts]
    try:
        ledger.settle(session, demands)
    except QuotaExceeded as error:
        raise with_names(session, error) from error
