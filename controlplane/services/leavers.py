"""Who is no longer let in: disabled by somebody, for want of use, or because he left; and letting in again."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import accounts, audit
from controlplane.actor import Actor
from controlplane.entrance import Rules
from controlplane.errors import HasLeft, LastOfItsRole
from controlplane.models import ApiToken, SignIn, User


def disable(session: Session, actor: Actor, ref: str | UUID, now: datetime | None = None) -> User:
    """Keep an account out, with its tokens, until it is enabled again; its sessions end.

    Raises NotFound, Forbidden, OwnAccount, LastOfItsRole.
    """
    user = accounts.managed(session, actor, ref)
    if user.disabled_at is not None:
        return user
    now = now or datetime.now(UTC)
    accounts.keep_last(session, user)
    user.disabled_at, user.disabled_reason = now, "decision"
    user.version += 1
    ended = accounts.end_sign_ins(session, user.id, "disabled", now)
    _record(session, actor, user, "disable", {"sessions_ended": ended})
    return user


def enable(session: Session, actor: Actor, ref: str | UUID, now: datetime | None = None) -> User:
    """Let an account in again. Raises NotFound, Forbidden, OwnAccount, HasLeft."""
    user = accounts.managed(session, actor, ref)
    if user.disabled_reason == "left":
        raise HasLeft(name=user.username)
    if user.disabled_at is None:
        return user
    user.disabled_at = user.disabled_reason = None
    user.last_active_at = now or datetime.now(UTC)
    user.version += 1
    _record(session, actor, user, "enable", {})
    return user


def remove_leaver(session: Session, actor: Actor, ref: str | UUID, now: datetime | None = None) -> User:
    """Take everything from somebody who leaves, for good: sessions, tokens, password and second factor.

    The account itself stays: the trail speaks of it, and who comes back through the identity provider is known by it as
    somebody who left. Raises NotFound, Forbidden, OwnAccount, LastOfItsRole.
    """
    user = accounts.managed(session, actor, ref)
    if user.disabled_reason == "left":
        return user
    now = now or datetime.now(UTC)
    accounts.keep_last(session, user)
    user.disabled_at, user.disabled_reason = user.disabled_at or now, "left"
    user.password_hash = user.totp_secret = user.totp_enrolled_at = user.totp_last_counter = None
    user.previous_hashes = user.recovery_hashes = []
    user.email = None
    user.version += 1
    ended = accounts.end_sign_ins(session, user.id, "left", now)
    revoked = accounts.revoke_all(session, user.id, now)
    _record(session, actor, user, "remove", {"sessions_ended": ended, "tokens_revoked": revoked})
    return user


def disable_unused(session: Session, actor: Actor, rules: Rules, now: datetime) -> list[str]:
    """Disable every account that neither came in nor used a token for as long as the rules say; return their names.

    The last active security administrator stays.
    """
    if not rules.unused:
        return []
    accounts.one_at_a_time(session)
    limit = now - rules.unused
    used = select(func.max(ApiToken.last_used_at)).where(ApiToken.user_id == User.id).scalar_subquery()
    seen = select(func.max(SignIn.last_seen_at)).where(SignIn.user_id == User.id).scalar_subquery()
    idle = func.greatest(User.last_active_at, used, seen) < limit
    statement = select(User).where(User.disabled_at.is_(None), idle).order_by(User.last_active_at.desc())
    disabled = []
    for user in session.scalars(statement.with_for_update(of=User)):
        try:
            accounts.keep_last(session, user)
        except LastOfItsRole:
            continue
        user.disabled_at, user.disabled_reason = now, "unused"
        user.version += 1
        session.flush()
        accounts.end_sign_ins(session, user.id, "disabled", now)
        _record(session, actor, user, "disable", {"unused_days": rules.unused.days})
        disabled.append(user.username)
    return disabled


def _record(session: Session, actor: Actor, user: User, verb: str, details: dict[str, object]) -> None:
    session.flush()
    act = audit.Act(f"user.{verb}", "user", user.id, user.username, user.department_id, details)
    audit.record(session, actor, [act])
