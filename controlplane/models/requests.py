"""Asks by departments: what was asked, who has to decide on it, and what became of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.asks.states import DECIDED, OPEN, STATES, STEP_STATES, State, StepState
from controlplane.db import Base, Recorded, new_id
from controlplane.models.tenancy import Department

_WAS_DECIDED = "decided_at IS NOT NULL"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Request(Recorded, Base):
    """`items` is what was asked, one entry for each thing, in the form that `asks.items` reads. `kind` is what they
    have in common: a kind of resource, `quota`, or `mixed`.

    `asked_by` is who sent it, `asked_for` the person behind: the same, or the owner of a token. `submitted_at` and
    `decided_at` stay unset where nothing was to be decided. `held` tells whether its demand is reserved. The progress
    page is open to whoever has a link that is signed for `progress_key`, until `progress_until`.
    """

    __tablename__ = "requests"
    __table_args__ = (
        CheckConstraint(_one_of("state", STATES), name="state_known"),
        Index(None, "department_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index("ix_requests_expiring", "expires_at", postgresql_where=text(_one_of("state", OPEN))),
        Index("ix_requests_under_way", "id", postgresql_where=text("state = 'fulfilling'")),
        Index("ix_requests_decided", "decided_at", "id", postgresql_where=text(_WAS_DECIDED)),
        *(
            Index(f"ix_requests_decided_by_{name}", column, "decided_at", "id", postgresql_where=text(_WAS_DECIDED))
            for name, column in (("department", "department_id"), ("kind", "kind"))
        ),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    kind: Mapped[str]
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    state: Mapped[State] = mapped_column(Text)
    title: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="")
    items: Mapped[list[dict[str, Any]]]
    asked_by: Mapped[UUID]
    asked_by_name: Mapped[str]
    asked_for: Mapped[UUID | None]
    held: Mapped[bool] = mapped_column(server_default=text("false"))
    submitted_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    progress_key: Mapped[UUID | None]
    progress_until: Mapped[datetime | None]

    department: Mapped[Department] = relationship()
    steps: Mapped[list["RequestStep"]] = relationship(
        order_by="(RequestStep.round, RequestStep.stage, RequestStep.role)", viewonly=True
    )


class RequestStep(Recorded, Base):
    """One approval that a rule demands. Steps of one stage are open at once, stages follow one on the other.

    `role` may decide, a department's manager on what his department or one below it asks; or whom the step was handed
    to. A request that was returned and submitted again has another `round` of them. `rule` is the name of the rule at
    the time. A step that waits for those before it has no `due_at` yet.
    """

    __tablename__ = "request_steps"
    __table_args__ = (
        CheckConstraint(_one_of("state", STEP_STATES), name="state_known"),
        CheckConstraint(f"(decided_at IS NULL) = (state NOT IN {DECIDED})", name="decided_when_decided"),
        Index(None, "request_id", "round", "stage", "role", unique=True),
        Index(None, "role", "due_at", "id", postgresql_where=text("state = 'open'")),
        Index(
            "ix_request_steps_of_department",
            "department_id",
            "due_at",
            "id",
            postgresql_where=text("state = 'open' AND role = 'department_manager'"),
        ),
        Index(None, "handed_to", "due_at", "id", postgresql_where=text("state = 'open' AND handed_to IS NOT NULL")),
        Index("ix_request_steps_to_remind", "due_at", postgresql_where=text("state = 'open' AND escalated_at IS NULL")),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("requests.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    round: Mapped[int]
    stage: Mapped[int]
    role: Mapped[str]
    rule: Mapped[str]
    hours: Mapped[int]
    state: Mapped[StepState] = mapped_column(Text)
    opened_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    handed_to: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_by: Mapped[UUID | None]
    decided_by_name: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(server_default="")

    request: Mapped[Request] = relationship()


class RequestComment(Base):
    """What somebody said of a request; never changed."""

    __tablename__ = "request_comments"
    __table_args__ = (Index(None, "request_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("requests.id"))
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    author: Mapped[UUID]
    author_name: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    body: Mapped[str]


class RoutingRule(Recorded, Base):
    """Who has to approve what. `applies` are the conditions, all of which must hold: `do` and `kind` of an item, the
    least `amounts` per class that a request asks for in all, the least `mlps_level` of a system. `steps` are
    {stage, role, hours}; an ask that no rule applies to needs nobody."""

    __tablename__ = "routing_rules"

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    name_en: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    applies: Mapped[dict[str, Any]]
    steps: Mapped[list[dict[str, Any]]]


class CentreOption(Base):
    """A setting of the centre that its administrators change at run time; `asks.options` knows the keys and shapes."""

    __tablename__ = "centre_options"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    updated_by: Mapped[str]
