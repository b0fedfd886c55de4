"""What the centre's administrators set at run time, each group of settings under a key of its own."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import CentreOption

T = TypeVar("T", bound=BaseModel)
Days = Annotated[int, Field(ge=1, le=3650)]


class Register(BaseModel):
    """The public register of decided requests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public: bool = Field(False, description="whether it can be read without an account")
    titles: bool = Field(False, description="whether it shows the titles of requests")


class FollowUp(BaseModel):
    """How requests are followed up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    remind_hours: int = Field(8, ge=0, le=720, description="how long before a step is due its approver is reminded")
    open_days: int = Field(30, ge=1, le=365, description="after how many days without a decision a request expires")


class LeasePolicy(BaseModel):
    """What becomes of a resource whose lease ends, and of one that nobody uses. A step without days is passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    warn_days: list[Days] = Field([30, 7, 1], max_length=10, description="how many days ahead its people are warned")
    stop_days: int | None = Field(0, ge=0, le=3650, description="days from the end of a lease to the stop")
    quarantine_days: int | None = Field(7, ge=1, le=3650, description="days from the stop to the quarantine")
    delete_days: int | None = Field(30, ge=1, le=3650, description="days from the quarantine to the deletion")
    unused_days: int | None = Field(60, ge=1, le=3650, description="days of being stopped that make it unused")
    answer_days: int = Field(14, ge=1, le=365, description="days that its owner has to answer whether it is needed")
    keep_days: int = Field(180, ge=1, le=3650, description="days that an answer holds")

    @field_validator("warn_days")
    @classmethod
    def _in_order(cls, days: list[int]) -> list[int]:
        return sorted(set(days), reverse=True)


class VpnPolicy(BaseModel):
    """What becomes of VPN accounts that nobody confirms or uses. A step without days is passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confirm_days: int | None = Field(365, ge=1, le=3650, description="days that a confirmation holds, then: suspended")
    told_days: int = Field(30, ge=1, le=365, description="how many days ahead a department is told to confirm")
    unused_days: int | None = Field(180, ge=1, le=3650, description="days without a login, then: suspended")


KEYS: dict[type[BaseModel], str] = {
    Register: "register",
    FollowUp: "follow_up",
    LeasePolicy: "leases",
    VpnPolicy: "vpn",
}


def option(session: Session, of: type[T]) -> T:
    """Return a group of settings, with its defaults where nothing was set."""
    value = session.scalar(select(CentreOption.value).where(CentreOption.key == KEYS[of]))
    return of.model_validate(value or {})


def set_option(session: Session, actor: Actor, value: BaseModel) -> None:
    """Set a group of settings. Who may, and what the trail says of it, is the caller's to see to."""
    row = {"key": KEYS[type(value)], "value": value.model_dump(mode="json"), "updated_by": actor.name}
    made = insert(CentreOption).values(row)
    session.execute(made.on_conflict_do_update(index_elements=["key"], set_={k: made.excluded[k] for k in row}))
