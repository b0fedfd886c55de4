"""Reads of requests, and of what became of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, filtered, ids, in_scope, ordered_by, uuid_of
from controlplane.models import Department, Request, Resource
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def request_for(session: Session, actor: Actor, ref: str | UUID) -> Request:
    """Return a request by id. Raises Forbidden, NotFound."""
    authorize(actor, "request.read")
    statement = in_scope(select(Request).where(Request.id == uuid_of(ref, "request")), Request.department_id, actor)
    request: Request | None = session.scalar(statement.options(joinedload(Request.department)))
    if request is None:
        raise NotFound(noun="request", name=str(ref))
    return request


def requests(session: Session, actor: Actor, listing: Listing) -> Page[Request]:
    """List requests; filters: department."""
    authorize(actor, "request.read")
    statement = in_scope(select(Request), Request.department_id, actor)
    filters: dict[str, Filter] = {"department": lambda v: Request.department_id.in_(ids(Department, v))}
    statement = filtered(session, statement, listing.filters, filters).options(joinedload(Request.department))
    return paginate(session, statement, ordered_by(Request, "created_at", default="-created_at"), listing)


def progress(session: Session, requests: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return how many resources of each request are in each state."""
    rows = session.execute(
        select(Resource.request_id, Resource.state, func.count())
        .where(Resource.request_id.in_(requests))
        .group_by(Resource.request_id, Resource.state)
    )
    found: dict[UUID, dict[str, int]] = {request: {} for request in requests}
    for request, state, count in rows:
        found[request][state] = count
    return found
