"""What people and programs are told: inboxes, and what goes out beyond them by mail and webhooks."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from controlplane.db import Base, Recorded
from controlplane.models.identity import User
from controlplane.models.tenancy import Department

Channel = Literal["mail", "webhook"]
DeliveryState = Literal["waiting", "held", "delivered", "failed", "dropped"]


class Notification(Base):
    """One line in somebody's inbox. `params` fill in the words of `event`; they hold no secret."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(None, "user_id", "at", "id"),
        Index("ix_notifications_unread", "user_id", "at", "id", postgresql_where=text("read_at IS NULL")),
        Index(None, "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    event: Mapped[str]
    params: Mapped[dict[str, Any]]
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("requests.id"))
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resources.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    read_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class MailChoice(Base):
    """Whether somebody wants mail about a category of events; without a row he does."""

    __tablename__ = "mail_choices"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    mail: Mapped[bool]


class Webhook(Recorded, Base):
    """An address of a program that is told what happens in a department and those below it; without a department, in
    the centre.

    `events` are those that it is told of, all where there are none. `secret` is sealed with the installation's key; the
    one before it signs too, until `previous_until`. `failures` are those since the last that went well: none is tried
    before `retry_at`, and after too many it is disabled by itself, for which `disabled_reason` is `failing`.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        Index(None, "department_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        CheckConstraint("enabled = (disabled_reason IS NULL)", name="disabled_for_a_reason"),
        CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", name="previous_for_a_time"),
    )

    name: Mapped[str]
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"))
    url: Mapped[str]
    secret: Mapped[bytes]
    previous_secret: Mapped[bytes | None]
    previous_until: Mapped[datetime | None]
    events: Mapped[list[str]]
    enabled: Mapped[bool] = mapped_column(default=True)
    disabled_reason: Mapped[Literal["decision", "failing"] | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))

    department: Mapped[Department | None] = relationship()


class Delivery(Base):
    """Something to bring to one mailbox or webhook, and what became of it.

    `waiting`: it is tried at `next_try_at`; `held`: not before its webhook is enabled again; `failed`: given up;
    `dropped`: nobody wants it any more. `event_id` is the same for all webhooks that are told of one event. `status`
    and `answer` are what a webhook said last. `repeats` is the delivery that somebody had sent once more.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("channel IN ('mail', 'webhook')", name="channel_known"),
        CheckConstraint("state IN ('waiting', 'held', 'delivered', 'failed', 'dropped')", name="state_known"),
        CheckConstraint("(webhook_id IS NULL) = (channel = 'mail')", name="one_target"),
        Index("ix_deliveries_due", "channel", "next_try_at", "id", postgresql_where=text("state = 'waiting'")),
        Index(None, "webhook_id", "made_at", "id"),
        Index(None, "department_id", "made_at", "id", postgresql_where=text("department_id IS NOT NULL")),
        Index(None, "notification_id", postgresql_where=text("notification_id IS NOT NULL")),
        Index(None, "repeats", postgresql_where=text("repeats IS NOT NULL")),
        Index(None, "made_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    channel: Mapped[Channel] = mapped_column(Text)
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"))
    notification_id: Mapped[int | None] = mapped_column(ForeignKey("notifications.id"))
    webhook_id: Mapped[UUID | None] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str]
    event_id: Mapped[UUID]
    payload: Mapped[dict[str, Any] | None]
    state: Mapped[DeliveryState] = mapped_column(Text, server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_try_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    status: Mapped[int | None]
    answer: Mapped[str | None]
    repeats: Mapped[UUID | None] = mapped_column(ForeignKey("deliveries.id", ondelete="SET NULL"))

    webhook: Mapped[Webhook | None] = relationship()
    notification: Mapped[Notification | None] = relationship()
