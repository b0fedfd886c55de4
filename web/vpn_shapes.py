"""How answers about VPN accounts and their tunnels look."""

from uuid import UUID

from pydantic import AwareDatetime, Field

from controlplane.lifecycle import State
from web.lease_shapes import Lease
from web.shapes import Answer, Fault, Waiting


class VpnAccount(Answer):
    """An account. `person` is told to those alone who may know whose it is."""

    id: UUID
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int = Field(description="for If-Match, as `ETag` says it")
    username: str
    person: dict[str, str] | None
    department: str
    system: str | None = Field(description="the one that it reaches; null: all of its department")
    gateway: str
    max_sessions: int = Field(description="tunnels that may be up at once")
    issued_at: AwareDatetime | None = Field(description="when it was given its password")
    last_login_at: AwareDatetime | None
    state: State
    generation: int = Field(description="raised by every change that is wanted")
    observed_generation: int | None = Field(description="the one that was last found made")
    request: UUID
    lease: Lease
    fault: Fault | None
    waiting: Waiting | None = Field(description="set while its gateway does not answer; Steppe tries again by itself")


class VpnAccountPage(Answer):
    """One page of a list of accounts."""

    items: list[VpnAccount]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class VpnAskedFor(Answer):
    """An account as it was asked for."""

    id: UUID
    username: str
    state: State
    request: UUID


class VpnAccountName(Answer):
    """One of many accounts that were asked for at once."""

    id: UUID
    username: str


class VpnAskedForMany(Answer):
    """What a bulk ask made."""

    request: UUID
    count: int
    accounts: list[VpnAccountName]


class VpnOrdered(Answer):
    """To which accounts an order was given."""

    count: int
    accounts: list[UUID]


class VpnTunnel(Answer):
    """A tunnel; that of a user name that is nobody's has no account and no department."""

    id: int
    username: str
    gateway: str
    address: str | None
    client: str | None
    account: UUID | None
    department: UUID | None
    seconds: int
    bytes_in: int
    bytes_out: int
    started: AwareDatetime
    updated: AwareDatetime
    stopped: AwareDatetime | None
    cause: str | None = Field(description="why it ended, as the gateway says it")
    end_ordered_at: AwareDatetime | None
