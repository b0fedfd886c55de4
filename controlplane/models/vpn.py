"""VPN accounts beside their resources, the groups that carry them at a gateway, and what RADIUS wrote down of them.

The RADIUS server reads none of these tables: it has views and functions of its own (migration 0017).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.pools import Pool
from controlplane.models.resources import Resource
from controlplane.models.tenancy import Department, System

SCHEMES = ("SSHA2-512-Password", "Crypt-Password")
"""How RADIUS knows a password's hash: the first of what was made by chance, the second (yescrypt) of what a person
chose."""


class VpnGroup(Recorded, Base):
    """What accounts of a department share at a gateway: where their tunnels' addresses come from, and what they reach.

    With a system, the group is of accounts that reach that system alone. `networks` are CIDRs; times in minutes, rates
    in kbit/s for each session, None for no limit. `username_rule` makes user names (`controlplane.vpn_rows`), where
    there is one. With `second_factor`, who is handed a password is handed the secret of one too.
    """

    __tablename__ = "vpn_groups"
    __table_args__ = (
        UniqueConstraint("pool_id", "department_id", "system_id", postgresql_nulls_not_distinct=True),
        UniqueConstraint("pool_id", "name"),
        Index(None, "department_id"),
        CheckConstraint("session_minutes > 0 AND idle_minutes > 0", name="minutes_positive"),
    )

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pools.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    system_id: Mapped[UUID | None] = mapped_column(ForeignKey("systems.id"))
    name: Mapped[str]
    cidr: Mapped[str]
    networks: Mapped[list[str]] = mapped_column(default=list)
    session_minutes: Mapped[int] = mapped_column(default=720)
    idle_minutes: Mapped[int] = mapped_column(default=30)
    username_rule: Mapped[str | None]
    second_factor: Mapped[bool] = mapped_column(default=False)
    down_kbit: Mapped[int | None]
    up_kbit: Mapped[int | None]

    pool: Mapped[Pool] = relationship()
    department: Mapped[Department] = relationship()
    system: Mapped[System | None] = relationship()


class VpnAccount(Base):
    """What a live VPN account has beside its resource; it goes, and the person with it, once the account is gone.

    `department_id` is always that of the resource: a trigger moves it along. `person` is sealed; `name_key` and
    `number_key` find people by their whole name and number without telling either. Without a `hash` nobody comes in: it
    is `issued_at` that a password was handed out. `totp_secret` is sealed for the RADIUS server, which lets each
    `totp_step` (30 s since 1970) in once. At `confirmed_at` its department said that the person still needs it, at
    `confirm_told_at` it was told to say so again.
    """

    __tablename__ = "vpn_accounts"
    __table_args__ = (
        CheckConstraint(f"scheme IN ({', '.join(repr(s) for s in SCHEMES)})", name="scheme_known"),
        CheckConstraint("(scheme IS NULL) = (hash IS NULL)", name="hash_has_a_scheme"),
        Index(None, "name_key", "department_id"),
        Index(None, "number_key", "department_id"),
        Index("ix_vpn_accounts_to_confirm", "department_id", postgresql_where=text("confirm_told_at IS NOT NULL")),
        Index("ix_vpn_accounts_last_login", "last_login_at", "resource_id"),
    )

    resource_id: Mapped[UUID] = mapped_column(
        ForeignKey("resources.id", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    department_id: Mapped[UUID]
    username: Mapped[str] = mapped_column(unique=True)
    person: Mapped[str]
    name_key: Mapped[bytes] = mapped_column(LargeBinary)
    number_key: Mapped[bytes] = mapped_column(LargeBinary)
    scheme: Mapped[str | None]
    hash: Mapped[str | None] = mapped_column(deferred=True)
    issued_at: Mapped[datetime | None]
    totp_secret: Mapped[str | None] = mapped_column(deferred=True)
    totp_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_login_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    confirm_told_at: Mapped[datetime | None]

    resource: Mapped[Resource] = relationship()


class VpnSession(Base):
    """One tunnel, as RADIUS accounting told of it. What is no account of ours has no `resource_id`. `end_ordered_at`:
    somebody wants it ended, whoever may come in again. `stop_told`: its gateway said that it is over; what we took for
    lost is up again when it is told of again."""

    __tablename__ = "vpn_sessions"
    __table_args__ = (
        Index("ix_vpn_sessions_open_by_name", "username", postgresql_where=text("stopped IS NULL")),
        Index("ix_vpn_sessions_open_at", "gateway", "updated", postgresql_where=text("stopped IS NULL")),
        Index(None, "resource_id", "started"),
        Index(None, "department_id", "started", "id"),
        Index(None, "started", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    unique_id: Mapped[str] = mapped_column(unique=True)
    session_id: Mapped[str]
    username: Mapped[str]
    gateway: Mapped[str]
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resources.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"))
    client: Mapped[str | None] = mapped_column(INET)
    address: Mapped[str | None] = mapped_column(INET)
    started: Mapped[datetime]
    updated: Mapped[datetime]
    stopped: Mapped[datetime | None]
    end_ordered_at: Mapped[datetime | None]
    seconds: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    bytes_in: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    bytes_out: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cause: Mapped[str | None]
    stop_told: Mapped[bool] = mapped_column(server_default=text("false"))

    department: Mapped[Department | None] = relationship()


_GUESSED = text("reason IN ('wrong_password', 'wrong_code')")


class VpnLogin(Base):
    """One try to come in. `reason` is why it failed: a word of migrations 0017 and 0020, never what was typed."""

    __tablename__ = "vpn_logins"
    __table_args__ = (
        Index("ix_vpn_logins_guesses", "username", "at", postgresql_where=_GUESSED),
        Index(None, "resource_id", "at"),
        Index(None, "department_id", "at", "id"),
        Index(None, "at", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    username: Mapped[str]
    gateway: Mapped[str]
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resources.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"))
    client: Mapped[str | None] = mapped_column(INET)
    accepted: Mapped[bool]
    reason: Mapped[str | None]

    department: Mapped[Department | None] = relationship()
