"""Anything that was allocated, whatever its kind."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.lifecycle import STATES, State
from controlplane.models.pieces import searched
from controlplane.models.pools import Claim, Pool
from controlplane.models.tenancy import Department, System


class Resource(Recorded, Base):
    """`spec` is what was asked, `wanted` the driver's whole order that follows from it, `demand` what the ledger has.

    `generation` counts what was wanted, `observed_generation` is the last one that was found to be so; `desired`
    is `absent` once it is to go. `waiting_reason` is why the last look failed in a way that passes, and `next_try_at`
    when the next one is due.
    """

    __tablename__ = "resources"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(s) for s in STATES)})", name="state_known"),
        CheckConstraint("desired IN ('present', 'absent')", name="desired_known"),
        Index(
            "uq_resources_live_name",
            "department_id",
            "kind",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(None, "kind", "name", "id"),
        Index(None, "kind", "created_at", "id"),
        Index(None, "department_id", "kind", "created_at", "id"),
        Index(None, "pool_id"),
        Index(None, "system_id"),
        Index(None, "request_id"),
        Index(None, "kind", "state", "id"),
        Index(
            "ix_resources_spread_group",
            "department_id",
            "spread_group",
            postgresql_where=text("spread_group IS NOT NULL"),
        ),
    )

    kind: Mapped[str]
    name: Mapped[str]
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    system_id: Mapped[UUID | None] = mapped_column(ForeignKey("systems.id"))
    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id"))
    request_id: Mapped[UUID] = mapped_column(ForeignKey("requests.id"))
    spread_group: Mapped[str | None]
    state: Mapped[State] = mapped_column()
    desired: Mapped[str] = mapped_column(default="present")
    spec: Mapped[dict[str, Any]]
    wanted: Mapped[dict[str, Any]]
    demand: Mapped[dict[str, Any]]
    generation: Mapped[int] = mapped_column(default=1)
    observed_generation: Mapped[int] = mapped_column(default=0)
    observed_at: Mapped[datetime | None]
    fault_code: Mapped[str | None]
    fault_detail: Mapped[str | None]
    waiting_reason: Mapped[str | None]
    next_try_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    department: Mapped[Department] = relationship()
    system: Mapped[System | None] = relationship()
    pool: Mapped[Pool] = relationship()
    claims: Mapped[list[Claim]] = relationship(order_by=Claim.address, viewonly=True)


searched("ix_resources_pieces", Resource.name)
