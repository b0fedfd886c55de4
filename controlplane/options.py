"""What the centre's administrators set at run time, each group of settings under a key of its own."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import CentreOption

T = TypeVar("T", bound=BaseModel)


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


KEYS: dict[type[BaseModel], str] = {Register: "register", FollowUp: "follow_up"}


def option(session: Session, of: type[T]) -> T:
    """Return a group of settings, with its defaults where nothing was set."""
    value = session.scalar(select(CentreOption.value).where(CentreOption.key == KEYS[of]))
    return of.model_validate(value or {})


def set_option(session: Session, actor: Actor, value: BaseModel) -> None:
    """Set a group of settings. Who may, and what the trail says of it, is the caller's to see to."""
    row = {"key": KEYS[type(value)], "value": value.model_dump(mode="json"), "updated_by": actor.name}
    made = insert(CentreOption).values(row)
    session.execute(made.on_conflict_do_update(index_elements=["key"], set_={k: made.excluded[k] for k in row}))
