"""Anything that was allocated, whatever its kind."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.lease_stages import STAGES, Stage
from controlplane.lifecycle import STATES, State
from controlplane.models.pieces import searched
from controlplane.models.pools import Claim, Pool
from controlplane.models.tenancy import Department, System

_LEASED = "lease_until IS NOT NULL AND deleted_at IS NULL"


class Resource(Recorded, Base):
    """`spec` is what was asked, `wanted` the driver's whole order that follows from it, `demand` what the ledger has.

    `generation` counts what was wanted, `observed_generation` is the last one that was found to be so; `desired`
    is `absent` once it is to go. `waiting_reason` is why the last look failed in a way that passes, and `next_try_at`
    when the next one is due. `underway_since`: its pool works on it by itself and is watched. `state_since` is kept by
    a trigger. `removal_began_at` is set before a driver is told to remove it: what was not begun can be taken back.

    `lease_until` is when it is to be given back, `contract_end` when what it is for ends, which is only told. How far a
    lease that is over has gone is its `lease_stage`, since `lease_stage_at`; `lease_stopped`: that was what stopped it.
    `lease_warned` and `contract_warned` are the days of the last warning. `hold_...` is a legal hold, `unused_...` that
    its owner was asked whether it is still needed, and `kept_until` the answer.
    """

    __tablename__ = "resources"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(s) for s in STATES)})", name="state_known"),
        CheckConstraint("desired IN ('present', 'absent')", name="desired_known"),
        CheckConstraint(f"lease_stage IN ({', '.join(repr(s) for s in STAGES)})", name="lease_stage_known"),
        CheckConstraint("(hold_reason IS NULL) = (hold_at IS NULL)", name="hold_has_a_reason"),
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
        Index("ix_resources_underway", "pool_id", "id", postgresql_where=text("underway_since IS NOT NULL")),
        Index("ix_resources_lease", "lease_until", "id", postgresql_where=text(_LEASED)),
        Index("ix_resources_lease_of_department", "department_id", "lease_until", "id", postgresql_where=text(_LEASED)),
        Index(
            "ix_resources_contract",
            "contract_end",
            postgresql_where=text("contract_end IS NOT NULL AND deleted_at IS NULL"),
        ),
        Index(
            "ix_resources_lease_over",
            "lease_stage",
            "lease_stage_at",
            postgresql_where=text("lease_stage IN ('ended', 'stopped', 'quarantined')"),
        ),
        Index(
            "ix_resources_hold", "hold_at", "id", postgresql_where=text("hold_at IS NOT NULL AND deleted_at IS NULL")
        ),
        Index("ix_resources_state_since", "state_since", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_resources_unused", "unused_answer_by", postgresql_where=text("unused_asked_at IS NOT NULL")),
    )

    kind: Mapped[str]
    name: Mapped[str]
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    system_id: Mapped[UUID | None] = mapped_column(ForeignKey("systems.id"))
    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id"))
    request_id: Mapped[UUID] = mapped_column(ForeignKey("requests.id"))
    spread_group: Mapped[str | None]
    state: Mapped[State] = mapped_column()
    state_since: Mapped[datetime] = mapped_column(server_default=func.now())
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
    underway_since: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_stage: Mapped[Stage] = mapped_column(Text, default="granted", server_default="granted")
    lease_stage_at: Mapped[datetime | None]
    lease_warned: Mapped[int | None]
    lease_stopped: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    contract_end: Mapped[datetime | None]
    contract_warned: Mapped[int | None]
    hold_reason: Mapped[str | None]
    hold_by: Mapped[str | None]
    hold_at: Mapped[datetime | None]
    unused_asked_at: Mapped[datetime | None]
    unused_answer_by: Mapped[datetime | None]
    kept_until: Mapped[datetime | None]
    removal_began_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    department: Mapped[Department] = relationship()
    system: Mapped[System | None] = relationship()
    pool: Mapped[Pool] = relationship()
    claims: Mapped[list[Claim]] = relationship(order_by=Claim.address, viewonly=True)


searched("ix_resources_pieces", Resource.name)
