"""Deliveries as the worker takes them and says what became of them; each is taken by one worker at a time.

Whoever takes one has it for LEASE: that is longer than he can be busy with all that he took. Where he dies in between,
it is taken once more after that; only where he died after the other side had taken it, and before that was written
down, does it arrive twice, under the same id.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, Row, func, select, text, update
from sqlalchemy.orm import Session, joinedload

from controlplane import notices
from controlplane.models import Delivery, Notification, Webhook
from controlplane.models.telling import Channel
from controlplane.notices import Notice
from controlplane.telling import backoff

AT_ONCE = 16
LEASE = timedelta(minutes=10)
KEPT, NOTIFICATIONS_KEPT = timedelta(days=30), timedelta(days=365)
_DELETED_AT_ONCE = 5000


def take(session: Session, channel: Channel, now: datetime) -> Sequence[Delivery]:
    """Take what is due of a channel, at most AT_ONCE, with all that is needed to deliver it."""
    taken = {"channel": channel, "now": now, "until": now + LEASE, "most": AT_ONCE}
    ids = session.scalars(_TAKE, taken).all()
    whole = (
        joinedload(Delivery.webhook).joinedload(Webhook.department),
        joinedload(Delivery.notification).joinedload(Notification.user),
    )
    found = select(Delivery).where(Delivery.id.in_(ids)).options(*whole).order_by(Delivery.made_at, Delivery.id)
    return session.scalars(found).all()


def delivered(session: Session, done: Delivery, now: datetime, said: Mapping[str, Any]) -> None:
    """Write down that something arrived; `said` is status and answer of a webhook."""
    if _settled(session, done, {"state": "delivered", "delivered_at": now, "last_error": None, **said}):
        well = {"failures": 0, "retry_at": None}
        session.execute(update(Webhook).where(Webhook.id == done.webhook_id, Webhook.failures > 0).values(well))


def dropped(session: Session, unwanted: Delivery, why: str) -> None:
    """Write down that nobody wants something any more."""
    _settled(session, unwanted, {"state": "dropped", "last_error": why})


def put_back(session: Session, untried: Delivery, until: datetime | None) -> None:
    """Give back what was taken and not tried: until then, or where that is None, until its webhook is enabled again."""
    more = {"state": "held"} if until is None else {"next_try_at": until}
    _settled(session, untried, {"attempts": untried.attempts - 1, **more})


def failed(
    session: Session, tried: Delivery, now: datetime, said: Mapping[str, Any], *, for_good: bool = False
) -> datetime:
    """Write down a try in vain; `said` is the error, and status and answer of a webhook. Return when it, and all else
    for its webhook, is tried again."""
    again = now + backoff.wait(tried.attempts)
    over = for_good or backoff.is_over(tried.made_at, now)
    values = {"state": "failed"} if over else {"next_try_at": again}
    if not _settled(session, tried, {**values, **said}) or tried.webhook_id is None:
        return again
    row = session.execute(_FAILED, {"id": tried.webhook_id, "most": backoff.DISABLED_AFTER}).one()
    again = now + backoff.wait(row.failures)
    session.execute(update(Webhook).where(Webhook.id == row.id).values(retry_at=again))
    waiting = update(Delivery).where(Delivery.webhook_id == row.id, Delivery.state == "waiting")
    if not row.enabled:
        session.execute(waiting.values(state="held"))
        notices.tell(session, [_of_disabled(row)])
    else:
        later = func.greatest(Delivery.next_try_at, again)
        session.execute(waiting.values(next_try_at=later))
    return again


def drop_mail(session: Session) -> int:
    """Drop all mail that waits, where the centre has no mail server; return how much."""
    waiting = update(Delivery).where(Delivery.channel == "mail", Delivery.state == "waiting")
    gone = session.execute(waiting.values(state="dropped", last_error="no mail server is set up"))
    return gone.rowcount if isinstance(gone, CursorResult) else 0


def forget_old(session: Session, now: datetime) -> int:
    """Delete deliveries that are over since KEPT and inbox lines of before NOTIFICATIONS_KEPT, some thousands at most;
    return how many."""
    params = {"over": now - KEPT, "old": now - NOTIFICATIONS_KEPT, "most": _DELETED_AT_ONCE}
    return sum(len(session.execute(statement, params).all()) for statement in (_FORGET, _FORGET_LINES))


def _settled(session: Session, of: Delivery, values: Mapping[str, Any]) -> bool:
    """Write down what became of a delivery, unless somebody else has taken it since. It may be held by now, where its
    webhook was disabled while it was under way."""
    mine = (Delivery.id == of.id, Delivery.state.in_(("waiting", "held")), Delivery.attempts == of.attempts)
    done: UUID | None = session.scalar(update(Delivery).where(*mine).values(**values).returning(Delivery.id))
    return done is not None


def _of_disabled(of: Row[Any]) -> Notice:
    told = {"name": of.name, "failures": of.failures}
    people = [of.owner_id] if of.owner_id else []
    if of.department_id is None:
        return Notice("webhook.disabled", told, people, "system_admin")
    return Notice("webhook.disabled", told, people, "department_manager", [of.department_id])


_TAKE = text("""
    WITH due AS (
        SELECT id FROM deliveries WHERE channel = :channel AND state = 'waiting' AND next_try_at <= :now
        ORDER BY next_try_at, id LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE deliveries d SET attempts = d.attempts + 1, last_try_at = :now, next_try_at = :until
    FROM due WHERE d.id = due.id RETURNING d.id
""")

_FAILED = text("""
    UPDATE webhooks
    SET failures = failures + 1, enabled = enabled AND failures + 1 < :most,
        disabled_reason = CASE WHEN enabled AND failures + 1 >= :most THEN 'failing' ELSE disabled_reason END
    WHERE id = :id RETURNING id, name, department_id, owner_id, failures, enabled
""")

_FORGET = text("""
    DELETE FROM deliveries WHERE id IN (
        SELECT id FROM deliveries WHERE made_at < :over AND state <> 'waiting' ORDER BY made_at LIMIT :most
    ) RETURNING id
""")

_FORGET_LINES = text("""
    DELETE FROM notifications WHERE id IN (
        SELECT id FROM notifications WHERE at < :old ORDER BY at LIMIT :most
    ) AND NOT EXISTS (SELECT FROM deliveries d WHERE d.notification_id = notifications.id) RETURNING id
""")
