"""Reads of the audit trail."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal_column, select, text, union_all
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.errors import Invalid
from controlplane.lookups.reading import Filter, as_uuid, filtered, ids, in_scope
from controlplane.models import ApiToken, AuditEvent, Department, User
from controlplane.models.records import NOT_AN_ACCOUNT
from controlplane.paging import Listing, Order, Page, paginate
from controlplane.policy import authorize

_ORDER = Order({"at": AuditEvent.at}, AuditEvent.id, "-at")
# Written out, not sent beside: the planner must see that the index of failures answers it.
_OUTCOMES: Mapping[str, ColumnElement[bool]] = {
    "success": AuditEvent.outcome == literal_column("'success'"),
    "failure": AuditEvent.outcome == literal_column("'failure'"),
}


def history(session: Session, actor: Actor, target: UUID, limit: int = 100) -> Sequence[AuditEvent]:
    """Return the newest events about a thing that the actor was just shown, newest first. Raises Forbidden."""
    authorize(actor, "resource.history")
    statement = select(AuditEvent).where(AuditEvent.target_id == target).order_by(AuditEvent.id.desc()).limit(limit)
    if actor.scope is not None:
        statement = statement.where(AuditEvent.department_id.in_(actor.scope))
    return session.scalars(statement).all()


def audit_events(session: Session, actor: Actor, listing: Listing) -> Page[AuditEvent]:
    """List the trail, newest first; somebody of a department sees the events of the own departments alone.

    Filters: from (an instant), to (the first instant after), actor (id, user name with all tokens of it, or the name of
    what is no account, such as worker), action, target (id or exact name), department, outcome. Raises Forbidden,
    Invalid, BadCursor.
    """
    authorize(actor, "audit.read")
    asked = dict(listing.filters)
    statement = in_scope(select(AuditEvent), AuditEvent.department_id, actor)
    if "actor" in asked:
        statement = statement.where(_by(session, asked.pop("actor")))
    return paginate(session, filtered(session, statement, asked, _FILTERS), _ORDER, listing)


def audited_actions(session: Session, actor: Actor) -> Sequence[str]:
    """Return every action that is in the trail, by name: one step in an index for each."""
    authorize(actor, "audit.read")
    return session.scalars(text(_ACTIONS)).all()


def _by(session: Session, who: str) -> ColumnElement[bool]:
    """Return the condition that somebody, or a token of his, did it."""
    found = as_uuid(who)
    accounts: Sequence[UUID] = [found] if found else []
    if not found:
        tokens = select(ApiToken.id).join(User, User.id == ApiToken.user_id).where(User.username == who)
        accounts = session.scalars(union_all(select(User.id).where(User.username == who), tokens)).all()
    if not accounts:
        return and_(AuditEvent.actor_id == NOT_AN_ACCOUNT, AuditEvent.actor_name == who)
    wanted = AuditEvent.actor_id == accounts[0] if len(accounts) == 1 else AuditEvent.actor_id.in_(accounts)
    # Said again for the planner: the index has the events of accounts alone.
    return and_(wanted, AuditEvent.actor_id != NOT_AN_ACCOUNT)


def instant(field: str, value: str) -> datetime:
    """Return the instant that a filter was given, UTC where it says no zone. Raises Invalid."""
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(field=field, reason="must be an instant, like 2026-11-01T00:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _outcome(value: str) -> ColumnElement[bool]:
    if value not in _OUTCOMES:
        raise Invalid(field="outcome", reason=f"must be one of {', '.join(_OUTCOMES)}")
    return _OUTCOMES[value]


def _target(value: str) -> ColumnElement[bool]:
    found = as_uuid(value)
    return AuditEvent.target_id == found if found else AuditEvent.target_name == value


_FILTERS: Mapping[str, Filter] = {
    "from": lambda v: AuditEvent.at >= instant("from", v),
    "to": lambda v: AuditEvent.at < instant("to", v),
    "action": lambda v: AuditEvent.action == v,
    "target": _target,
    "department": lambda v: AuditEvent.department_id == ids(Department, v).scalar_subquery(),
    "outcome": _outcome,
}

_ACTIONS = """
    WITH RECURSIVE each AS (
        (SELECT action FROM audit_events ORDER BY action LIMIT 1)
        UNION ALL
        SELECT (SELECT e.action FROM audit_events e WHERE e.action > each.action ORDER BY e.action LIMIT 1)
        FROM each WHERE each.action IS NOT NULL
    )
    SELECT action FROM each WHERE action IS NOT NULL
"""
