"""Figures of VPN gateways and of the departments at them: tunnels that are up, passwords that are to be handed out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import Department, Pool, Resource, VpnAccount, VpnGroup, VpnSession
from controlplane.policy import authorize


@dataclass(frozen=True, slots=True)
class GatewayFigures:
    """What a gateway has: groups, and tunnels that are up."""

    groups: int
    tunnels: int


def of_gateways(session: Session, actor: Actor, gateways: Sequence[Pool]) -> dict[UUID, GatewayFigures]:
    """Return the figures of gateways by id, in two queries. Raises Forbidden."""
    authorize(actor, "pool.read")
    by_pool = VpnGroup.pool_id.in_([pool.id for pool in gateways])
    grouped = session.execute(select(VpnGroup.pool_id, func.count()).where(by_pool).group_by(VpnGroup.pool_id))
    groups = {row[0]: row[1] for row in grouped}
    up = VpnSession.stopped.is_(None) & VpnSession.gateway.in_([pool.code for pool in gateways])
    counted = session.execute(select(VpnSession.gateway, func.count()).where(up).group_by(VpnSession.gateway))
    tunnels = {row[0]: row[1] for row in counted}
    return {pool.id: GatewayFigures(groups.get(pool.id, 0), tunnels.get(pool.code, 0)) for pool in gateways}


def tunnels_of_groups(session: Session, actor: Actor, gateway: Pool) -> Counter[tuple[UUID, UUID | None]]:
    """Return how many tunnels are up at a gateway, by the department and the system of their accounts.

    Raises Forbidden.
    """
    authorize(actor, "pool.read")
    statement = (
        select(Resource.department_id, Resource.system_id, func.count())
        .join(VpnSession, VpnSession.resource_id == Resource.id)
        .where(VpnSession.stopped.is_(None), VpnSession.gateway == gateway.code)
        .group_by(Resource.department_id, Resource.system_id)
    )
    return Counter({(row[0], row[1]): row[2] for row in session.execute(statement)})


def waiting_for_passwords(session: Session, actor: Actor, limit: int = 200) -> list[tuple[Department, int]]:
    """Return the departments whose accounts wait for a first password, with how many do, most first.

    Raises Forbidden.
    """
    authorize(actor, "vpn.issue")
    counted = (
        select(Resource.department_id, func.count().label("accounts"))
        .join(VpnAccount, VpnAccount.resource_id == Resource.id)
        .where(VpnAccount.issued_at.is_(None), Resource.desired == "present", Resource.deleted_at.is_(None))
        .group_by(Resource.department_id)
    )
    if actor.scope is not None:
        counted = counted.where(Resource.department_id.in_(actor.scope))
    each = counted.subquery()
    statement = select(Department, each.c.accounts).join(each, each.c.department_id == Department.id)
    statement = statement.order_by(each.c.accounts.desc(), Department.code).limit(limit)
    return [(row[0], row[1]) for row in session.execute(statement)]
