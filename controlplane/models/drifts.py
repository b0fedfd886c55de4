"""What was found to be otherwise than recorded, and when each pool was last looked at for it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, new_id
from controlplane.models.pools import Pool
from controlplane.models.resources import Resource

DriftKind = Literal["missing", "unknown", "different", "quota"]
DriftOutcome = Literal["repaired", "accepted", "adopted", "removed", "vanished"]

_OPEN = text("closed_at IS NULL")


class Drift(Base):
    """One finding, from when it was first seen until it is no more.

    `external_id` is the machine's own id in the pool; of a `quota` it is the project's, and `name` is the code of its
    department. `resource_id` is its record: None for a machine that Steppe never made; of an `unknown` one, the record
    that says it is deleted, or that it lives in another pool. `generation` is the record's at which it was last seen.
    `differences` holds wanted and observed by field; of an unknown machine, what is known of it. `decision` is `repair`
    once that was ordered, by the pool's policy or a person.
    """

    __tablename__ = "drifts"
    __table_args__ = (
        CheckConstraint("kind IN ('missing', 'unknown', 'different', 'quota')", name="kind_known"),
        CheckConstraint("decision IN ('repair', 'accept', 'adopt')", name="decision_known"),
        CheckConstraint(
            "outcome IN ('repaired', 'accepted', 'adopted', 'removed', 'vanished')"
            " AND (outcome IS NULL) = (closed_at IS NULL)",
            name="closed_with_outcome",
        ),
        Index("uq_drifts_open", "pool_id", "external_id", "kind", unique=True, postgresql_where=_OPEN),
        Index("ix_drifts_open_first_seen", "first_seen", "id", postgresql_where=_OPEN),
        Index(None, "first_seen", "id"),
        Index(None, "pool_id", "first_seen", "id"),
        Index(None, "kind", "first_seen", "id"),
        Index(None, "resource_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(default=1)
    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id", ondelete="CASCADE"))
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resources.id"))
    external_id: Mapped[UUID]
    name: Mapped[str]
    kind: Mapped[str]
    generation: Mapped[int | None]
    differences: Mapped[dict[str, Any]]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    decided_by_name: Mapped[str | None]

    pool: Mapped[Pool] = relationship()
    resource: Mapped[Resource | None] = relationship()


class PoolCheck(Base):
    """When a pool was last looked at for drift; `trouble` says why it could not be, None where it could.

    A table of its own: writing it at each sweep must not look like a change of the pool.
    """

    __tablename__ = "pool_checks"

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    machines: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str | None]

    pool: Mapped[Pool] = relationship()
