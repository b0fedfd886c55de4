"""Deciding on requests: what they would do, approving, returning and refusing them, handing a decision to another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit, binding, lookups, notices
from controlplane.actor import Actor
from controlplane.allocation import Allocated
from controlplane.asks import approvals, fulfilment
from controlplane.asks import items as asked
from controlplane.asks.approvals import person
from controlplane.asks.course import close, grant, move, said
from controlplane.asks.routing import demanded, rules_of
from controlplane.asks.states import OPEN, StepState
from controlplane.errors import (
    AlreadyDecided,
    ApprovalMissing,
    CannotHandTo,
    Forbidden,
    Invalid,
    NotNow,
    NoTransfer,
    OverQuota,
    OwnRequest,
    Refusal,
    Stale,
)
from controlplane.lookups.reading import as_uuid
from controlplane.models import Request, RequestStep, User
from controlplane.policy import OF_DEPARTMENTS, allows, authorize
from quotas import metering
from quotas.metering import Balance

Verdict = Literal["approve", "return", "refuse"]
LONGEST_COMMENT = 2000
_STATE_AFTER: dict[Verdict, StepState] = {"approve": "approved", "return": "returned", "refuse": "refused"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides. A return or a refusal needs a `comment`; `version`: refuse if the request is not at it."""

    verdict: Verdict
    comment: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """What granting a request would do now: what would be made and where, the department's balances before and after;
    or `problem`, why it cannot be."""

    made: Sequence[Allocated]
    before: Sequence[Balance]
    after: Sequence[Balance]
    problem: Refusal | None


def impact(session: Session, actor: Actor, ref: str | UUID) -> Impact:
    """Carry a request out and undo it, to tell what that would do. Raises NotFound; NotNow where it is not open."""
    request = _open(lookups.request_for(session, actor, ref))
    before = _balances(session, request)
    attempt = session.begin_nested()
    try:
        made = fulfilment.fulfil(session, request, actor.trace)
        after = _balances(session, request)
    except Refusal as problem:
        return Impact((), before, before, _told(actor, request, problem))
    finally:
        attempt.rollback()
    return Impact(made, before, after, None)


def turn(actor: Actor, request: Request) -> RequestStep | Refusal | None:
    """Return the approval that is the actor's to give now, or why it is not though his role would have it; None where
    it is none of his business."""
    handed = actor.actions is None and any(step.handed_to == person(actor) for step in approvals.current(request))
    if request.state not in OPEN or not (handed or allows(actor, "request.decide")):
        return None
    try:
        return approvals.step_of(actor, request)
    except Forbidden:
        return None
    except (OwnRequest, AlreadyDecided) as refusal:
        return refusal


def decide(session: Session, actor: Actor, ref: str | UUID, decision: Decision, now: datetime) -> Request:
    """Give or deny the approval of an open request that is the actor's to give. The last approval carries it out.

    Raises NotFound, NotNow, Stale, Invalid, Forbidden, OwnRequest, AlreadyDecided; where an approved request no longer
    fits, what keeps it (OverQuota, NoPool ...): then nothing was decided.
    """
    request = _for_decision(session, actor, ref)
    if decision.version is not None and decision.version != request.version:
        raise Stale
    step = approvals.step_of(actor, request)
    comment = decision.comment.strip()
    if not comment and decision.verdict != "approve":
        raise Invalid(field="comment", reason=f"say why, so that the asker knows; {decision.verdict} needs a reason")
    if len(comment) > LONGEST_COMMENT:
        raise Invalid(field="comment", reason=f"takes at most {LONGEST_COMMENT} characters")
    step.state = _STATE_AFTER[decision.verdict]
    step.decided_by, step.decided_by_name, step.decided_at = person(actor), actor.name, now
    step.comment = comment
    request.version += 1
    session.flush()
    if decision.verdict == "approve":
        try:
            _approve(session, request, now, actor.trace)
        except Refusal as problem:
            raise _told(actor, request, problem) from problem
    else:
        _deny(session, request, decision.verdict, comment, now)
    details = {"stage": step.stage, "role": step.role, "state": request.state, "comment": comment}
    audit.record(session, actor, [said(request, decision.verdict, details)])
    session.flush()
    return request


def hand_over(session: Session, actor: Actor, ref: str | UUID, to: str, now: datetime) -> Request:
    """Have somebody else give an approval that is the actor's to give: of the same role, or of the same department.

    Raises NotFound, NotNow, Forbidden, OwnRequest, AlreadyDecided, CannotHandTo.
    """
    request = _for_decision(session, actor, ref)
    step = approvals.step_of(actor, request)
    other = session.scalar(select(User).where(User.username == to, User.disabled_at.is_(None), ~User.service))
    if other is None or not _may_be_handed_to(other, step, request) or other.id == person(actor):
        raise CannotHandTo(name=to)
    step.handed_to = other.id
    step.opened_at = now
    request.version += 1
    session.flush()
    notices.tell(session, [approvals.asking(request, step, "request.handed_over")])
    audit.record(session, actor, [said(request, "hand_over", {"stage": step.stage, "role": step.role, "to": to})])
    return request


