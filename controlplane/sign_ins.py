"""What password and second factor share on the way in: counting tries, letting a session in, a cookie's secret.

A try is counted before it is judged and its transaction is committed then: a thousand at once have no more guesses than
one after the other. A name that nobody has is counted, locked and answered like any other.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import accounts, audit, known_browsers
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.entrance import Arrival, Entrance
from controlplane.errors import SignInLocked
from controlplane.models import SignIn, User
from quotas import wire

_LONGEST_AGENT = 200
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A session that was opened or raised: what the cookie of its browser holds from now on. `mark` is what the browser
    is known by, where somebody has come in."""

    id: UUID
    secret: str
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody came: with a password, or through the identity provider `issuer`, where a second factor may have
    been shown too (`proved`)."""

    issuer: str | None = None
    proved: bool = False

    def said(self) -> dict[str, Any]:
        """Return how the trail says it."""
        if self.issuer is None:
            return {"with": "password"}
        return {"with": "oidc", "issuer": self.issuer, **({"second_factor": "oidc"} if self.proved else {})}


def refuse_locked(session: Session, entrance: Entrance, name: str, arrival: Arrival) -> None:
    """Raise SignInLocked where a name is locked, before anything is counted or has to wait for its turn."""
    row = wire.run(session, _LOCK, {"name": known_browsers.counted_under(entrance.keys, name, arrival)}).fetchone()
    _refuse(row[0] if row else None, arrival.now)


def count(session: Session, entrance: Entrance, name: str, arrival: Arrival) -> None:
    """Count one try under a name. To be committed before it is judged. Raises SignInLocked."""
    params = {"name": known_browsers.counted_under(entrance.keys, name, arrival), "now": arrival.now}
    [(tries, locked)] = wire.run(session, _COUNTED, params)
    _refuse(locked, arrival.now)
    lock = entrance.rules.locked_for(tries)
    if lock:
        wire.run(session, _LOCKED, {**params, "until": arrival.now + lock})


def forgive(session: Session, entrance: Entrance, name: str, arrival: Arrival, *, all_of_them: bool) -> None:
    """Forget one try that went well; or all, where somebody came in."""
    params = {"name": known_browsers.counted_under(entrance.keys, name, arrival)}
    wire.run(session, _FORGOTTEN if all_of_them else _ONE_FORGOTTEN, params)


def begin(session: Session, user: User, arrival: Arrival, issuer: str | None) -> Admitted:
    """Open a session that may do nothing yet."""
    secret = secrets.token_urlsafe(32)
    opened = SignIn(
        id=new_id(),
        secret_hash=digest(secret),
        user_id=user.id,
        created_at=arrival.now,
        last_seen_at=arrival.now,
        address=arrival.address,
        agent=(arrival.agent or "")[:_LONGEST_AGENT] or None,
        issuer=issuer,
    )
    session.add(opened)
    session.flush()
    return Admitted(opened.id, secret)


def admit(session: Session, entrance: Entrance, user: User, arrival: Arrival, way: Way) -> Admitted:
    """Open a session for somebody who has shown who he is; without a second factor to show to us it is complete."""
    admitted = begin(session, user, arrival, way.issuer)
    opened = session.get_one(SignIn, admitted.id)
    if way.proved:
        opened.second_factor_at, opened.provider_factor = arrival.now, True
    if way.proved or user.totp_enrolled_at is None:
        return replace(admitted, mark=complete(session, entrance, opened, arrival, way.said()))
    return admitted


def complete(session: Session, entrance: Entrance, sign_in: SignIn, arrival: Arrival, details: dict[str, Any]) -> str:
    """Let a session in: note it, forget the tries, and end the oldest sessions beyond as many as one may have. Return
    the mark that its browser is known by."""
    # Whoever else comes in under this account waits here, so that both see each other's session.
    statement = select(User).where(User.id == sign_in.user_id).with_for_update()
    user = session.scalars(statement.execution_options(populate_existing=True)).one()
    user.last_sign_in_at = user.last_active_at = arrival.now
    forgive(session, entrance, user.username, arrival, all_of_them=True)
    mine = select(SignIn).where(SignIn.user_id == user.id, *accounts.live(entrance.rules, arrival.now))
    others = session.scalars(
        mine.where(SignIn.id != sign_in.id, SignIn.completed_at.is_not(None)).order_by(SignIn.id.desc())
    ).all()
    for old in others[entrance.rules.at_once - 1 :]:
        old.ended_at, old.end_reason = arrival.now, "superseded"
    sign_in.completed_at = arrival.now
    session.flush()
    said(session, user, arrival, details)
    return known_browsers.mark_of(entrance.keys, user.username, arrival)


def rotate(session: Session, sign_in: SignIn) -> Admitted:
    """Give a session another secret, so that one that was known before it could do anything is worth nothing."""
    secret = secrets.token_urlsafe(32)
    sign_in.secret_hash = digest(secret)
    session.flush()
    return Admitted(sign_in.id, secret)


def said(session: Session, user: User, arrival: Arrival, details: dict[str, Any], *, failed: bool = False) -> None:
    """Put into the trail that somebody came in as this user, or tried to."""
    actor = nobody(arrival) if failed else Actor(user.id, user.name, "user", user.role, trace=arrival.trace)
    act = audit.Act(
        "user.sign_in",
        "user",
        user.id,
        user.username,
        user.department_id,
        {"address": arrival.address, **details},
        "failure" if failed else "success",
    )
    audit.record(session, actor, [act])


def said_unknown(
    session: Session, entrance: Entrance, name: str, arrival: Arrival, details: dict[str, Any] | None = None
) -> None:
    """Put into the trail that somebody tried a name that nobody has. It may be a password: only its keyed hash is
    said."""
    hidden = entrance.keys.hidden(name)
    details = {"address": arrival.address, **(details or {"with": "password"})}
    act = audit.Act("user.sign_in", "user", UUID(bytes=hidden[:16]), f"?{hidden.hex()[:16]}", None, details, "failure")
    audit.record(session, nobody(arrival), [act])


def nobody(arrival: Arrival) -> Actor:
    """Return the actor for what somebody unknown does: it may do nothing."""
    return Actor(NOBODY, "nobody", "nobody", "department_member", trace=arrival.trace)


def digest(secret: str) -> bytes:
    """Return what is kept of a random secret: 256 bits need no slow hash, nobody can try them all."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _refuse(locked: datetime | None, now: datetime) -> None:
    if locked is not None and locked > now:
        raise SignInLocked(minutes=max(1, -int((now - locked).total_seconds() // 60)))


_LOCK = "SELECT locked_until FROM sign_in_tries WHERE name_hash = %(name)s"

_COUNTED = """
    INSERT INTO sign_in_tries AS t (name_hash, count, last_at) VALUES (%(name)s, 1, %(now)s)
    ON CONFLICT (name_hash) DO UPDATE
    SET count = t.count + CASE WHEN t.locked_until > excluded.last_at THEN 0 ELSE 1 END,
        last_at = CASE WHEN t.locked_until > excluded.last_at THEN t.last_at ELSE excluded.last_at END
    RETURNING t.count, t.locked_until
"""

_LOCKED = "UPDATE sign_in_tries SET locked_until = %(until)s WHERE name_hash = %(name)s"

_FORGOTTEN = "DELETE FROM sign_in_tries WHERE name_hash = %(name)s"

_ONE_FORGOTTEN = """
    UPDATE sign_in_tries SET count = greatest(count - 1, 0), locked_until = NULL WHERE name_hash = %(name)s
"""
