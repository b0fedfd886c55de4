"""Letting somebody without an account see how far a request is, and ending that again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from controlplane import audit, binding, lookups, progress_links
from controlplane.actor import Actor
from controlplane.asks.course import said
from controlplane.asks.states import State, StepState
from controlplane.errors import Invalid, LinkNoGood
from controlplane.models import Department, Request
from controlplane.progress_links import Link
from controlplane.secrets import Keys

DAYS, MOST_DAYS = 90, 365


@dataclass(frozen=True, slots=True)
class Approval:
    """How far one approval is: whose role gives it, in which round, and when it was given."""

    round: int
    role: str
    state: StepState
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """All that a link shows of a request: nobody's name, nothing of what was asked for or said. `submitted` is when it
    was sent, each time."""

    number: int
    title: str
    department: Department
    state: State
    submitted: Sequence[datetime]
    approvals: Sequence[Approval]
    decided_at: datetime | None
    done_at: datetime | None


def make(session: Session, actor: Actor, ref: str | UUID, days: int, now: datetime) -> Link:
    """Make a link that is good for so many days; one that was made before is good no longer.

    Raises Forbidden, NotFound, Invalid.
    """
    request = lookups.request_for(session, actor, ref, "request.ask", lock=True)
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(field="days", reason=f"must be between 1 and {MOST_DAYS}")
    link = Link(request.id, uuid4(), now.replace(microsecond=0) + timedelta(days=days))
    request.progress_key, request.progress_until = link.key, link.until
    audit.record(session, actor, [said(request, "link_progress", {"until": link.until.isoformat()})])
    session.flush()
    return link


def revoke(session: Session, actor: Actor, ref: str | UUID) -> None:
    """End the link to a request, if there is one. Raises Forbidden, NotFound."""
    request = lookups.request_for(session, actor, ref, "request.ask", lock=True)
    if request.progress_key is None:
        return
    request.progress_key = request.progress_until = None
    audit.record(session, actor, [said(request, "unlink_progress", {})])
    session.flush()


def link_of(request: Request, now: datetime) -> Link | None:
    """Return the link to a request that was read with the right to ask, None where none is good."""
    if request.progress_key is None or request.progress_until is None or request.progress_until <= now:
        return None
    return Link(request.id, request.progress_key, request.progress_until)


def progress(session: Session, keys: Keys, token: str, now: datetime) -> Progress:
    """Return how far the request is that a link is for, whoever asks. Raises LinkNoGood, whatever is wrong with it."""
    link = progress_links.read(keys, token)
    if link is None:
        raise LinkNoGood
    statement = select(Request).where(Request.id == link.request)
    with binding.as_centre(session):
        request = session.scalar(statement.options(joinedload(Request.department), selectinload(Request.steps)))
    if request is None or link_of(request, now) != link:
        raise LinkNoGood
    approvals = [Approval(step.round, step.role, step.state, step.decided_at) for step in request.steps]
    return Progress(
        number=request.number,
        title=request.title,
        department=request.department,
        state=request.state,
        submitted=_submitted(request),
        approvals=approvals,
        decided_at=request.decided_at,
        done_at=request.done_at,
    )


def _submitted(request: Request) -> list[datetime]:
    """Return when a request was submitted, each time: the first approvals of a round open with it."""
    began: dict[int, datetime] = {}
    for step in request.steps:
        if step.due_at is not None:
            opened = step.due_at - timedelta(hours=step.hours)
            began[step.round] = min(opened, began.get(step.round, opened))
    times = sorted(began.values())
    if request.submitted_at is not None and (not times or request.submitted_at > times[-1]):
        times.append(request.submitted_at)
    return times
