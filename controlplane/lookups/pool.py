"""Reads of pools."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from controlplane.actor import Actor
from controlplane.lookups.reading import Filter, filtered, ids, one, ordered_by
from controlplane.models import Pool, PoolCheck, Site
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def pool_for(session: Session, actor: Actor, ref: str | UUID, action: str = "pool.read") -> Pool:
    """Return a pool by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return one(session, Pool, "pool", ref)


def pools(session: Session, actor: Actor, listing: Listing) -> Page[Pool]:
    """List pools; filters: kind, site."""
    authorize(actor, "pool.read")
    filters: dict[str, Filter] = {
        "kind": lambda v: Pool.kind == v,
        "site": lambda v: Pool.site_id.in_(ids(Site, v)),
    }
    statement = filtered(session, select(Pool), listing.filters, filters)
    statement = statement.options(joinedload(Pool.site), selectinload(Pool.capacity))
    return paginate(session, statement, ordered_by(Pool, "code", "name"), listing)


def checks_of(session: Session, actor: Actor, pools: Sequence[UUID]) -> dict[UUID, PoolCheck]:
    """Return when pools were last looked at, by their ids; one that never was is not among them. Raises Forbidden."""
    authorize(actor, "pool.read")
    found = session.scalars(select(PoolCheck).where(PoolCheck.pool_id.in_(pools)))
    return {check.pool_id: check for check in found}
