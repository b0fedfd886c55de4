"""What the overview page shows: capacity, what is in transition or faulted, and the figures of who is asking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from controlplane import lifecycle
from controlplane.actor import Actor
from controlplane.models import Department, Pool, Resource
from controlplane.policy import authorize
from quotas import metering
from quotas.metering import Balance


@dataclass(frozen=True, slots=True)
class PoolUse:
    """A pool with its balances by class."""

    pool: Pool
    balances: Mapping[str, Balance]


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


def states(
    session: Session, actor: Actor, kind: str, department: UUID | None = None, system: UUID | None = None
) -> dict[str, int]:
    """Return how many resources of a kind are in each state: of all that the actor sees, of one department or of one
    system."""
    authorize(actor, "resource.read")
    statement = select(Resource.state, func.count()).where(Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = statement.group_by(Resource.state)
    if actor.scope is not None:
        statement = statement.where(Resource.department_id.in_(actor.scope))
    if department is not None:
        statement = statement.where(Resource.department_id == department)
    if system is not None:
        statement = statement.where(Resource.system_id == system)
    return {row[0]: row[1] for row in session.execute(statement)}


def attention(session: Session, actor: Actor, limit: int = 20) -> Sequence[Resource]:
    """Return the resources that are faulted or in transition, faulted ones first, then the longest waiting."""
    authorize(actor, "resource.read")
    statement = (
        select(Resource)
        .where(Resource.state.in_(lifecycle.IN_TRANSITION | {"faulted"}), Resource.deleted_at.is_(None))
        .options(joinedload(Resource.department), joinedload(Resource.system))
        .order_by((Resource.state != "faulted"), Resource.updated_at, Resource.id)
        .limit(limit)
    )
    if actor.scope is not None:
        statement = statement.where(Resource.department_id.in_(actor.scope))
    return session.scalars(statement).all()


def pools(session: Session, actor: Actor, kind: str, limit: int = 100) -> list[PoolUse]:
    """Return the first pools of a kind by code, each with its balances by class, in two queries."""
    authorize(actor, "pool.read")
    statement = select(Pool).where(Pool.kind == kind).options(joinedload(Pool.site)).order_by(Pool.code).limit(limit)
    found = session.scalars(statement).all()
    balances = metering.balances(session, [pool.id for pool in found])
    return [PoolUse(pool, {b.resource_class: b for b in balances.get(pool.id, ())}) for pool in found]


def largest(session: Session, actor: Actor, resource_class: str, limit: int = 10) -> list[tuple[Department, int, int]]:
    """Return (department, used, held) of those that have used and hold most of a class, most first."""
    authorize(actor, "centre.read")
    rows = metering.largest(session, "department", resource_class, limit)
    statement = select(Department).where(Department.id.in_([owner for owner, _used, _held in rows]))
    named = {department.id: department for department in session.scalars(statement)}
    return [(named[owner], used, held) for owner, used, held in rows if owner in named]
