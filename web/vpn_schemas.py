"""Bodies and queries of the API about VPN accounts, groups, tunnels and logins."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from controlplane.kinds.vpn_account import Code, VpnAccountSize
from controlplane.vpn_rows import Rule, VpnAccountRow
from controlplane.vpn_slips import LEAST_PASSPHRASE
from web.schemas import Change, Instant, ListQuery, Strict

__all__ = ["VpnAccountSize"]

MOST_AT_ONCE = 30_000
Minutes = Annotated[int, Field(ge=1, le=7 * 24 * 60)]
Kbit = Annotated[int, Field(ge=8, le=10_000_000)]
Networks = Annotated[list[str], Field(max_length=200, description="what its tunnels reach, in CIDR form")]


class VpnAccountQuery(ListQuery):
    state: str | None = Field(None, description="one or more states, separated by commas")
    department: str | None = None
    system: str | None = None
    pool: str | None = Field(None, description="gateway")
    request: str | None = None
    person: str | None = Field(None, description="the whole name of a person")
    number: str | None = Field(None, description="the whole number of a person")
    confirm: Literal["due"] | None = Field(None, description="that the department was told to confirm and has not")


class VpnAccountBody(VpnAccountRow):
    department: Code | None = Field(None, description="the caller's own where it is left out")


class VpnAccountsBody(Strict):
    department: Code | None = Field(None, description="the caller's own where it is left out")
    accounts: list[VpnAccountRow] = Field(min_length=1, max_length=MOST_AT_ONCE)


class VpnOrderPath(BaseModel):
    """What is to be done to many at once."""

    verb: Literal["suspend", "resume", "revoke", "extend", "confirm"]


class VpnOrderBody(Strict):
    """Which accounts: these, or without ids all of the department that fit what is said."""

    department: Code | None = Field(None, description="the caller's own where it is left out")
    ids: list[UUID] = Field(default_factory=list, max_length=MOST_AT_ONCE)
    state: str | None = Field(None, description="one or more states, separated by commas")
    system: Code | None = None
    unused_since: Instant | None = Field(None, description="nobody came in under it since")
    until: Instant | None = Field(None, description="with extend: until when it is good")


class VpnMoveBody(Strict):
    """Which accounts, as other orders say it, and where to; what is left out stays as it is."""

    department: Code | None = Field(None, description="the caller's own where it is left out")
    ids: list[UUID] = Field(default_factory=list, max_length=MOST_AT_ONCE)
    state: str | None = Field(None, description="one or more states, separated by commas")
    system: Code | None = Field(None, description="of those that reach this system alone")
    unused_since: Instant | None = Field(None, description="nobody came in under it since")
    to_gateway: Code | None = None
    to_system: Code | None = Field(None, description="the one system to reach; null: all of the department")


class CredentialsBody(Strict):
    department: Code | None = Field(None, description="the caller's own where it is left out")
    ids: list[UUID] = Field(
        default_factory=list, max_length=MOST_AT_ONCE, description="without: all that have no password yet"
    )
    form: Literal["csv", "pdf"] = "csv"
    passphrase: Annotated[str, StringConstraints(min_length=LEAST_PASSPHRASE, max_length=128)] = Field(
        description="what opens the file; Steppe keeps neither"
    )


class VpnGroupQuery(ListQuery):
    q: None = None
    department: str | None = None
    gateway: str | None = None


class _Group(Strict):
    networks: Networks = Field(default_factory=list)
    session_minutes: Minutes = 720
    idle_minutes: Minutes = 30
    down_kbit: Kbit | None = None
    up_kbit: Kbit | None = None
    username_rule: Rule | None = Field(None, description="makes user names: {department}, {number}")
    second_factor: bool = False


class VpnGroupBody(_Group):
    gateway: Code
    department: Code
    system: Code | None = Field(None, description="for accounts that reach this system alone")
    prefix: int = Field(24, ge=8, le=126, description="how long the prefix of its block of addresses is")
    cidr: str | None = Field(None, description="its block itself, in place of prefix")


class VpnGroupChange(Change):
    CLEARABLE = frozenset({"down_kbit", "up_kbit", "username_rule"})

    networks: Networks | None = None
    session_minutes: Minutes | None = None
    idle_minutes: Minutes | None = None
    down_kbit: Kbit | None = None
    up_kbit: Kbit | None = None
    username_rule: Rule | None = None
    second_factor: bool | None = None


class _Of(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    department: str | None = None
    gateway: str | None = None
    account: str | None = Field(None, description="id of an account")
    username: str | None = None


class VpnSessionQuery(_Of):
    sort: Literal["started", "-started"] | None = None
    up: Literal["true", "false"] | None = None


class VpnLoginQuery(_Of):
    sort: Literal["at", "-at"] | None = None
    accepted: Literal["true", "false"] | None = None
    reason: str | None = None
