"""How answers about leases look."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controlplane.lease_stages import Stage
from controlplane.lifecycle import State
from controlplane.options import LeasePolicy


class Hold(BaseModel):
    """A legal hold: nothing is stopped, rebuilt or deleted while it stands."""

    reason: str
    by: str
    at: AwareDatetime


class Lease(BaseModel):
    """Until when something is granted, and how far a lease that is over has gone."""

    until: AwareDatetime | None
    contract_end: AwareDatetime | None = Field(description="when what it is for ends; it is told, and nothing more")
    stage: Stage
    stage_at: AwareDatetime | None
    hold: Hold | None
    answer_by: AwareDatetime | None = Field(description="set while its department is asked whether it is still needed")
    kept_until: AwareDatetime | None = Field(description="until then nobody is asked")


class Leased(BaseModel):
    """Something that has a lease, whatever its kind. `next` is what comes next to its lease, if that is told."""

    id: UUID
    version: int
    kind: str
    name: str
    department: str
    system: str | None
    state: State
    state_since: AwareDatetime
    lease: Lease
    next: dict[str, Any] | None = None


class LeasePage(BaseModel):
    """One page of a list of leases."""

    items: list[Leased]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class LeasePolicyInForce(LeasePolicy):
    """What becomes of a resource whose lease ends, and of one that nobody uses."""

    model_config = ConfigDict(extra="allow")
