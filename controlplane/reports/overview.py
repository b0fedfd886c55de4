"""What the overview page shows: capacity, what is in transition or faulted, and the figures of who is asking."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from controlplane import lifecycle
from controlplane.actor import Actor
from controlplane.models import Resource
from controlplane.policy import authorize
from quotas import metering


@dataclass(frozen=True, slots=True)
class Gauge:
    """Use of one class against its limit, None for no limit."""

    resource_class: str
    limit: int | None
    used: int
    held: int


def capacity(session: Session, actor: Actor) -> list[Gauge]:
    """Return the gauges of all pools together for the centre's people, else those of the actor's own department."""
    if actor.scope is None:
        authorize(actor, "centre.read")
        return [Gauge(*row) for row in metering.totals(session, "pool")]
    authorize(actor, "quota.read")
    own = metering.balances(session, [actor.department] if actor.department else [])
    return [Gauge(b.resource_class, b.limit, b.used, b.held) for found in own.values() for b in found]


def states(session: Session, actor: Actor) -> dict[str, int]:
    """Return how many resources are in each state."""
    authorize(actor, "resource.read")
    statement = select(Resource.state, func.count()).where(Resource.deleted_at.is_(None)).group_by(Resource.state)
    if actor.scope is not None:
        statement = statement.where(Resource.department_id.in_(actor.scope))
    return {row[0]: row[1] for row in session.execute(statement)}


def attention(session: Session, actor: Actor, limit: int = 20) -> Sequence[Resource]:
    """Return the resources that are faulted or in transition, faulted ones first, then the longest waiting."""
    authorize(actor, "resource.read")
    statement = (
        select(Resource)
        .where(Resource.state.in_(lifecycle.IN_TRANSITION | {"faulted"}), Resource.deleted_at.is_(None))
        .options(joinedload(Resource.department))
        .order_by((Resource.state != "faulted"), Resource.updated_at, Resource.id)
        .limit(limit)
    )
    if actor.scope is not None:
        statement = statement.where(Resource.department_id.in_(actor.scope))
    return session.scalars(statement).all()
