"""What happened, kept for good."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.db import Base

NOT_AN_ACCOUNT = UUID(int=0)
"""Id of actors that are no account: the worker, the host's operator, somebody unknown. Only their names differ."""


class AuditEvent(Base):
    """One act. No foreign keys: an event outlives everything that it speaks of.

    It is read by time, whatever it is filtered by: each filter has an index that gives its events in that order.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "target_id", "id"),
        Index(None, "target_name"),
        Index(None, "at", "id"),
        Index("ix_audit_events_failures", "at", "id", postgresql_where=text("outcome = 'failure'")),
        Index(None, "department_id", "at", "id"),
        Index(None, "action", "at", "id"),
        Index(None, "actor_id", "at", "id", postgresql_where=text(f"actor_id <> '{NOT_AN_ACCOUNT}'")),
        Index(None, "actor_name", "at", "id", postgresql_where=text(f"actor_id = '{NOT_AN_ACCOUNT}'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_id: Mapped[UUID]
    actor_name: Mapped[str]
    actor_role: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[str]
    target_kind: Mapped[str]
    target_id: Mapped[UUID]
    target_name: Mapped[str]
    department_id: Mapped[UUID | None]
    trace: Mapped[str | None]
    details: Mapped[dict[str, Any]]
