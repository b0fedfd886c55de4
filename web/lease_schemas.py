"""Bodies and queries of the API about leases."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from web.schemas import Change, Instant, ListQuery, Strict


class LeaseQuery(ListQuery):
    within: int | None = Field(None, ge=0, le=36_500, description="ends within so many days, or has ended")
    since: Instant | None = Field(None, alias="from", description="ends then or later")
    until: Instant | None = Field(None, alias="to", description="ends before then")
    department: str | None = None
    system: str | None = None
    kind: str | None = None
    stage: str | None = Field(
        None, description="one or more of granted, warned, ended, stopped, quarantined, deleting, separated by commas"
    )
    held: Literal["true", "false"] | None = Field(None, description="only what is on legal hold, or only what is not")


class UnusedQuery(ListQuery):
    department: str | None = None
    kind: str | None = None
    reason: Literal["stopped", "ownerless"] | None = None


class HoldQuery(ListQuery):
    department: str | None = None


class LeaseBody(Change):
    CLEARABLE = frozenset({"lease_until", "contract_end"})

    lease_until: Instant | None = Field(None, description="when it is to be given back; null: never")
    contract_end: Instant | None = Field(None, description="when what it is for ends; it is told, and nothing more")


class HoldBody(Strict):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
