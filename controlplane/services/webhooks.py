"""Webhooks: programs that are told what happens, by a department for itself or by the centre for all of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from controlplane import audit, lookups
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.errors import Invalid, NotFound, Stale, StillToGoOut, WebhookDisabled
from controlplane.models import Delivery, Webhook
from controlplane.policy import authorize
from controlplane.secrets import Keys
from controlplane.telling.events import EVENTS
from controlplane.telling.signing import new_secret
from controlplane.telling.targets import Allowed, check_literal

MOST_OF_ONE = 50
OLD_SIGNS_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook to be. `department` is a code or id, None for the centre; without `events` it is told of all."""

    name: str
    url: str
    department: str | UUID | None
    events: tuple[str, ...] = ()


def create(session: Session, actor: Actor, keys: Keys, allowed: Allowed, new: NewWebhook) -> tuple[Webhook, str]:
    """Make a webhook and return it with the secret that it signs with: kept sealed, shown this once.

    Raises Forbidden, NotFound, Invalid, NoWebhookUrl, ForbiddenTarget.
    """
    authorize(actor, "webhook.write")
    of = new.department if new.department is not None or actor.scope is None else actor.department
    department = None if of is None else lookups.department_for(session, actor, of, "webhook.write", keep=True)
    check_literal(new.url, allowed)
    same = Webhook.department_id.is_(None) if department is None else Webhook.department_id == department.id
    if (session.scalar(select(func.count()).where(same)) or 0) >= MOST_OF_ONE:
        raise Invalid(field="department", reason=f"has {MOST_OF_ONE} webhooks already, which is the most")
    secret = new_secret()
    made = Webhook(
        id=new_id(),
        name=new.name,
        department_id=department.id if department else None,
        url=new.url,
        secret=keys.sealing.encrypt(secret.encode()),
        events=_events(new.events),
        enabled=True,
        failures=0,
        owner_id=actor.user,
    )
    made.department = department
    session.add(made)
    session.flush()
    _record(session, actor, made, "create", {"url": made.url, "events": made.events})
    return made, secret


def change(
    session: Session,
    actor: Actor,
    allowed: Allowed,
    ref: str | UUID,
    values: dict[str, Any],
    version: int | None = None,
) -> Webhook:
    """Change `name`, `url`, `events` or `enabled`. What waited while it was disabled goes out once it is enabled again.

    Raises Forbidden, NotFound, Stale, Invalid, NoWebhookUrl, ForbiddenTarget.
    """
    found = _mine(session, actor, ref)
    if version is not None and version != found.version:
        raise Stale
    before = _shown(found)
    found.name = values.get("name", found.name)
    if "url" in values:
        check_literal(values["url"], allowed)
        found.url = values["url"]
    if "events" in values:
        found.events = _events(tuple(values["events"]))
    if values.get("enabled", found.enabled) != found.enabled:
        _switch(session, found)
    found.version += 1
    session.flush()
    _record(session, actor, found, "update", {"before": before, "after": _shown(found)})
    return found


def rotate(session: Session, actor: Actor, keys: Keys, ref: str | UUID, now: datetime) -> tuple[Webhook, str]:
    """Give a webhook another secret and return it; the one before signs too for OLD_SIGNS_FOR.

    Raises Forbidden, NotFound.
    """
    found = _mine(session, actor, ref)
    secret = new_secret()
    found.previous_secret, found.previous_until = found.secret, now + OLD_SIGNS_FOR
    found.secret = keys.sealing.encrypt(secret.encode())
    found.version += 1
    session.flush()
    _record(session, actor, found, "rotate", {"old_signs_until": found.previous_until.isoformat()})
    return found, secret


def remove(session: Session, actor: Actor, ref: str | UUID) -> None:
    """Delete a webhook with its log. Raises Forbidden, NotFound."""
    found = _mine(session, actor, ref)
    session.execute(delete(Delivery).where(Delivery.webhook_id == found.id))
    session.delete(found)
    session.flush()
    _record(session, actor, found, "delete", {"url": found.url})


def replay(session: Session, actor: Actor, ref: str | UUID, delivery: UUID) -> Delivery:
    """Have something that was delivered or given up delivered once more, under an id of its own.

    Raises Forbidden, NotFound, StillToGoOut, WebhookDisabled.
    """
    found = _mine(session, actor, ref)
    old = session.scalar(select(Delivery).where(Delivery.id == delivery, Delivery.webhook_id == found.id))
    if old is None:
        raise NotFound(noun="delivery", name=str(delivery))
    if not found.enabled:
        raise WebhookDisabled(name=found.name)
    if old.state in {"waiting", "held"}:
        raise StillToGoOut
    copied = {name: getattr(old, name) for name in ("department_id", "webhook_id", "event", "event_id", "payload")}
    made = Delivery(id=uuid4(), channel="webhook", repeats=old.id, **copied)
    session.add(made)
    session.flush()
    _record(session, actor, found, "replay", {"delivery": str(old.id), "event": old.event})
    return made


def reseal(session: Session, actor: Actor, keys: Keys) -> int:
    """Seal every secret with the newest key, so that older ones can be dropped; return of how many webhooks."""
    authorize(actor, "role.grant")
    sealed = session.scalars(select(Webhook).with_for_update()).all()
    for webhook in sealed:
        webhook.secret = keys.sealing.rotate(webhook.secret)
        if webhook.previous_secret is not None:
            webhook.previous_secret = keys.sealing.rotate(webhook.previous_secret)
    session.flush()
    return len(sealed)


def _mine(session: Session, actor: Actor, ref: str | UUID) -> Webhook:
    return lookups.webhook_for(session, actor, ref, "webhook.write", lock=True)


def _switch(session: Session, found: Webhook) -> None:
    """Disable a webhook and hold what waits, or enable it and let that go."""
    found.enabled = not found.enabled
    found.disabled_reason = None if found.enabled else "decision"
    found.failures, found.retry_at = 0, None
    session.flush()
    old, new = ("held", "waiting") if found.enabled else ("waiting", "held")
    of_it = update(Delivery).where(Delivery.webhook_id == found.id, Delivery.state == old)
    session.execute(of_it.values(state=new, next_try_at=func.now()))


def _events(wanted: tuple[str, ...]) -> list[str]:
    unknown = sorted(set(wanted) - EVENTS.keys())
    if unknown:
        raise Invalid(field="events", reason=f"{', '.join(unknown)}: no such event; there are {', '.join(EVENTS)}")
    return sorted(set(wanted))


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in ("name", "url", "events", "enabled")}


def _record(session: Session, actor: Actor, of: Webhook, verb: str, details: dict[str, Any]) -> None:
    audit.record(session, actor, [audit.Act(f"webhook.{verb}", "webhook", of.id, of.name, of.department_id, details)])
