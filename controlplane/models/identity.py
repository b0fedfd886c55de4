"""Who can come in, who is in, and what they already asked."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.actor import Role
from controlplane.db import Base, Recorded
from controlplane.models.tenancy import Department
from controlplane.policy import OF_DEPARTMENTS, ROLES

DisabledReason = Literal["decision", "unused", "left"]
EndReason = Literal["signed_out", "ended", "superseded", "changed", "disabled", "left"]

_ROLE_KNOWN = f"role IN ({', '.join(repr(r) for r in ROLES)})"
_DEPARTMENT_FITS = f"(department_id IS NOT NULL) = (role IN ({', '.join(repr(r) for r in sorted(OF_DEPARTMENTS))}))"

_ONE_IDENTITY = "num_nonnulls(identity_subject, identity_login) = num_nonnulls(identity_issuer)"


class User(Recorded, Base):
    """An account: of a person who signs in at the console, or of a program (`service`), which has tokens alone.

    One role, so nobody combines two. Passwords are kept as argon2id hashes, the newest of the previous ones first; the
    second factor's secret is sealed with the installation's key, recovery codes are SHA-256 of random bits, in hex.
    `last_active_at` is when the account last came in, or was last let in again.

    Whoever comes through an identity provider is known there by `identity_subject`; or, where an administrator prepared
    the account, by the user name `identity_login` until he comes for the first time.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(_ROLE_KNOWN, name="role_known"),
        CheckConstraint(_DEPARTMENT_FITS, name="department_fits_role"),
        CheckConstraint("NOT service OR (password_hash IS NULL AND totp_secret IS NULL)", name="service_has_tokens"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled_for_a_reason"),
        CheckConstraint("totp_enrolled_at IS NULL OR totp_secret IS NOT NULL", name="enrolled_has_a_secret"),
        CheckConstraint(_ONE_IDENTITY, name="one_identity"),
        CheckConstraint("NOT service OR identity_issuer IS NULL", name="service_has_no_identity"),
        UniqueConstraint("identity_issuer", "identity_subject"),
        UniqueConstraint("identity_issuer", "identity_login"),
        Index(None, "role", postgresql_where=text("disabled_at IS NULL")),
    )

    username: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[str | None]
    role: Mapped[Role] = mapped_column()
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"), index=True)
    service: Mapped[bool] = mapped_column(default=False)
    password_hash: Mapped[str | None]
    previous_hashes: Mapped[list[str]] = mapped_column(default=list)
    password_changed_at: Mapped[datetime | None]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[bytes | None]
    totp_enrolled_at: Mapped[datetime | None]
    totp_last_counter: Mapped[int | None] = mapped_column(BigInteger)
    recovery_hashes: Mapped[list[str]] = mapped_column(default=list)
    networks: Mapped[list[str]] = mapped_column(default=list)
    identity_issuer: Mapped[str | None]
    identity_subject: Mapped[str | None]
    identity_login: Mapped[str | None]
    last_sign_in_at: Mapped[datetime | None]
    last_active_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[DisabledReason | None] = mapped_column()

    department: Mapped[Department | None] = relationship()


class SignIn(Recorded, Base):
    """A session at the console. Of the random value in the browser's cookie only the SHA-256 is kept.

    `completed_at` is when password and second factor, where there is one, were both shown. `issuer` is the identity
    provider that somebody came through in place of a password; `provider_factor`: the second factor was shown there.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (Index(None, "user_id", postgresql_where=text("ended_at IS NULL")), Index(None, "last_seen_at"))

    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    last_seen_at: Mapped[datetime]
    address: Mapped[str | None]
    agent: Mapped[str | None]
    completed_at: Mapped[datetime | None]
    second_factor_at: Mapped[datetime | None]
    issuer: Mapped[str | None]
    provider_factor: Mapped[bool] = mapped_column(default=False)
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[EndReason | None] = mapped_column()

    user: Mapped[User] = relationship()


class SignInTry(Base):
    """Tries to sign in under a name since the last that went well. Kept by a keyed hash of the name as it was given,
    whether or not there is such a user: neither the lock nor the table tells which names there are."""

    __tablename__ = "sign_in_tries"

    name_hash: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None]


class ApiToken(Recorded, Base):
    """A secret that stands for its owner. Only the SHA-256 of its 256 random bits is kept.

    Role and department are the owner's at each use, narrowed by the token's own department and its actions where it has
    any.
    """

    __tablename__ = "api_tokens"

    name: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"), index=True)
    actions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()
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
