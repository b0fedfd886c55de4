"""What resources are allocated from: pools with capacity, subnets with addresses, and the claims on them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, Numeric, Text, func, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.pieces import searched
from controlplane.models.tenancy import Department, Site
from controlplane.pool_secrets import SEALED, SECRET


def _is_sealed(name: str) -> str:
    """Say in SQL that a key of a connection is absent, null, or sealed and nothing besides."""
    value = f"connection -> '{name}'"
    return f"{value} IN ('null', jsonb_build_object('{SEALED}', {value} -> '{SEALED}'))"


class Pool(Recorded, Base):
    """Something that resources of one kind come from. How much it has left is in the ledger.

    `drift_policy`: what the sweep does about drift that it finds: `repair` it, or only `report` it. `capacity_follows`:
    how much there is, the sweep reads from the pool itself.
    """

    __tablename__ = "pools"
    __table_args__ = (
        CheckConstraint("mlps_level BETWEEN 1 AND 4", name="mlps_level_known"),
        CheckConstraint("drift_policy IN ('repair', 'report')", name="drift_policy_known"),
        CheckConstraint(" AND ".join(map(_is_sealed, sorted(SECRET))), name="secrets_sealed"),
        Index(None, "kind", "code"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str]
    site_id: Mapped[UUID] = mapped_column(ForeignKey("sites.id"), index=True)
    mlps_level: Mapped[int]
    driver: Mapped[str]
    connection: Mapped[dict[str, Any]]
    accepting: Mapped[bool] = mapped_column(default=True)
    drift_policy: Mapped[str] = mapped_column(default="repair", server_default="repair")
    capacity_follows: Mapped[bool] = mapped_column(default=False, server_default=text("false"))

    site: Mapped[Site] = relationship()
    capacity: Mapped[list["PoolCapacity"]] = relationship(
        order_by="PoolCapacity.resource_class", cascade="all, delete-orphan"
    )


class PoolCapacity(Base):
    """What a pool has of a class; its limit in the ledger is `(total - reserved) * ratio`, or none without a total."""

    __tablename__ = "pool_capacity"
    __table_args__ = (CheckConstraint("reserved >= 0 AND reserved <= total AND ratio > 0", name="sensible"),)

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id"), primary_key=True)
    resource_class: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int | None] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger, default=0)
    ratio: Mapped[Decimal] = mapped_column(Numeric(8, 3), default=Decimal(1))


class PoolCatalogue(Base):
    """How the catalogue and a pool match, as it was last `found`: what a driver's `match_catalogue` gave. `unusable`:
    how many of the offered images no machine can be made of there.

    A table of its own: writing it at each sweep must not look like a change of the pool.
    """

    __tablename__ = "pool_catalogue"

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    unusable: Mapped[int]
    found: Mapped[dict[str, Any]]


class Subnet(Recorded, Base):
    """Addresses of one family. `reserved` (the centre's own use) and `excluded` (never used) hold `a`, `a-b` or CIDRs.
    One with a department is its own: nobody but that department and those below it can have an address of it.
    Addresses of a `floating` one are on no card: by them machines on other networks are reached from outside.

    Every usable address below `first_free` is claimed: the search for the lowest free one starts there.
    """

    __tablename__ = "subnets"
    __table_args__ = (CheckConstraint("NOT floating OR department_id IS NULL", name="floating_for_all"),)

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    site_id: Mapped[UUID] = mapped_column(ForeignKey("sites.id"), index=True)
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"), index=True)
    cidr: Mapped[str]
    gateway: Mapped[str | None]
    dns: Mapped[list[str]] = mapped_column(default=list)
    network: Mapped[str]
    reserved: Mapped[list[str]] = mapped_column(default=list)
    excluded: Mapped[list[str]] = mapped_column(default=list)
    floating: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    first_free: Mapped[str]

    site: Mapped[Site] = relationship()
    department: Mapped[Department | None] = relationship()


class Claim(Base):
    """One address of a subnet held by a resource. It goes only when the resource is confirmed gone; a floating one also
    when it is confirmed not to lead there any more."""

    __tablename__ = "claims"
    __table_args__ = (Index(None, "resource_id"),)

    subnet_id: Mapped[UUID] = mapped_column(ForeignKey("subnets.id"), primary_key=True)
    address: Mapped[str] = mapped_column(INET, primary_key=True)
    resource_id: Mapped[UUID] = mapped_column(ForeignKey("resources.id", deferrable=True, initially="DEFERRED"))

    subnet: Mapped[Subnet] = relationship()

    @classmethod
    def written(cls) -> ColumnElement[str]:
        """Return the address as people write it."""
        return func.host(cls.address, type_=Text)


searched("ix_claims_pieces", Claim.written())
