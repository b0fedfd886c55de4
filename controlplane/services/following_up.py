"""Following requests up (督办), all of them in one pass: reminding, escalating, expiring, and ending what is done.

Each step of a pass is a few statements however many requests it is about, and a second pass right after finds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text, update
from sqlalchemy.orm import Session

from controlplane import audit, notices
from controlplane.actor import Actor, Role
from controlplane.models import Request, RequestStep
from controlplane.notices import Notice
from controlplane.options import FollowUp, option
from controlplane.policy import OF_DEPARTMENTS
from quotas import ledger

AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class FollowedUp:
    """How many approvals and requests a pass was about."""

    reminded: int
    escalated: int
    expired: int
    done: int


def follow_up(session: Session, actor: Actor, now: datetime) -> FollowedUp:
    """Remind and escalate what is late, expire what nobody decided, end what is done; at most AT_ONCE of each."""
    options = option(session, FollowUp)
    return FollowedUp(
        expired=_expire(session, actor, now),
        reminded=_remind(session, now, now + timedelta(hours=options.remind_hours)),
        escalated=_escalate(session, actor, now),
        done=_finish(session, now),
    )


def _remind(session: Session, now: datetime, due_before: datetime) -> int:
    late = session.execute(_REMIND, {"now": now, "due_before": due_before, "most": AT_ONCE}).all()
    notices.tell(session, [_asking(step, "step.reminder") for step in late])
    return len(late)


def _escalate(session: Session, actor: Actor, now: datetime) -> int:
    """Tell those above whoever has not decided in time: the departments above, and the system administrator."""
    late = session.execute(_ESCALATE, {"now": now, "most": AT_ONCE}).all()
    told: list[Notice] = []
    for step in late:
        above = [department for department in step.lineage if department != step.department_id]
        if step.role in OF_DEPARTMENTS and above:
            told.append(_notice(step, "step.escalated", role="department_manager", departments=above))
        told.append(_notice(step, "step.escalated", role="system_admin"))
        if step.role not in OF_DEPARTMENTS and step.role != "system_admin":
            told.append(_notice(step, "step.escalated", role=step.role))
    notices.tell(session, told)
    audit.record(session, actor, [_said(step, "escalate", {"role": step.role}) for step in late])
    return len(late)


def _expire(session: Session, actor: Actor, now: datetime) -> int:
    over = session.execute(_EXPIRE, {"now": now, "most": AT_ONCE}).all()
    if not over:
        return 0
    ids = [request.id for request in over]
    ledger.void(session, [request.id for request in over if request.held])
    session.execute(update(Request).where(Request.id.in_(ids)).values(held=False))
    dropped = update(RequestStep).where(RequestStep.request_id.in_(ids), RequestStep.state.in_(("waiting", "open")))
    session.execute(dropped.values(state="dropped"))
    notices.tell(session, [_notice(request, "request.expired", people=[request.asked_for]) for request in over])
    audit.record(session, actor, [_said(request, "expire", {}) for request in over])
    return len(over)


def _finish(session: Session, now: datetime) -> int:
    done = session.execute(_FINISH, {"now": now, "most": AT_ONCE}).all()
    decided = [request for request in done if request.decided_at is not None]
    notices.tell(session, [_notice(request, "request.done", people=[request.asked_for]) for request in decided])
    return len(done)


def _asking(step: Row[Any], event: str) -> Notice:
    if step.handed_to is not None:
        return _notice(step, event, people=[step.handed_to])
    departments = [step.department_id] if step.role in OF_DEPARTMENTS else None
    return _notice(step, event, role=step.role, departments=departments)


def _notice(
    of: Row[Any], event: str, *, people: Sequence[Any] = (), role: Role | None = None, departments: Any = None
) -> Notice:
    told = {"number": of.number, "title": of.title, "department": of.department}
    return Notice(event, told, people, role, departments, request=of.id)


def _said(of: Row[Any], verb: str, details: dict[str, Any]) -> audit.Act:
    return audit.Act(f"request.{verb}", "request", of.id, of.title or f"{of.number}", of.department_id, details)


# What is taken is locked first, the requests too, and passed over where somebody decides on it at this moment: to tell
# somebody of a request takes a share of its lock.
_REMIND = text("""
    WITH late AS (
        SELECT s.id FROM request_steps s JOIN requests r ON r.id = s.request_id
        WHERE s.state = 'open' AND s.escalated_at IS NULL AND s.due_at <= :due_before AND s.reminded_at IS NULL
        ORDER BY s.due_at LIMIT :most FOR UPDATE OF r, s SKIP LOCKED
    )
    UPDATE request_steps s SET reminded_at = :now FROM late, requests r, departments d
    WHERE s.id = late.id AND r.id = s.request_id AND d.id = r.department_id
    RETURNING r.id, r.number, r.title, d.name AS department, d.id AS department_id, s.role, s.handed_to
""")

_ESCALATE = text("""
    WITH late AS (
        SELECT s.id FROM request_steps s JOIN requests r ON r.id = s.request_id
        WHERE s.state = 'open' AND s.escalated_at IS NULL AND s.due_at <= :now
        ORDER BY s.due_at LIMIT :most FOR UPDATE OF r, s SKIP LOCKED
    )
    UPDATE request_steps s SET escalated_at = :now FROM late, requests r, departments d
    WHERE s.id = late.id AND r.id = s.request_id AND d.id = r.department_id
    RETURNING r.id, r.number, r.title, d.name AS department, d.id AS department_id, d.lineage, s.role
""")

_EXPIRE = text("""
    WITH over AS (
        SELECT id FROM requests WHERE state IN ('submitted', 'in_review') AND expires_at <= :now
        ORDER BY expires_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE requests r SET state = 'expired', outcome = 'expired', version = r.version + 1, updated_at = now()
    FROM over, departments d WHERE r.id = over.id AND d.id = r.department_id
    RETURNING r.id, r.number, r.title, d.name AS department, d.id AS department_id, r.held, r.asked_for
""")

_FINISH = text("""
    WITH over AS (
        SELECT id FROM requests r WHERE state = 'fulfilling'
        AND NOT EXISTS (
            SELECT FROM resources s
            WHERE s.request_id = r.id AND s.state IN ('building', 'changing', 'deleting', 'faulted')
        )
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(r.items) i JOIN resources s ON s.id = (i.value ->> 'resource')::uuid
            WHERE s.state IN ('building', 'changing', 'deleting', 'faulted')
        )
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE requests r SET state = 'done', done_at = :now, version = r.version + 1, updated_at = now()
    FROM over, departments d WHERE r.id = over.id AND d.id = r.department_id
    RETURNING r.id, r.number, r.title, d.name AS department, d.id AS department_id, r.asked_for, r.decided_at
""")
