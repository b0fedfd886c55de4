"""Reads of resources, whatever their kind."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, filtered, ids, in_scope, ordered_by, uuid_of
from controlplane.models import Claim, Department, Pool, Resource, Subnet, System
from controlplane.models.pieces import contains
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def resource_for(
    session: Session, actor: Actor, kind: str, ref: str | UUID, action: str = "resource.read", *, lock: bool = False
) -> Resource:
    """Return the resource of this kind and id, deleted ones not. With `lock`, its row is the caller's until the end
    of the transaction. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = select(Resource).where(
        Resource.id == uuid_of(ref, kind), Resource.kind == kind, Resource.deleted_at.is_(None)
    )
    statement = in_scope(statement, Resource.department_id, actor)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    else:
        statement = statement.options(*_RESOURCE_PARTS)
    resource = session.scalar(statement)
    if resource is None:
        raise NotFound(noun=kind, name=str(ref))
    return resource


def resources_locked(
    session: Session, actor: Actor, kind: str, refs: Sequence[UUID], action: str
) -> dict[UUID, Resource]:
    """Return those of `refs` that the actor may see, by id; their rows are the caller's until its transaction ends.

    They are locked in id order, in one statement, so two callers never wait for each other. Raises Forbidden.
    """
    authorize(actor, action)
    statement = select(Resource).where(Resource.id.in_(refs), Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = in_scope(statement, Resource.department_id, actor).order_by(Resource.id).with_for_update()
    return {r.id: r for r in session.scalars(statement.execution_options(populate_existing=True))}


def resources_by_id(session: Session, actor: Actor, kind: str, refs: Sequence[UUID]) -> list[Resource]:
    """Return those of `refs` that the actor may see, with their owners and addresses, in the order of `refs`."""
    authorize(actor, "resource.read")
    statement = select(Resource).where(Resource.id.in_(refs), Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = in_scope(statement, Resource.department_id, actor).options(*_RESOURCE_PARTS)
    found = {r.id: r for r in session.scalars(statement.execution_options(populate_existing=True))}
    return [found[ref] for ref in dict.fromkeys(refs) if ref in found]


def resources_of(
    session: Session, actor: Actor, department: UUID, refs: Sequence[UUID], *, lock: bool = False
) -> dict[UUID, Resource]:
    """Return those of `refs`, of any kind, that are a department's, for an ask about them, by id. Raises Forbidden.

    With `lock`, their rows are the caller's until its transaction ends; they are locked in id order.
    """
    authorize(actor, "request.ask")
    if not refs:
        return {}
    statement = select(Resource).where(Resource.id.in_(refs), Resource.deleted_at.is_(None))
    statement = in_scope(statement.where(Resource.department_id == department), Resource.department_id, actor)
    if lock:
        statement = statement.order_by(Resource.id).with_for_update()
    return {r.id: r for r in session.scalars(statement.execution_options(populate_existing=True))}


def resources(
    session: Session, actor: Actor, kind: str, listing: Listing, more: Mapping[str, Filter] | None = None
) -> Page[Resource]:
    """List resources of a kind; filters: q (name or address, any part), state, department, system, pool, subnet,
    request, and those of the kind alone."""
    authorize(actor, "resource.read")
    statement = select(Resource).where(Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = in_scope(statement, Resource.department_id, actor)
    statement = filtered(session, statement, listing.filters, {**_RESOURCE_FILTERS, **(more or {})})
    order = ordered_by(Resource, "name", "created_at", "state", default="-created_at")
    return paginate(session, statement.options(*_LISTED_PARTS), order, listing)


def _named_or_at(part: str) -> ColumnElement[bool]:
    """Tell whether a resource has `part` in its name or in an address.

    Each half goes by an index of its own, which an OR over two tables could not. So short a part that it may be in
    nearly all of them is rather looked for along the order of the list, which ends as soon as a page is full.
    """
    if not _PART_OF_ADDRESS.fullmatch(part):
        return contains(part, Resource.name)
    if len(part) <= _IN_NEARLY_ALL:
        at = select(func.bool_or(Claim.written().icontains(part, autoescape=True)))
        at = at.where(Claim.resource_id == Resource.id)
        return or_(Resource.name.icontains(part, autoescape=True), at.scalar_subquery())
    named = aliased(Resource)
    names = select(named.id).where(contains(part, named.name))
    return Resource.id.in_(names.union_all(select(Claim.resource_id).where(contains(part, Claim.written()))))


_OWNERS = (joinedload(Resource.department), joinedload(Resource.system), joinedload(Resource.pool))
_RESOURCE_PARTS = (*_OWNERS, selectinload(Resource.claims).joinedload(Claim.subnet))
# With claims among what is joined, all of it is joined to the page, and not to everything that is found.
_LISTED_PARTS = (*_OWNERS, joinedload(Resource.claims).joinedload(Claim.subnet))

_PART_OF_ADDRESS = re.compile(r"[0-9a-f:.]+", re.IGNORECASE)
_IN_NEARLY_ALL = 2
"""Characters of a part of an address that are too few to tell machines apart."""

_RESOURCE_FILTERS: dict[str, Filter] = {
    "q": _named_or_at,
    "state": lambda v: Resource.state.in_(v.split(",")),
    # Not "in": of one department the planner knows that its index has the order of the list.
    "department": lambda v: Resource.department_id == ids(Department, v).scalar_subquery(),
    "system": lambda v: Resource.system_id.in_(ids(System, v)),
    "pool": lambda v: Resource.pool_id.in_(ids(Pool, v)),
    "subnet": lambda v: Resource.id.in_(select(Claim.resource_id).where(Claim.subnet_id.in_(ids(Subnet, v)))),
    "request": lambda v: Resource.request_id == uuid_of(v, "request"),
}
