"""What departments are in clouds that keep tenants apart themselves."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base
from controlplane.models.pools import Pool
from controlplane.models.tenancy import Department


class Project(Base):
    """A department's project in a pool, with the limits and the ingress that were written there last. It is made with
    the department's first machine there and removed when the department is closed."""

    __tablename__ = "projects"

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id", ondelete="CASCADE"), primary_key=True)
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"), primary_key=True, index=True)
    external_id: Mapped[str]
    limits: Mapped[dict[str, Any]]
    ingress: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'::jsonb"))
    written_at: Mapped[datetime]

    pool: Mapped[Pool] = relationship()
    department: Mapped[Department] = relationship()
