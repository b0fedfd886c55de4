"""Bodies, queries and answers of the API about notifications and webhooks."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from controlplane.kinds.names import Code
from controlplane.telling.events import EVENTS, words
from controlplane.telling.targets import LONGEST_URL
from web.present import Record, stamp
from web.schemas import Change, Email, Strict, Text

Url = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]
Events = Annotated[list[str], Field(max_length=len(EVENTS), description="names of events; empty: all")]


class NotificationQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["at", "-at"] | None = None
    unread: Literal["true"] | None = Field(None, description="only what was not read")


class ReadBody(Strict):
    ids: list[Annotated[int, Field(ge=1, lt=2**63)]] | None = Field(
        None, max_length=1000, description="which were read; all where it is left out"
    )


class PreferencesBody(Change):
    CLEARABLE = frozenset({"email"})

    email: Email | None = Field(None, description="one's own address; null: none")
    mail: dict[str, bool] | None = Field(None, max_length=20, description="by category, whether mail is wanted")


class WebhookQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["created_at", "-created_at"] | None = None
    department: str | None = None
    enabled: Literal["true", "false"] | None = None


class DeliveryQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["made_at", "-made_at"] | None = None
    state: Literal["waiting", "held", "delivered", "failed", "dropped"] | None = None


class WebhookBody(Strict):
    name: Text
    url: Url = Field(description="where it is sent to by POST: http or https")
    department: Code | None = Field(
        None, description="whose events; left out: the caller's own department, or for people of the centre all events"
    )
    events: Events = Field(default_factory=list)


class WebhookChange(Change):
    name: Text | None = None
    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = Field(None, description="false holds back what happens; true sends what was held back")


class ReplayBody(Strict):
    delivery: UUID = Field(description="id of what is to be sent once more")


def notification(n: Record) -> dict[str, Any]:
    """A line of an inbox, with its words in both languages."""
    said = {language: words(n.event, n.params, language) for language in ("zh", "en")}
    return {
        "id": n.id,
        "at": stamp(n.at),
        "event": n.event,
        "params": n.params,
        "words": {language: {"subject": w.subject, "text": w.text} for language, w in said.items()},
        "request": str(n.request_id) if n.request_id else None,
        "resource": str(n.resource_id) if n.resource_id else None,
        "read_at": stamp(n.read_at),
    }


def webhook(w: Record) -> dict[str, Any]:
    """A webhook without its secret."""
    return {
        "id": str(w.id),
        "created_at": stamp(w.created_at),
        "updated_at": stamp(w.updated_at),
        "version": w.version,
        "name": w.name,
        "department": w.department.code if w.department else None,
        "url": w.url,
        "events": w.events,
        "enabled": w.enabled,
        "disabled_reason": w.disabled_reason,
        "failures": w.failures,
        "retry_at": stamp(w.retry_at),
        "old_secret_until": stamp(w.previous_until),
    }


def delivery(d: Record) -> dict[str, Any]:
    """Something that goes to a webhook, and what became of it."""
    return {
        "id": str(d.id),
        "event": d.event,
        "event_id": str(d.event_id),
        "state": d.state,
        "attempts": d.attempts,
        "made_at": stamp(d.made_at),
        "next_try_at": stamp(d.next_try_at) if d.state == "waiting" else None,
        "last_try_at": stamp(d.last_try_at),
        "delivered_at": stamp(d.delivered_at),
        "error": d.last_error,
        "status": d.status,
        "answer": d.answer,
        "repeats": str(d.repeats) if d.repeats else None,
    }
