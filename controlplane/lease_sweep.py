"""The sweep of leases: warning ahead of their end, and then stop, quarantine and deletion, all of them in one pass.

Each step is a few statements however many resources it is about. The rows that are due are locked first and looked at
again once they are, so that an extension that came before wins; one that comes after takes back what was done. A sweep
that is late skips nothing: each step counts from when the one before it was really taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lease_stages, lifecycle, notices
from controlplane.actor import Actor
from controlplane.asks.states import OPEN
from controlplane.kinds import KINDS
from controlplane.lease_stages import AHEAD, Due, Stage, Step
from controlplane.models import Department, Request, Resource
from controlplane.notices import Notice
from controlplane.options import LeasePolicy, option

AT_ONCE = 10_000
"""Resources that one step of a pass takes at most; the next pass takes on."""

_Rows = Sequence[Row[Any]]
_Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Swept:
    """How many resources each step of a pass was about."""

    warned: int = 0
    ended: int = 0
    stopped: int = 0
    quarantined: int = 0
    deleted: int = 0


def sweep(session: Session, actor: Actor, now: datetime) -> Swept:
    """Take every step that is due on the way of a lease, at most AT_ONCE of each; say so in the trail and to those
    whom it is about. Two sweeps at a time share the work."""
    policy = option(session, LeasePolicy)
    warned = _warn(session, policy, now) + _warn_of_contracts(session, policy, now)
    ended = _end(session, actor, now)
    taken: dict[Step, int] = {"stop": 0, "quarantine": 0, "delete": 0}
    for step in taken:
        steps = [one for one in lease_stages.due(policy) if one.step == step]
        if steps:
            taken[step] = _TAKEN[step](session, actor, steps, now)
    return Swept(warned, ended, taken["stop"], taken["quarantine"], taken["delete"])


def _warn(session: Session, policy: LeasePolicy, now: datetime) -> int:
    """Warn of the end of a lease, by the last of the warnings that is due: one that comes late is given once."""
    due = [Resource.lease_stage.in_(AHEAD), Resource.lease_until > now]
    values = {"lease_stage": "warned", "lease_stage_at": now, "lease_warned": _days_left(policy, now, "lease_until")}
    warned = _warned(session, policy, now, "lease", (due, values))
    return len(warned)


def _warn_of_contracts(session: Session, policy: LeasePolicy, now: datetime) -> int:
    values = {"contract_warned": _days_left(policy, now, "contract_end")}
    return len(_warned(session, policy, now, "contract", ([Resource.contract_end > now], values)))


def _warned(
    session: Session, policy: LeasePolicy, now: datetime, what: str, taking: tuple[list[ColumnElement[bool]], _Values]
) -> _Rows:
    if not policy.warn_days:
        return []
    due, values = taking
    column = Resource.lease_until if what == "lease" else Resource.contract_end
    given = Resource.lease_warned if what == "lease" else Resource.contract_warned
    soon = column <= now + timedelta(days=max(policy.warn_days))
    days = values[f"{what}_warned"]
    fresh = or_(given.is_(None), given > days)
    found = _take(session, [Resource.desired == "present", *due, soon, fresh], values)
    shown = [(row, row.lease_until if what == "lease" else row.contract_end) for row in found]
    notices.tell(
        session,
        [
            one
            for row, until in shown
            for one in _telling(row, "lease.warning", what=what, until=until.isoformat(), days=(until - now).days)
        ],
    )
    return found


def _days_left(policy: LeasePolicy, now: datetime, column: str) -> ColumnElement[int]:
    """Return the fewest of the warning's days within which a moment lies."""
    moment = getattr(Resource, column)
    whens = [(moment <= now + timedelta(days=days), literal(days)) for days in sorted(policy.warn_days)]
    return case(*whens, else_=literal(0)) if whens else literal(0)


def _end(session: Session, actor: Actor, now: datetime) -> int:
    due = [
        Resource.desired == "present",
        Resource.hold_at.is_(None),
        Resource.lease_stage.in_(AHEAD),
        Resource.lease_until <= now,
    ]
    found = _take(session, due, {"lease_stage": "ended", "lease_stage_at": now})
    _say(session, actor, found, "lease_ended")
    return len(found)


def _stop(session: Session, actor: Actor, steps: Sequence[Due], now: datetime) -> int:
    return _halt(session, actor, _due(steps, now), ("stopped", now))


def _quarantine(session: Session, actor: Actor, steps: Sequence[Due], now: datetime) -> int:
    return _halt(session, actor, [*_due(steps, now), _no_extension_is_asked_for()], ("quarantined", now))


