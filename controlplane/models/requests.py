"""An ask by a department, and what became of it."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.tenancy import Department


class Request(Recorded, Base):
    """`items` is what was asked, one entry for each thing, as it was sent."""

    __tablename__ = "requests"
    __table_args__ = (
        CheckConstraint("state IN ('approved')", name="state_known"),
        Index(None, "department_id", "created_at", "id"),
        Index(None, "created_at", "id"),
    )

    kind: Mapped[str]
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    state: Mapped[str]
    items: Mapped[list[dict[str, Any]]]
    asked_by: Mapped[UUID]
    asked_by_name: Mapped[str]

    department: Mapped[Department] = relationship()
