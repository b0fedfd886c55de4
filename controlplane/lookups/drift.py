"""Reads of drift, which is of the whole centre, and of when it was last looked for."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, filtered, ids, ordered_by, uuid_of
from controlplane.models import Drift, Pool, PoolCheck, Resource
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def drift_for(session: Session, actor: Actor, ref: str | UUID, action: str = "drift.read") -> Drift:
    """Return a finding by id. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = select(Drift).where(Drift.id == uuid_of(ref, "drift")).options(*_DRIFT_PARTS)
    drift: Drift | None = session.scalar(statement)
    if drift is None:
        raise NotFound(noun="drift", name=str(ref))
    return drift


def may_decide_drift(actor: Actor) -> None:
    """Raise Forbidden unless the actor may decide on the drift of the whole centre."""
    authorize(actor, "drift.decide")


def drifts(session: Session, actor: Actor, listing: Listing) -> Page[Drift]:
    """List findings; filters: pool, kind, open."""
    authorize(actor, "drift.read")
    statement = filtered(session, select(Drift), listing.filters, _DRIFT_FILTERS).options(*_DRIFT_PARTS)
    return paginate(session, statement, ordered_by(Drift, "first_seen", default="-first_seen"), listing)


def pool_checks(session: Session, actor: Actor) -> Sequence[PoolCheck]:
    """Return when each pool was last looked at for drift, by the pool's code."""
    authorize(actor, "drift.read")
    statement = select(PoolCheck).join(Pool).options(contains_eager(PoolCheck.pool)).order_by(Pool.code)
    return session.scalars(statement.limit(_MOST_POOLS)).all()


_DRIFT_PARTS = (
    joinedload(Drift.pool),
    joinedload(Drift.resource).options(joinedload(Resource.department), joinedload(Resource.pool)),
)
_MOST_POOLS = 2000

_DRIFT_FILTERS: dict[str, Filter] = {
    "pool": lambda v: Drift.pool_id.in_(ids(Pool, v)),
    "kind": lambda v: Drift.kind == v,
    "open": lambda v: Drift.closed_at.is_(None) if v == "true" else Drift.closed_at.is_not(None),
}
