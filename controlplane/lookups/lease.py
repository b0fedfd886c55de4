"""Reads of leases and of what nobody seems to use, whatever the kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from controlplane import unused as idling
from controlplane.actor import Actor
from controlplane.errors import Invalid, NotFound
from controlplane.lease_stages import STAGES
from controlplane.lookups.reading import Filter, as_uuid, filtered, ids, in_scope, number, ordered_by
from controlplane.models import Department, Resource, System
from controlplane.models.pieces import contains
from controlplane.options import LeasePolicy, option
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize

_LONGEST = 36_500


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends on one day: how many leases, and how many contracts."""

    leases: int = 0
    contracts: int = 0


def leases(session: Session, actor: Actor, listing: Listing, now: datetime) -> Page[Resource]:
    """List resources that have a lease, what ends first first; filters: q, within (days), from, to (instants),
    department, system, kind, stage, held. Raises Forbidden, Invalid."""
    authorize(actor, "resource.read")
    statement = in_scope(select(Resource).where(_live(), Resource.lease_until.is_not(None)), _DEPARTMENT, actor)
    known = _FILTERS | {"within": lambda v: Resource.lease_until <= now + timedelta(days=_days(v))}
    statement = filtered(session, statement, listing.filters, known).options(*_PARTS)
    return paginate(session, statement, ordered_by(Resource, "lease_until"), listing)


def unused(session: Session, actor: Actor, listing: Listing, now: datetime) -> Page[Resource]:
    """List what nobody seems to use, the longest first; filters: q, department, kind, reason (stopped, ownerless).

    Raises Forbidden, Invalid.
    """
    authorize(actor, "resource.read")
    policy = option(session, LeasePolicy)
    reasons = {"stopped": idling.idle(policy, now), "ownerless": idling.ownerless()}

    def because(reason: str) -> ColumnElement[bool]:
        if reason not in reasons:
            raise Invalid(field="reason", reason=f"must be one of {', '.join(reasons)}")
        return reasons[reason]

    known = {name: _FILTERS[name] for name in ("q", "department", "kind")} | {"reason": because}
    statement = in_scope(select(Resource).where(idling.unused(policy, now)), _DEPARTMENT, actor)
    statement = filtered(session, statement, listing.filters, known).options(*_PARTS)
    return paginate(session, statement, ordered_by(Resource, "state_since"), listing)


def holds(session: Session, actor: Actor, listing: Listing) -> Page[Resource]:
    """List what is on legal hold, the newest first; filters: q, department. Raises Forbidden, Invalid."""
    authorize(actor, "lease.hold")
    known = {name: _FILTERS[name] for name in ("q", "department")}
    statement = in_scope(select(Resource).where(_live(), Resource.hold_at.is_not(None)), _DEPARTMENT, actor)
    statement = filtered(session, statement, listing.filters, known).options(*_PARTS)
    return paginate(session, statement, ordered_by(Resource, "hold_at", default="-hold_at"), listing)


def resource_to_hold(session: Session, actor: Actor, ref: str) -> Resource:
    """Return the live resource of this id, or of this name where only one has it.

    Raises Forbidden, NotFound, Invalid.
    """
    authorize(actor, "lease.hold")
    by_id = as_uuid(ref)
    named = Resource.id == by_id if by_id else Resource.name == ref
    statement = in_scope(select(Resource).where(_live(), named), _DEPARTMENT, actor)
    found: Sequence[Resource] = session.scalars(statement.limit(2)).all()
    if not found:
        raise NotFound(noun="resource", name=ref)
    if len(found) > 1:
        raise Invalid(field="resource", reason="more than one has this name; give the id")
    return found[0]


def ends_by_day(session: Session, actor: Actor, days: tuple[datetime, datetime], zone: str) -> dict[date, Ends]:
    """Return what ends on each day from the first instant to before the second, as days of a time zone."""
    authorize(actor, "resource.read")
    leases_on = _counted(session, actor, Resource.lease_until, days, zone)
    contracts_on = _counted(session, actor, Resource.contract_end, days, zone)
    return {
        day: Ends(leases_on.get(day, 0), contracts_on.get(day, 0)) for day in leases_on.keys() | contracts_on.keys()
    }


def _counted(
    session: Session,
    actor: Actor,
    moment: InstrumentedAttribute[datetime | None],
    days: tuple[datetime, datetime],
    zone: str,
) -> dict[date, int]:
    day = cast(func.timezone(zone, moment), Date).label("day")
    statement: Any = select(day, func.count()).where(_live(), moment >= days[0], moment < days[1]).group_by(day)
    return {row[0]: row[1] for row in session.execute(in_scope(statement, _DEPARTMENT, actor))}


def _live() -> ColumnElement[bool]:
    return Resource.deleted_at.is_(None)


def _days(value: str) -> int:
    days = number("within", value)
    if not 0 <= days <= _LONGEST:
        raise Invalid(field="within", reason=f"must be between 0 and {_LONGEST} days")
    return days


def _instant(field: str, value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(field=field, reason="must be an instant, like 2027-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise Invalid(field=field, reason="must say its zone, like 2027-01-01T00:00:00Z")
    return moment


def _stages(value: str) -> ColumnElement[bool]:
    wanted = value.split(",")
    unknown = sorted(set(wanted) - set(STAGES))
    if unknown:
        raise Invalid(field="stage", reason=f"{', '.join(unknown)}: no such stage; there are {', '.join(STAGES)}")
    return Resource.lease_stage.in_(wanted)


_DEPARTMENT: InstrumentedAttribute[UUID] = Resource.department_id
_PARTS = (joinedload(Resource.department), joinedload(Resource.system))

_FILTERS: dict[str, Filter] = {
    "q": lambda v: contains(v, Resource.name),
    "department": lambda v: Resource.department_id.in_(ids(Department, v)),
    "system": lambda v: Resource.system_id.in_(ids(System, v)),
    "kind": lambda v: Resource.kind == v,
    "stage": _stages,
    "held": lambda v: Resource.hold_at.is_not(None) if v == "true" else Resource.hold_at.is_(None),
    "from": lambda v: Resource.lease_until >= _instant("from", v),
    "to": lambda v: Resource.lease_until < _instant("to", v),
}
