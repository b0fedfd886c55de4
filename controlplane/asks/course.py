"""The course of a request: its moves, what is given up at its end, and what is said of it."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.allocation import Allocated
from controlplane.asks import approvals, fulfilment, states
from controlplane.errors import NotNow
from controlplane.models import Request
from quotas import ledger


def move(request: Request, event: states.Event, when: str) -> None:
    """Move a request on. Raises NotNow, which says `when` it would be possible."""
    try:
        request.state = states.move(request.state, event)
    except states.ImpossibleMove:
        name = f"request {request.number}"
        raise NotNow(name=name, state=request.state, verb=event, when=when) from None


def grant(session: Session, request: Request, now: datetime, trace: str | None) -> list[Allocated]:
    """Carry out a request that nobody has to approve any more. Raises what `fulfilment.fulfil` raises."""
    move(request, "approve", when="in review")
    made = fulfilment.fulfil(session, request, trace)
    request.decided_at = now
    request.expires_at = None
    move(request, "fulfil", when="approved")
    if not made and not fulfilment.changed(request):
        finish(request, now)
    session.flush()
    return made


def finish(request: Request, now: datetime) -> None:
    """End a request of which all is done."""
    move(request, "finish", when="fulfilling")
    request.done_at = now


def close(session: Session, request: Request) -> None:
    """Give up what a request holds, and the approvals that are not given yet."""
    if request.held:
        ledger.void(session, [request.id])
        request.held = False
    for step in approvals.current(request):
        if step.state in {"waiting", "open"}:
            step.state = "dropped"
    request.expires_at = None


def said(request: Request, verb: str, details: dict[str, Any]) -> audit.Act:
    """Return what the trail says of something that was done to a request."""
    name = request.title or f"{request.number}"
    return audit.Act(f"request.{verb}", "request", request.id, name, request.department_id, details)
