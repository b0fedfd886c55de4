"""Repeats of a write that carried an Idempotency-Key get the first answer again.

The answer is kept in the transaction of the write itself: either both exist or neither. While the first is still
running, an advisory lock of its transaction tells.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.errors import Invalid, KeyReused, StillRunning
from controlplane.models import IdempotencyKey

KEPT = timedelta(hours=24)
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it was given the first time."""

    status: int
    headers: dict[str, str]
    body: str


def check(key: str) -> None:
    """Raise Invalid for a key that none can be."""
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise Invalid(field="Idempotency-Key", reason=f"must have 1 to {_LONGEST_KEY} characters")


def earlier_answer(session: Session, actor: Actor, key: str, request: bytes) -> Answer | None:
    """Return the answer to an earlier write of this caller with this key, or None and reserve the key.

    The key has passed `check`. `request` is all that makes the write what it is. Raises KeyReused, StillRunning.
    """
    lock = func.hashtextextended(f"{actor.id}/{key}", 1)
    if not session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise StillRunning
    known = session.get(IdempotencyKey, (actor.id, key))
    if known is None:
        return None
    if known.created_at < datetime.now(UTC) - KEPT:
        session.delete(known)
        session.flush()
        return None
    if known.request_hash != _digest(request):
        raise KeyReused
    return Answer(known.status, known.headers, known.body)


def keep(session: Session, actor: Actor, key: str, request: bytes, answer: Answer) -> None:
    """Keep the answer of a write that is about to be committed."""
    session.add(
        IdempotencyKey(
            caller=actor.id,
            key=key,
            request_hash=_digest(request),
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
        )
    )
    session.flush()


def forget_old(session: Session, now: datetime) -> None:
    """Remove answers that are no longer kept."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEPT))


def _digest(request: bytes) -> bytes:
    return hashlib.sha256(request).digest()
