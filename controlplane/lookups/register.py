"""The register of decided requests (办件公示): what was asked for by whom, how it was decided and how long it took."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select, text
from sqlalchemy.orm import Session, joinedload

from controlplane import binding
from controlplane.actor import Actor
from controlplane.errors import RegisterClosed
from controlplane.lookups.reading import Filter, as_uuid, filtered, in_scope, ordered_by
from controlplane.lookups.trail import instant
from controlplane.models import Department, Request
from controlplane.models.pieces import contains
from controlplane.options import Register, option
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import allows

_STATES = ("approved", "fulfilling", "done", "refused")
_ORDER = ordered_by(Request, "decided_at", default="-decided_at")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `title` is empty where titles are not shown, `outcome` one of approved, done and refused, `days` how
    long the request lay with those who decided."""

    number: int
    department: Department
    kind: str
    title: str
    submitted_at: datetime | None
    decided_at: datetime
    outcome: str
    days: float


def register(session: Session, actor: Actor | None, listing: Listing) -> Page[Entry]:
    """List decided requests, the newest decision first: all of them to everybody where the register is public, else to
    whoever may read requests those that he sees; None is somebody without an account.

    Filters: department (code, id or a part of its name), kind, from and to (instants of the decision). Raises
    RegisterClosed, Invalid, BadCursor.
    """
    shown = option(session, Register)
    known = actor is not None and allows(actor, "request.read")
    if not shown.public and not known:
        raise RegisterClosed
    statement = select(Request).where(Request.decided_at.is_not(None), Request.state.in_(_STATES))
    if actor is not None and not shown.public:
        statement = in_scope(statement, Request.department_id, actor)
    statement = filtered(session, statement, listing.filters, _FILTERS).options(joinedload(Request.department))
    with binding.as_centre(session) if shown.public else nullcontext():
        found: Page[Request] = paginate(session, statement, _ORDER, listing)
        hours = _hours(session, [request.id for request in found.items])
    entries = [_entry(request, hours.get(request.id, 0.0), titles=shown.titles) for request in found.items]
    return Page(entries, found.next, found.previous, found.total)


def _entry(request: Request, hours: float, *, titles: bool) -> Entry:
    assert request.decided_at is not None  # noqa: S101 - the statement asks for it
    return Entry(
        number=request.number,
        department=request.department,
        kind=request.kind,
        title=request.title if titles else "",
        submitted_at=request.submitted_at,
        decided_at=request.decided_at,
        outcome="approved" if request.state == "fulfilling" else request.state,
        days=round(hours / 24, 1),
    )


def _hours(session: Session, requests: list[UUID]) -> dict[UUID, float]:
    rows = session.execute(text("SELECT id, hours FROM request_times WHERE id = ANY(:ids)"), {"ids": requests})
    return {row.id: row.hours for row in rows}


def _departments(named: str) -> Select[Any]:
    by_id = as_uuid(named)
    if by_id is not None:
        return select(Department.id).where(Department.id == by_id)
    part = contains(named, Department.code, Department.name, Department.name_en)
    return select(Department.id).where(or_(Department.code == named, part))


_FILTERS: dict[str, Filter] = {
    "department": lambda v: Request.department_id.in_(_departments(v)),
    "kind": lambda v: Request.kind == v,
    "from": lambda v: Request.decided_at >= instant("from", v),
    "to": lambda v: Request.decided_at < instant("to", v),
}
