"""Who can come in, and what they already asked."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.actor import Role
from controlplane.db import Base, Recorded
from controlplane.models.tenancy import Department
from controlplane.policy import ROLES

_ROLE_KNOWN = f"role IN ({', '.join(repr(r) for r in ROLES)})"
_DEPARTMENT_FITS = "(department_id IS NOT NULL) = (role IN ('department_manager', 'department_member'))"


class User(Recorded, Base):
    """A person who signs in at the console. The password is kept as its argon2id hash."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(_ROLE_KNOWN, name="role_known"),
        CheckConstraint(_DEPARTMENT_FITS, name="department_fits_role"),
    )

    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column()
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"), index=True)
    password_hash: Mapped[str]
    disabled_at: Mapped[datetime | None]

    department: Mapped[Department | None] = relationship()


class ApiToken(Recorded, Base):
    """A secret that stands for a department or an administrator. Only the SHA-256 of its 256 random bits is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(_ROLE_KNOWN, name="role_known"),
        CheckConstraint(_DEPARTMENT_FITS, name="department_fits_role"),
    )

    name: Mapped[str]
    role: Mapped[Role] = mapped_column()
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    department: Mapped[Department | None] = relationship()


class IdempotencyKey(Base):
    """The answer to a write that carried an Idempotency-Key, for the next one with the same key."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
