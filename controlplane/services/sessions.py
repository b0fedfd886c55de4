"""Sessions at the console: whose a cookie is, what is still wanted of him, and ending one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from controlplane import accounts, audit, binding, sign_ins
from controlplane.actor import Actor
from controlplane.entrance import Arrival, Rules, Standing, Step, check_network
from controlplane.errors import Forbidden, NotFound
from controlplane.models import SignIn, User
from controlplane.policy import allows, authorize
from quotas import wire

MOST = 500
UNPROVED = timedelta(minutes=10)
"""For how long a session may wait for its second factor."""
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose session it is. `step`: what he must do before anything else, None where nothing is left."""

    id: UUID
    actor: Actor
    step: Step | None


def signed_in(session: Session, rules: Rules, secret: str, arrival: Arrival) -> SignedIn | None:
    """Return whose session a cookie's secret is, None where it is none or has ended. Raises WrongNetwork."""
    with wire.pipelined(session):
        binding.unlock(session)
        row = wire.run(session, _BY_HASH, {"hash": sign_ins.digest(secret)}).fetchone()
    found = _signed_in(row, rules, arrival)
    if row is None or found is None:
        return None
    check_network(row[10], arrival.address)
    last_seen: datetime = row[2]
    if arrival.active and last_seen < arrival.now - _SEEN_EVERY:
        wire.run(session, _SEEN, {"id": found.id, "now": arrival.now, "before": arrival.now - _SEEN_EVERY})
    return found


def actor_again(session: Session, rules: Rules, user: UUID, arrival: Arrival) -> Actor | None:
    """Return the actor of a user who has a session with nothing left to do, None where he has none any more.

    For what goes on beside the session, such as a console in which he types: so he may be idle in the session itself.
    """
    lasting = replace(rules, idle=rules.longest)
    for row in wire.run(session, _BY_USER, {"user": user}).fetchall():
        found = _signed_in(row, lasting, arrival)
        if found is not None and found.step is None:
            return found.actor
    return None


def own(session: Session, actor: Actor, rules: Rules, now: datetime) -> Sequence[SignIn]:
    """Return the actor's own sessions that go on, newest first."""
    authorize(actor, "account.own")
    return _going_on(session, rules, now, actor.user)


def of_all(session: Session, actor: Actor, rules: Rules, now: datetime, user: UUID | None = None) -> Sequence[SignIn]:
    """Return the sessions that go on, newest first, at most MOST: for who may see them everybody's or those of `user`,
    else one's own."""
    authorize(actor, "account.own")
    return _going_on(session, rules, now, user if allows(actor, "session.read") else actor.user)


def end(session: Session, actor: Actor, ref: UUID, now: datetime) -> None:
    """End one of one's own sessions, or somebody else's. Raises NotFound, Forbidden."""
    authorize(actor, "account.own")
    found = session.scalar(
        select(SignIn).where(SignIn.id == ref).options(joinedload(SignIn.user)).with_for_update(of=SignIn)
    )
    mine = found is not None and found.user_id == actor.user
    if found is None or not (mine or allows(actor, "session.read") or allows(actor, "session.end")):
        raise NotFound(noun="session", name=str(ref))
    if not mine and not allows(actor, "session.end"):
        raise Forbidden(role=actor.role, action="session.end")
    if found.ended_at is None:
        found.ended_at, found.end_reason = now, "ended"
        session.flush()
        _record(session, actor, found, "end_session")


def leave(session: Session, actor: Actor, sign_in: UUID, now: datetime) -> str | None:
    """Sign out: end the session that asks; return the identity provider that it was opened through, if any."""
    found = session.get_one(SignIn, sign_in)
    if found.ended_at is None:
        found.ended_at, found.end_reason = now, "signed_out"
        session.flush()
        _record(session, actor, found, "sign_out")
    return found.issuer


def _going_on(session: Session, rules: Rules, now: datetime, user: UUID | None) -> Sequence[SignIn]:
    statement = select(SignIn).where(*accounts.live(rules, now), SignIn.completed_at.is_not(None))
    if user is not None:
        statement = statement.where(SignIn.user_id == user)
    return session.scalars(statement.options(joinedload(SignIn.user)).order_by(SignIn.id.desc()).limit(MOST)).all()


def _record(session: Session, actor: Actor, ended: SignIn, verb: str) -> None:
    user: User = ended.user
    act = audit.Act(f"user.{verb}", "user", user.id, user.username, user.department_id, {"session": str(ended.id)})
    audit.record(session, actor, [act])


def _signed_in(row: Sequence[Any] | None, rules: Rules, arrival: Arrival) -> SignedIn | None:
    if row is None:
        return None
    (id_, created, seen, completed, proved, user, name, role, department, scope, _networks, *standing) = row
    over = created + rules.longest <= arrival.now or seen + rules.idle <= arrival.now
    if over or (completed is None and created + UNPROVED <= arrival.now):
        return None
    step = Standing(role, False, proved=proved, **dict(zip(_STANDING, standing, strict=True))).step(rules, arrival.now)
    actor = Actor(
        user, name, "user", role, department, frozenset(scope) if department else None, arrival.trace, None, user
    )
    return SignedIn(cast(UUID, id_), actor, step)


_STANDING = ("enrolled", "must_change", "password_changed_at", "by_provider", "vouched")
_COLUMNS = """
    SELECT s.id, s.created_at, s.last_seen_at, s.completed_at, s.second_factor_at IS NOT NULL,
           u.id, u.name, u.role, u.department_id,
           ARRAY(SELECT d.id FROM departments d WHERE d.lineage @> ARRAY[u.department_id]),
           u.networks, u.totp_enrolled_at IS NOT NULL, u.must_change_password, u.password_changed_at,
           s.issuer IS NOT NULL, s.provider_factor
    FROM sign_ins s JOIN users u ON u.id = s.user_id
    WHERE s.ended_at IS NULL AND u.disabled_at IS NULL AND NOT u.service
"""

_BY_HASH = _COLUMNS + " AND s.secret_hash = %(hash)s"

_BY_USER = _COLUMNS + " AND s.user_id = %(user)s ORDER BY s.last_seen_at DESC"

# Pages ask for several things at once: none waits for another only to say the same.
_SEEN = """
    UPDATE sign_ins SET last_seen_at = %(now)s
    WHERE id = (SELECT id FROM sign_ins WHERE id = %(id)s AND last_seen_at < %(before)s FOR UPDATE SKIP LOCKED)
"""
