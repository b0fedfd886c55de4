"""Where people are and who they are: sites, departments, systems."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.pieces import searched


class Site(Recorded, Base):
    """A place on the network."""

    __tablename__ = "sites"
    __table_args__ = (
        CheckConstraint("level IN ('region', 'prefecture', 'county')", name="level_known"),
        Index(None, "name", "id"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    name_en: Mapped[str]
    level: Mapped[str]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("sites.id"), index=True)

    parent: Mapped["Site | None"] = relationship(remote_side="Site.id")


class Department(Recorded, Base):
    """A tenant. `lineage` holds the ids from the top of the tree down to the department itself."""

    __tablename__ = "departments"
    __table_args__ = (
        Index(None, "lineage", postgresql_using="gin"),
        Index(None, "name", "id"),
        Index(None, "created_at", "id"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    name_en: Mapped[str]
    site_id: Mapped[UUID] = mapped_column(ForeignKey("sites.id"), index=True)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"), index=True)
    lineage: Mapped[list[UUID]] = mapped_column(ARRAY(UuidType))
    deleted_at: Mapped[datetime | None]

    site: Mapped[Site] = relationship()
    parent: Mapped["Department | None"] = relationship(remote_side="Department.id")


class System(Recorded, Base):
    """A business application of a department, with the level that MLPS puts it at (1 lowest, 4 highest here)."""

    __tablename__ = "systems"
    __table_args__ = (
        UniqueConstraint("department_id", "code"),
        CheckConstraint("mlps_level BETWEEN 1 AND 4", name="mlps_level_known"),
        Index(None, "code", "id"),
        Index(None, "name", "id"),
        Index(None, "mlps_level", "id"),
        Index(None, "created_at", "id"),
    )

    code: Mapped[str]
    name: Mapped[str]
    name_en: Mapped[str]
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    mlps_level: Mapped[int]
    contact_name: Mapped[str]
    contact_phone: Mapped[str] = mapped_column(Text)
    contact_email: Mapped[str]
    deleted_at: Mapped[datetime | None]

    department: Mapped[Department] = relationship()


searched("ix_sites_pieces", Site.code, Site.name)
searched("ix_departments_pieces", Department.code, Department.name, Department.name_en)
searched("ix_systems_pieces", System.code, System.name, System.name_en)
