"""Reads of what everybody may choose from: sites, flavors, images, and the subnets that are no other department's."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from controlplane import ipam
from controlplane.actor import Actor
from controlplane.claims import block_of
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, by_ref, filtered, ids, one, ordered_by
from controlplane.models import Claim, Department, Flavor, Image, Site, Subnet
from controlplane.models.pieces import contains
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def flavor_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Flavor:
    """Return a flavor by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return one(session, Flavor, "flavor", ref)


def image_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Image:
    """Return an image by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return one(session, Image, "image", ref)


def subnet_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Subnet:
    """Return a subnet by id or code. Raises Forbidden; NotFound also where it is the own of a department that the actor
    has nothing to do with."""
    authorize(actor, action)
    found: Subnet | None = session.scalar(_shown_to(actor, by_ref(Subnet, ref)))
    if found is None:
        raise NotFound(noun="subnet", name=str(ref))
    return found


def site_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Site:
    """Return a site by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return one(session, Site, "site", ref)


def sites(session: Session, actor: Actor, listing: Listing) -> Page[Site]:
    """List sites; filters: q, level, parent."""
    authorize(actor, "catalogue.read")
    filters: dict[str, Filter] = {
        "level": lambda v: Site.level == v,
        "parent": lambda v: Site.parent_id.in_(ids(Site, v)),
    }
    statement = select(Site).options(joinedload(Site.parent))
    return _catalogue(session, Site, statement, listing, filters)


def flavors(session: Session, actor: Actor, listing: Listing) -> Page[Flavor]:
    """List flavors; filter: q."""
    authorize(actor, "catalogue.read")
    return _catalogue(session, Flavor, select(Flavor), listing, {})


def images(session: Session, actor: Actor, listing: Listing) -> Page[Image]:
    """List images; filter: q."""
    authorize(actor, "catalogue.read")
    return _catalogue(session, Image, select(Image), listing, {})


def subnets(session: Session, actor: Actor, listing: Listing) -> Page[Subnet]:
    """List subnets; filters: q, department."""
    authorize(actor, "catalogue.read")
    filters: dict[str, Filter] = {"department": lambda v: Subnet.department_id.in_(ids(Department, v))}
    # Few subnets are a department's own; joined, all departments would be read for them.
    statement = select(Subnet).options(joinedload(Subnet.site), selectinload(Subnet.department))
    return _catalogue(session, Subnet, _shown_to(actor, statement), listing, filters)


def _shown_to(actor: Actor, statement: Select[Any]) -> Select[Any]:
    """Keep to the subnets that are nobody's own, or of departments that the actor sees or is below."""
    if actor.scope is None:
        return statement
    lineage = select(func.unnest(Department.lineage)).where(Department.id == actor.department)
    of = Subnet.department_id
    return statement.where(or_(of.is_(None), of.in_(actor.scope), of.in_(lineage)))


def addresses(session: Session, subnet: Subnet) -> dict[str, int]:
    """Return how many addresses a subnet that was already read can give in all, and has given."""
    return addresses_of(session, [subnet])[subnet.id]


def addresses_of(session: Session, subnets: Sequence[Subnet]) -> dict[UUID, dict[str, int]]:
    """Return by id how many addresses each of some subnets can give in all (`usable`), and has given (`claimed`): those
    of resources that the reader may see."""
    of_these = Claim.subnet_id.in_([subnet.id for subnet in subnets])
    counted = session.execute(select(Claim.subnet_id, func.count()).where(of_these).group_by(Claim.subnet_id))
    claimed = {row[0]: row[1] for row in counted}
    return {s.id: {"usable": ipam.size(block_of(s)), "claimed": claimed.get(s.id, 0)} for s in subnets}


def _catalogue(
    session: Session, model: Any, statement: Select[Any], listing: Listing, filters: Mapping[str, Filter]
) -> Page[Any]:
    by_name: dict[str, Filter] = {"q": lambda v: contains(v, model.code, model.name)}
    statement = filtered(session, statement, listing.filters, {**by_name, **filters})
    return paginate(session, statement, ordered_by(model, "code", "name"), listing)