def _halt(session: Session, actor: Actor, due: list[ColumnElement[bool]], to: tuple[Stage, datetime]) -> int:
    """Bring what is due to a stage in which it does not run. What is in the middle of a change waits for its end."""
    stage, now = to
    halted = case(*((Resource.kind == k.name, literal(dict(k.halted), JSONB)) for k in KINDS.values()))
    runs = not_(Resource.wanted.contains(halted))
    generation = Resource.generation + cast(runs, Integer)
    wanted = Resource.wanted.concat(halted).concat(func.jsonb_build_object("generation", generation))
    values = {
        "lease_stage": stage,
        "lease_stage_at": now,
        "generation": generation,
        "wanted": case((runs, wanted), else_=Resource.wanted),
        "state": case((runs, lifecycle.move("running", "change")), else_=Resource.state),
        "fault_code": case((runs, null()), else_=Resource.fault_code),
        "fault_detail": case((runs, null()), else_=Resource.fault_detail),
        "lease_stopped": or_(Resource.lease_stopped, runs),
    }
    still = Resource.state.in_((*lifecycle.SETTLED, "faulted"))
    found = _take(session, [*due, still], values, runs)
    _say(session, actor, found, f"lease_{stage}")
    _tell(session, found, f"lease.{stage}", now)
    jobs.enqueue(session, [row.id for row in found if row.was], actor.trace)
    return len(found)


def _delete(session: Session, actor: Actor, steps: Sequence[Due], now: datetime) -> int:
    states = [state for state in lifecycle.STATES if (state, "remove") in lifecycle.MOVES]
    values = {
        "lease_stage": "deleting",
        "lease_stage_at": now,
        "desired": "absent",
        "generation": Resource.generation + 1,
        "state": case(
            *((Resource.state == state, lifecycle.move(state, "remove")) for state in states), else_=Resource.state
        ),
        "fault_code": null(),
        "fault_detail": null(),
    }
    settled = Resource.state.in_((*lifecycle.SETTLED, "faulted"))
    found = _take(session, [*_due(steps, now), settled, _no_extension_is_asked_for()], values)
    _say(session, actor, found, "lease_deleted")
    _tell(session, found, "lease.deleted", now)
    jobs.enqueue(session, [row.id for row in found], actor.trace)
    return len(found)


def _due(steps: Sequence[Due], now: datetime) -> list[ColumnElement[bool]]:
    """Return the conditions of what a step is due for, but for the states in which it can be taken."""
    reached = [
        and_(Resource.lease_stage == one.stage, Resource.lease_stage_at <= now - timedelta(days=one.after))
        for one in steps
    ]
    return [Resource.desired == "present", Resource.deleted_at.is_(None), Resource.hold_at.is_(None), or_(*reached)]


def _no_extension_is_asked_for() -> ColumnElement[bool]:
    """While somebody has to decide on more time for it, a resource is stopped, and nothing more."""
    item = func.jsonb_array_elements(Request.items).table_valued("value", name="item")
    asked = cast(item.c.value, JSONB)["resource"].astext
    extending = (
        select(asked)
        .select_from(Request)
        .join(item, literal(True))
        .where(Request.state.in_(OPEN), cast(item.c.value, JSONB)["do"].astext == "extend", asked.is_not(None))
    )
    return cast(Resource.id, String).not_in(extending)


def _take(
    session: Session, due: Sequence[ColumnElement[bool]], values: _Values, was: ColumnElement[bool] | None = None
) -> _Rows:
    """Lock what is due and change it; return it as it is then. `was` is something of it as it was before."""
    kept = literal(False) if was is None else was
    chosen = select(Resource.id, kept.label("was")).where(Resource.deleted_at.is_(None), *due)
    chosen = chosen.order_by(Resource.id).limit(AT_ONCE).with_for_update(skip_locked=True)
    locked = chosen.cte("due")
    department = select(Department.name).where(Department.id == Resource.department_id).scalar_subquery()
    asked_for = select(Request.asked_for).where(Request.id == Resource.request_id).scalar_subquery()
    shown = ("id", "kind", "name", "department_id", "lease_until", "contract_end", "generation", "lease_stage")
    changed = (
        update(Resource)
        .where(Resource.id == locked.c.id)
        .values(version=Resource.version + 1, **values)
        .returning(
            *(getattr(Resource, name) for name in shown),
            locked.c.was,
            department.label("department"),
            asked_for.label("asked_for"),
        )
    )
    return session.execute(changed, execution_options={"synchronize_session": False}).all()


def _say(session: Session, actor: Actor, found: _Rows, verb: str) -> None:
    audit.record(session, actor, [_said(row, verb) for row in found])


def _said(row: Row[Any], verb: str) -> audit.Act:
    details = {"lease_until": row.lease_until.isoformat() if row.lease_until else None, "generation": row.generation}
    return audit.Act(f"{row.kind}.{verb}", row.kind, row.id, row.name, row.department_id, details)


def _tell(session: Session, found: _Rows, event: str, now: datetime) -> None:
    notices.tell(session, [one for row in found for one in _telling(row, event, at=now.isoformat())])


def _telling(row: Row[Any], event: str, **more: Any) -> Iterator[Notice]:
    """Yield what tells the managers of its department, and whom it was asked for."""
    told = {"name": row.name, "department": row.department, **more}
    people = [row.asked_for] if row.asked_for else []
    yield Notice(event, told, people, "department_manager", [row.department_id], resource=row.id)


_TAKEN = {"stop": _stop, "quarantine": _quarantine, "delete": _delete}