def deciders(session: Session, actor: Actor, request: Request) -> Sequence[User]:
    """Return to whom an approval of a request could be handed by the actor, at most 100 accounts, by name."""
    if not allows(actor, "request.decide"):
        return ()
    of_role = User.role == actor.role
    if actor.role in OF_DEPARTMENTS:
        of_role = User.department_id == actor.department
    found = select(User).where(of_role, User.disabled_at.is_(None), ~User.service, User.id != person(actor))
    if request.asked_for is not None:
        found = found.where(User.id != request.asked_for)
    return session.scalars(found.order_by(User.name, User.id).limit(100)).all()


def _told(actor: Actor, request: Request, problem: Refusal) -> Refusal:
    """Return what somebody may know of why it does not fit: a department is told nothing of another one's quota,
    systems or names."""
    transfers = any(item["do"] == "transfer" for item in request.items)
    owners = {found.shortage.owner for found in problem.shortages} if isinstance(problem, OverQuota) else set()
    if actor.scope is None or not transfers or (owners and owners <= actor.scope):
        return problem
    return NoTransfer()


def _open(request: Request) -> Request:
    if request.state not in OPEN:
        name = f"request {request.number}"
        raise NotNow(name=name, state=request.state, verb="decide", when=" or ".join(OPEN))
    return request


def _for_decision(session: Session, actor: Actor, ref: str | UUID) -> Request:
    """Return an open request, locked, to somebody who may decide, or to whom one of its approvals was handed.

    Raises Forbidden, NotFound, NotNow.
    """
    if not allows(actor, "request.decide"):
        if actor.actions is not None:
            # A token does what it was made for, whatever was handed to its owner.
            authorize(actor, "request.decide")
        handed = select(RequestStep.id).where(RequestStep.handed_to == person(actor), RequestStep.state == "open")
        if not session.scalar(handed.where(RequestStep.request_id == as_uuid(ref)).limit(1)):
            authorize(actor, "request.decide")
    return _open(lookups.request_for(session, actor, ref, lock=True))


def _approve(session: Session, request: Request, now: datetime, trace: str | None) -> None:
    steps = approvals.current(request)
    if any(step.state in {"open", "waiting"} for step in steps):
        _check_fit(session, request, trace)
        move(request, "review", when="open")
        if all(step.state != "open" for step in steps):
            approvals.open_next(session, request, steps, now)
        return
    _check_demanded(session, request)
    made = grant(session, request, now, trace)
    request.outcome = "approved"
    notices.tell(session, [approvals.telling(request, "request.approved", count=len(made))])


def _check_demanded(session: Session, request: Request) -> None:
    """Refuse to carry out what needs an approval that was not asked for when it was submitted: since then a system may
    have got another level, or a rule may have been made."""
    carrier = fulfilment.carrier(request, None)
    with binding.as_centre(session):
        understood = asked.understand(session, carrier, request.department_id, asked.parse(request.items))
    needed: Counter[str] = Counter(
        one.role for one in demanded(rules_of(understood.department.rules or ()), understood.lines)
    )
    given = Counter(step.role for step in approvals.current(request))
    missing = sorted((needed - given).keys())
    if missing:
        raise ApprovalMissing(roles=", ".join(missing))


def _check_fit(session: Session, request: Request, trace: str | None) -> None:
    """See whether what is approved here could be carried out now: no use in the next approver's time if not."""
    attempt = session.begin_nested()
    try:
        fulfilment.fulfil(session, request, trace)
        session.flush()
    finally:
        attempt.rollback()


def _deny(session: Session, request: Request, verdict: Verdict, comment: str, now: datetime) -> None:
    assert verdict != "approve"  # noqa: S101 - the caller has seen to it
    move(request, verdict, when="open")
    close(session, request)
    if verdict == "refuse":
        request.decided_at = now
        request.outcome = "refused"
    event = "request.refused" if verdict == "refuse" else "request.returned"
    notices.tell(session, [approvals.telling(request, event, reason=comment)])


def _may_be_handed_to(other: User, step: RequestStep, request: Request) -> bool:
    if other.id in {request.asked_for, request.asked_by, *(s.decided_by for s in approvals.current(request))}:
        return False
    if step.role in OF_DEPARTMENTS:
        return other.department_id == request.department_id
    return other.role == step.role


def _balances(session: Session, request: Request) -> Sequence[Balance]:
    return metering.balances(session, [request.department_id]).get(request.department_id, ())
