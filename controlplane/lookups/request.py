"""Reads of requests, of what waits for somebody's decision, and of what became of them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session, joinedload, selectinload

from controlplane.actor import Actor
from controlplane.asks.states import STATES
from controlplane.errors import Invalid, NotFound
from controlplane.lookups.reading import Filter, filtered, ids, in_scope, number, ordered_by, uuid_of
from controlplane.models import Department, Request, RequestComment, RequestStep, Resource, User
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import OF_DEPARTMENTS, authorize

MOST_COMMENTS = 500
DESK_COUNTED_UP_TO = 999


class Waiting(NamedTuple):
    """An approval that is open: whose it is to give, `person` where it was handed to somebody whom the reader sees."""

    request: UUID
    step: UUID
    role: str
    person: str | None
    due_at: datetime | None


class Named(NamedTuple):
    """A resource that a request is about, as whoever may read the request may know it."""

    id: UUID
    kind: str
    name: str
    gone: bool


def request_for(
    session: Session, actor: Actor, ref: str | UUID, action: str = "request.read", *, lock: bool = False
) -> Request:
    """Return a request by id, with its department and its approvals. With `lock`, its row is the caller's until the end
    of the transaction. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = in_scope(select(Request).where(Request.id == uuid_of(ref, "request")), Request.department_id, actor)
    statement = statement.options(joinedload(Request.department), selectinload(Request.steps))
    if lock:
        statement = statement.with_for_update(of=Request)
    request: Request | None = session.scalar(statement.execution_options(populate_existing=True))
    if request is None:
        raise NotFound(noun="request", name=str(ref))
    return request


def requests(session: Session, actor: Actor, listing: Listing) -> Page[Request]:
    """List requests; filters: department, state, kind, mine, number."""
    authorize(actor, "request.read")
    statement = in_scope(select(Request), Request.department_id, actor)
    filters: dict[str, Filter] = {
        "department": lambda v: Request.department_id.in_(ids(Department, v)),
        "state": lambda v: Request.state.in_(_states(v)),
        "kind": lambda v: Request.kind == v,
        "mine": lambda v: Request.asked_for == (actor.user or actor.id) if v == "true" else true(),
        "number": lambda v: Request.number == number("number", v),
    }
    statement = filtered(session, statement, listing.filters, filters).options(joinedload(Request.department))
    return paginate(session, statement, ordered_by(Request, "created_at", default="-created_at"), listing)


def inbox(session: Session, actor: Actor, listing: Listing) -> Page[RequestStep]:
    """List the approvals that wait for the actor, what is due first first. Raises Forbidden.

    Filters: department; handed (true: those that were handed to the actor in person).
    """
    authorize(actor, "request.read")
    known: dict[str, Filter] = {
        "handed": lambda _: true(),
        "department": lambda v: RequestStep.department_id.in_(ids(Department, v)),
    }
    statement = select(RequestStep).where(RequestStep.state == "open", _desk(actor, listing.filters.get("handed")))
    statement = in_scope(statement, RequestStep.department_id, actor) if actor.role in OF_DEPARTMENTS else statement
    statement = filtered(session, statement, listing.filters, known)
    statement = statement.options(joinedload(RequestStep.request).joinedload(Request.department))
    return paginate(session, statement, ordered_by(RequestStep, "due_at"), listing)


def desk_count(session: Session, actor: Actor) -> int:
    """Return how many approvals wait for the actor, or were handed to him; each counted up to DESK_COUNTED_UP_TO."""
    authorize(actor, "request.read")
    counts = []
    for handed in (None, "true"):
        desk = select(RequestStep.id).where(RequestStep.state == "open", _desk(actor, handed))
        found = in_scope(desk, RequestStep.department_id, actor).limit(DESK_COUNTED_UP_TO).subquery()
        counts.append(select(func.count()).select_from(found).scalar_subquery())
    return session.scalar(select(counts[0] + counts[1])) or 0


def waiting_on(session: Session, actor: Actor, requests: Sequence[UUID]) -> dict[UUID, list[Waiting]]:
    """Return the open approvals of requests that the caller has read, by request."""
    authorize(actor, "request.read")
    statement: Any = (
        select(RequestStep.request_id, RequestStep.id, RequestStep.role, User.name, RequestStep.due_at)
        .outerjoin(User, User.id == RequestStep.handed_to)
        .where(RequestStep.request_id.in_(requests), RequestStep.state == "open")
        .order_by(RequestStep.request_id, RequestStep.role)
    )
    found: dict[UUID, list[Waiting]] = defaultdict(list)
    for row in session.execute(in_scope(statement, RequestStep.department_id, actor)):
        found[row[0]].append(Waiting(*row))
    return found


def named_in(session: Session, actor: Actor, refs: Sequence[UUID]) -> dict[UUID, Named]:
    """Return the names of the resources that a request is about which the caller has read, also of those gone since."""
    authorize(actor, "request.read")
    if not refs:
        return {}
    statement: Any = select(Resource.id, Resource.kind, Resource.name, Resource.deleted_at.is_not(None))
    statement = in_scope(statement.where(Resource.id.in_(refs)), Resource.department_id, actor)
    return {row[0]: Named(*row) for row in session.execute(statement)}


def comments_of(session: Session, actor: Actor, request: UUID) -> Sequence[RequestComment]:
    """Return what was said of a request that the caller has read, the oldest first, at most MOST_COMMENTS."""
    authorize(actor, "request.read")
    said = select(RequestComment).where(RequestComment.request_id == request).order_by(RequestComment.id)
    return session.scalars(said.limit(MOST_COMMENTS)).all()


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


def _desk(actor: Actor, handed: str | None) -> ColumnElement[bool]:
    """Return the condition of what waits on the actor's desk, or was handed to him; each has an index of its own."""
    if handed == "true":
        return RequestStep.handed_to == (actor.user or actor.id)
    of_role = (RequestStep.role == actor.role) & RequestStep.handed_to.is_(None)
    return of_role & (RequestStep.department_id == actor.department) if actor.role in OF_DEPARTMENTS else of_role


def _states(given: str) -> list[str]:
    wanted = given.split(",")
    unknown = sorted(set(wanted) - set(STATES))
    if unknown:
        raise Invalid(field="state", reason=f"{', '.join(unknown)}: no such state; there are {', '.join(STATES)}")
    return wanted
