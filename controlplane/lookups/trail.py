"""Reads of the audit trail."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import AuditEvent
from controlplane.policy import authorize


def history(session: Session, actor: Actor, target: UUID, limit: int = 100) -> Sequence[AuditEvent]:
    """Return the newest events about a thing that the actor was just shown, newest first. Raises Forbidden."""
    authorize(actor, "resource.history")
    statement = select(AuditEvent).where(AuditEvent.target_id == target).order_by(AuditEvent.id.desc()).limit(limit)
    if actor.scope is not None:
        statement = statement.where(AuditEvent.department_id.in_(actor.scope))
    return session.scalars(statement).all()
