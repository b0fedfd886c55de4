"""What nobody seems to use: stopped for long, or of no system. Its department is asked; silence ends its lease.

The condition is one for the list and for the pass, so that nobody is asked of what the list does not show.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, literal, not_, or_, select, update
from sqlalchemy.orm import Session

from controlplane import audit, notices
from controlplane.actor import Actor
from controlplane.kinds import KINDS
from controlplane.lease_stages import AHEAD
from controlplane.models import Department, Resource, System
from controlplane.notices import Notice
from controlplane.options import LeasePolicy, option

AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Followed:
    """How many resources a pass was about: whose departments were asked, whose leases ended for want of an answer,
    and which are used again."""

    asked: int = 0
    ended: int = 0
    used_again: int = 0


def idle(policy: LeasePolicy, now: datetime) -> ColumnElement[bool]:
    """Return the condition of what was stopped for as long as makes it unused."""
    if policy.unused_days is None:
        return literal(False)
    long_ago = now - timedelta(days=policy.unused_days)
    return (Resource.state == "stopped") & (Resource.state_since <= long_ago)


def ownerless() -> ColumnElement[bool]:
    """Return the condition of what serves no system though it should, or one that was closed."""
    should = Resource.kind.in_([kind.name for kind in KINDS.values() if kind.of_system])
    closed = Resource.system_id.in_(select(System.id).where(System.deleted_at.is_not(None)))
    return or_(should & Resource.system_id.is_(None), closed)


def unused(policy: LeasePolicy, now: datetime) -> ColumnElement[bool]:
    """Return the condition of what nobody seems to use, and is on no way to its end already."""
    live = Resource.deleted_at.is_(None) & (Resource.desired == "present") & Resource.lease_stage.in_(AHEAD)
    return live & or_(idle(policy, now), ownerless())


def follow(session: Session, actor: Actor, now: datetime) -> Followed:
    """Forget that was asked of what is used again, end the leases of what nobody answered for in time, and ask of what
    is new; a few statements, however many resources they are about."""
    policy = option(session, LeasePolicy)
    return Followed(
        used_again=_forget(session, policy, now),
        ended=_end(session, actor, policy, now),
        asked=_ask(session, policy, now),
    )


def _forget(session: Session, policy: LeasePolicy, now: datetime) -> int:
    used = [Resource.unused_asked_at.is_not(None), not_(unused(policy, now))]
    return len(_take(session, used, {"unused_asked_at": None, "unused_answer_by": None}))


def _end(session: Session, actor: Actor, policy: LeasePolicy, now: datetime) -> int:
    """What nobody answered for has its lease end on the day by which they were to answer; the sweep does the rest."""
    silent = [
        Resource.unused_asked_at.is_not(None),
        Resource.unused_answer_by <= now,
        Resource.hold_at.is_(None),
        unused(policy, now),
    ]
    ends = func.least(Resource.lease_until, Resource.unused_answer_by)
    found = _take(session, silent, {"lease_until": ends, "unused_asked_at": None, "unused_answer_by": None})
    audit.record(
        session,
        actor,
        [
            audit.Act(
                f"{row.kind}.lease_reclaim",
                row.kind,
                row.id,
                row.name,
                row.department_id,
                {"lease_until": row.lease_until.isoformat()},
            )
            for row in found
        ],
    )
    return len(found)


def _ask(session: Session, policy: LeasePolicy, now: datetime) -> int:
    fresh = [
        Resource.unused_asked_at.is_(None),
        Resource.hold_at.is_(None),
        or_(Resource.kept_until.is_(None), Resource.kept_until <= now),
        or_(Resource.lease_until.is_(None), Resource.lease_until > now),
        unused(policy, now),
    ]
    by = now + timedelta(days=policy.answer_days)
    found = _take(session, fresh, {"unused_asked_at": now, "unused_answer_by": by})
    told = [
        Notice(
            "unused.asked",
            {"name": row.name, "department": row.department, "until": by.isoformat()},
            role="department_manager",
            departments=[row.department_id],
            resource=row.id,
        )
        for row in found
    ]
    notices.tell(session, told)
    return len(found)


def _take(session: Session, which: list[ColumnElement[bool]], values: dict[str, Any]) -> Any:
    chosen = select(Resource.id).where(*which).order_by(Resource.id).limit(AT_ONCE)
    locked = chosen.with_for_update(skip_locked=True).cte("chosen")
    department = select(Department.name).where(Department.id == Resource.department_id).scalar_subquery()
    changed = (
        update(Resource)
        .where(Resource.id == locked.c.id)
        .values(version=Resource.version + 1, **values)
        .returning(
            *(Resource.id, Resource.kind, Resource.name, Resource.department_id, Resource.lease_until),
            department.label("department"),
        )
    )
    return session.execute(changed, execution_options={"synchronize_session": False}).all()
