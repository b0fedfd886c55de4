"""Asking for things that somebody has to approve: from the draft to the end of the asker's part in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import audit, lookups, notices
from controlplane.actor import Actor
from controlplane.asks import approvals, fulfilment, states
from controlplane.asks import items as asked
from controlplane.asks.approvals import person
from controlplane.asks.course import close, grant, move, said
from controlplane.asks.items import Understood
from controlplane.asks.routing import Demanded, demanded, rules_of
from controlplane.capacity import with_names
from controlplane.db import new_id
from controlplane.errors import Invalid, NotNow, NotYourRequest, Stale
from controlplane.models import Request, RequestComment
from controlplane.options import FollowUp, option
from quotas import ledger
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand

LONGEST_TITLE = 200
LONGEST_TEXT = 5000


@dataclass(frozen=True, slots=True)
class Drafted:
    """What a request says. `items` in the form of `asks.items`, as they were sent."""

    title: str
    reason: str
    items: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Preview:
    """What submitting a request would do now: what it asks for, what of it is held, and who has to approve it."""

    understood: Understood
    steps: Sequence[Demanded]


def draft(session: Session, actor: Actor, department: str | UUID, drafted: Drafted) -> Request:
    """Write down a request that nobody is asked to decide on yet; it may still be without items.

    Raises NotFound, Invalid, RowsRefused.
    """
    of = lookups.department_for(session, actor, department, "request.ask", keep=True)
    items = asked.parse(drafted.items, least=0)
    request = Request(
        id=new_id(),
        department_id=of.id,
        kind="mixed",
        state="draft",
        title=_checked("title", drafted.title, LONGEST_TITLE),
        reason=_checked("reason", drafted.reason, LONGEST_TEXT),
        items=asked.plain(items),
        asked_by=actor.id,
        asked_by_name=actor.name,
        asked_for=person(actor),
    )
    request.department = of
    session.add(request)
    session.flush()
    session.refresh(request, ["number", "steps", "held"])
    audit.record(session, actor, [said(request, "draft", {"items": len(items)})])
    return request


def amend(
    session: Session, actor: Actor, ref: str | UUID, changed: Mapping[str, Any], version: int | None = None
) -> Request:
    """Change `title`, `reason` or `items` of one's own request while it is a draft or was returned.

    Raises NotFound, NotYourRequest, NotNow, Stale, Invalid, RowsRefused.
    """
    request = _own(session, actor, ref, version)
    if request.state not in states.EDITABLE:
        raise NotNow(name=f"{request.number}", state=request.state, verb="amend", when="a draft or returned")
    if "items" in changed:
        request.items = asked.plain(asked.parse(changed["items"], least=0))
    if "title" in changed:
        request.title = _checked("title", changed["title"], LONGEST_TITLE)
    if "reason" in changed:
        request.reason = _checked("reason", changed["reason"], LONGEST_TEXT)
    request.version += 1
    audit.record(session, actor, [said(request, "amend", {"changed": sorted(changed)})])
    session.flush()
    return request


def preview(session: Session, actor: Actor, ref: str | UUID) -> Preview:
    """Submit one's own request and undo it, to tell what that would do. Raises what submitting it would raise."""
    request = _own(session, actor, ref, None)
    if request.state not in states.EDITABLE:
        raise NotNow(name=f"request {request.number}", state=request.state, verb="submit", when="a draft or returned")
    attempt = session.begin_nested()
    try:
        understood, steps = _understand(session, actor, request)
        if steps:
            _hold(session, request, understood)
        else:
            fulfilment.fulfil(session, request, actor.trace)
        session.flush()
    finally:
        attempt.rollback()
    return Preview(understood, steps)


def submit(session: Session, actor: Actor, ref: str | UUID, now: datetime, version: int | None = None) -> Request:
    """Hand in one's own request: what it would take is held, and whoever has to approve it is told. One that nobody has
    to approve is carried out at once.

    Raises NotFound, NotYourRequest, NotNow, Stale, RowsRefused, OverQuota, and what carrying it out raises.
    """
    request = _own(session, actor, ref, version)
    move(request, "submit", when="a draft or returned")
    understood, steps = _understand(session, actor, request)
    request.kind = understood.kind
    request.submitted_at = now
    request.outcome = None
    request.version += 1
    if steps:
        _hold(session, request, understood)
        request.expires_at = now + timedelta(days=option(session, FollowUp).open_days)
        session.flush()
        approvals.demand(session, request, steps, now)
    else:
        grant(session, request, now, actor.trace)
    audit.record(session, actor, [said(request, "submit", {"steps": [f"{s.stage}:{s.role}" for s in steps]})])
    session.flush()
    session.refresh(request, ["steps"])
    return request


def withdraw(session: Session, actor: Actor, ref: str | UUID, now: datetime, version: int | None = None) -> Request:
    """Take back one's own request while it is not decided; what it held is free.

    Raises NotFound, NotYourRequest, NotNow, Stale.
    """
    request = _own(session, actor, ref, version)
    move(request, "withdraw", when="not decided")
    approvals_open = [step for step in approvals.current(request) if step.state == "open"]
    notices.tell(session, [approvals.asking(request, step, "request.withdrawn") for step in approvals_open])
    close(session, request)
    request.version += 1
    audit.record(session, actor, [said(request, "withdraw", {})])
    session.flush()
    return request


def comment(session: Session, actor: Actor, ref: str | UUID, body: str) -> RequestComment:
    """Say something of a request; the asker is told of what others say. Raises NotFound, Forbidden, Invalid."""
    request = lookups.request_for(session, actor, ref, "request.comment")
    made = RequestComment(
        request_id=request.id,
        department_id=request.department_id,
        author=person(actor),
        author_name=actor.name,
        body=_checked("body", body, LONGEST_TEXT, least=1),
    )
    session.add(made)
    if person(actor) != request.asked_for:
        notices.tell(session, [approvals.telling(request, "request.commented", by=actor.name)])
    audit.record(session, actor, [said(request, "comment", {})])
    session.flush()
    return made


def _own(session: Session, actor: Actor, ref: str | UUID, version: int | None) -> Request:
    request = lookups.request_for(session, actor, ref, "request.ask", lock=True)
    if person(actor) != request.asked_for:
        raise NotYourRequest(name=request.asked_by_name)
    if version is not None and version != request.version:
        raise Stale
    return request


def _understand(session: Session, actor: Actor, request: Request) -> tuple[Understood, list[Demanded]]:
    understood = asked.understand(session, actor, request.department_id, asked.parse(request.items))
    return understood, demanded(rules_of(understood.department.rules or ()), understood.lines)


def _hold(session: Session, request: Request, understood: Understood) -> None:
    if not understood.hold:
        return
    department = understood.department
    above = tuple(d for d in department.lineage if d != department.id)
    try:
        ledger.hold(session, [Demand(request.id, department.id, understood.hold, above)])
    except QuotaExceeded as error:
        raise with_names(session, error) from error
    request.held = True


def _checked(field: str, text: str, longest: int, least: int = 0) -> str:
    text = text.strip()
    if not least <= len(text) <= longest:
        raise Invalid(field=field, reason=f"takes {least} to {longest} characters, not {len(text)}")
    return text
