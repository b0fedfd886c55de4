"""What happened, kept for good."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from controlplane.db import Base


class AuditEvent(Base):
    """One act. No foreign keys: an event outlives everything that it speaks of."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "target_id", "id"), Index(None, "department_id", "id"), Index(None, "at"))

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
