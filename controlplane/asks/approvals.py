"""The approvals of a request: opening them, and who may give one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import notices
from controlplane.actor import Actor
from controlplane.asks.routing import Demanded
from controlplane.asks.states import DECIDED
from controlplane.db import new_id
from controlplane.errors import AlreadyDecided, Forbidden, OwnRequest
from controlplane.models import Request, RequestStep
from controlplane.notices import Notice
from controlplane.policy import OF_DEPARTMENTS


def person(actor: Actor) -> UUID:
    """Return who is behind an actor: himself, or the owner of the token."""
    return actor.user or actor.id


def demand(session: Session, request: Request, demanded: Sequence[Demanded], now: datetime) -> None:
    """Begin a round of approvals, and open those of its first stage."""
    number = max((step.round for step in request.steps), default=0) + 1
    steps = [
        RequestStep(
            id=new_id(),
            request_id=request.id,
            department_id=request.department_id,
            round=number,
            stage=one.stage,
            role=one.role,
            rule=one.rule,
            hours=one.hours,
            state="waiting",
        )
        for one in demanded
    ]
    session.add_all(steps)
    session.flush()
    open_next(session, request, steps, now)


def open_next(session: Session, request: Request, steps: Sequence[RequestStep], now: datetime) -> None:
    """Open the approvals of the next stage that waits, if there is one, and tell those who may give them."""
    waiting = [step for step in steps if step.state == "waiting"]
    first = min((step.stage for step in waiting), default=0)
    opened = [step for step in waiting if step.stage == first]
    for step in opened:
        step.state, step.opened_at, step.due_at = "open", now, now + timedelta(hours=step.hours)
    session.flush()
    notices.tell(session, [asking(request, step, "request.submitted") for step in opened])


def current(request: Request) -> list[RequestStep]:
    """Return the approvals of the present round."""
    last = max((step.round for step in request.steps), default=0)
    return [step for step in request.steps if step.round == last]


def step_of(actor: Actor, request: Request) -> RequestStep:
    """Return the approval of an open request that the actor may give.

    Raises OwnRequest where he asked for it himself, AlreadyDecided where he gave another one of this round, Forbidden
    where none that is open is his to give.
    """
    steps = current(request)
    mine = [step for step in steps if step.state == "open" and may_give(actor, step)]
    if not mine:
        raise Forbidden(role=actor.role, action="request.decide")
    if person(actor) in {request.asked_for, request.asked_by}:
        raise OwnRequest
    if any(step.decided_by == person(actor) for step in steps if step.state in DECIDED):
        raise AlreadyDecided
    return min(mine, key=lambda step: (step.handed_to is None, step.role))


def may_give(actor: Actor, step: RequestStep) -> bool:
    """Tell whether an approval is the actor's to give: by his role, or because it was handed to him and he still is of
    the role, or of the department, that it could be handed to. What was handed over can be taken back by its role."""
    of_role = step.role == actor.role
    if step.role in OF_DEPARTMENTS:
        handed = step.handed_to == person(actor) and actor.role in OF_DEPARTMENTS
        return (of_role or handed) and actor.sees(step.department_id)
    return of_role


def asking(request: Request, step: RequestStep, event: str) -> Notice:
    """Return what tells those who may give an approval."""
    told: dict[str, object] = {"number": request.number, "title": request.title, "department": request.department.name}
    if step.handed_to is not None:
        return Notice(event, told, people=[step.handed_to], request=request.id)
    departments = [request.department_id] if step.role in OF_DEPARTMENTS else None
    return Notice(event, told, role=step.role, departments=departments, request=request.id)  # type: ignore[arg-type]


def telling(request: Request, event: str, **more: object) -> Notice:
    """Return what tells the asker."""
    told = {"number": request.number, "title": request.title, "department": request.department.name, **more}
    return Notice(event, told, people=[request.asked_for or request.asked_by], request=request.id)
