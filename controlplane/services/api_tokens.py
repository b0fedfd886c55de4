"""Tokens of the API. A token stands for its owner: it may do at most what he may at that moment, by all his rules."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, not_, or_, select
from sqlalchemy.orm import Session, joinedload

from controlplane import audit, binding, lookups
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.entrance import Arrival, Rules, Standing, check_network
from controlplane.errors import Forbidden, Invalid, NotFound, NotSignedIn, OnTheHostAlone, TokenMakesNone, Unfinished
from controlplane.lookups.reading import Filter, filtered, uuid_of
from controlplane.models import ApiToken, Department, User
from controlplane.paging import Listing, Order, Page, paginate
from controlplane.policy import ACTIONS, ADMINISTRATORS, allows, authorize
from controlplane.sign_ins import digest
from quotas import wire

_PREFIX = "steppe_"
USUAL_LIFE = timedelta(days=90)
MOST = 500
_USED_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be. `owner` is a user name, None for whoever asks. `department` (a code) and `actions` narrow what the
    owner may do; without `expires_at` it lives for USUAL_LIFE."""

    name: str
    owner: str | None = None
    department: str | None = None
    actions: tuple[str, ...] | None = None
    expires_at: datetime | None = None


def create(session: Session, actor: Actor, rules: Rules, new: NewToken, now: datetime) -> tuple[ApiToken, str]:
    """Create a token and return it with its secret: kept only as a hash, shown this once.

    People make tokens for themselves; whoever manages a program's account makes its tokens, but those of a program with
    the powers of an administrator are made on the host. Raises Forbidden, NotFound, Invalid, OnTheHostAlone,
    TokenMakesNone.
    """
    authorize(actor, "account.own")
    if actor.kind == "token":
        raise TokenMakesNone
    owner = _owner(session, actor, new.owner)
    department = _narrowed(session, actor, owner, new.department)
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        id=new_id(),
        name=new.name,
        user_id=owner.id,
        department_id=department.id if department else None,
        actions=_actions(owner, new.actions),
        secret_hash=digest(secret),
        expires_at=_expiry(rules, new.expires_at, now),
    )
    token.user, token.department = owner, department
    session.add(token)
    session.flush()
    details = {"owner": owner.username, "actions": token.actions, "expires_at": token.expires_at.isoformat()}
    audit.record(session, actor, [_said(token, "create", details)])
    return token, secret


def tokens(session: Session, actor: Actor) -> Sequence[ApiToken]:
    """Return one's own tokens, and those of others that one may see, newest first, at most MOST."""
    authorize(actor, "account.own")
    return session.scalars(_visible(actor).order_by(ApiToken.id.desc()).limit(MOST)).all()


def listed(session: Session, actor: Actor, listing: Listing) -> Page[ApiToken]:
    """List the same tokens, page by page; filters: q (any part of their names or user names), user (id), live."""
    authorize(actor, "account.own")
    statement = filtered(session, _visible(actor), listing.filters, _FILTERS)
    order = {"created_at": ApiToken.created_at, "name": ApiToken.name, "expires_at": ApiToken.expires_at}
    return paginate(session, statement, Order(order, ApiToken.id, "-created_at"), listing)


def of_user(session: Session, actor: Actor, user: User) -> Sequence[ApiToken]:
    """Return the tokens that go on of an account that the actor was just shown, newest first, at most MOST."""
    authorize(actor, "token.read")
    statement = _visible(actor).where(ApiToken.user_id == user.id, _LIVE)
    return session.scalars(statement.order_by(ApiToken.id.desc()).limit(MOST)).all()


def revoke(session: Session, actor: Actor, ref: UUID, now: datetime) -> None:
    """End a token at once. Raises NotFound, Forbidden."""
    authorize(actor, "account.own")
    found = session.scalar(select(ApiToken).where(ApiToken.id == ref).options(*_PARTS).with_for_update(of=ApiToken))
    mine = found is not None and found.user_id == actor.user
    if found is None or not (mine or (allows(actor, "token.read") and actor_sees(actor, found.user))):
        raise NotFound(noun="token", name=str(ref))
    if not mine:
        authorize(actor, "token.revoke")
    if found.revoked_at is None:
        found.revoked_at = now
        found.version += 1
        audit.record(session, actor, [_said(found, "revoke", {"owner": found.user.username})])


def actor_sees(actor: Actor, user: User) -> bool:
    """Tell whether an account exists for an actor."""
    return actor.scope is None or user.department_id in actor.scope


def token_actor(session: Session, rules: Rules, secret: str, arrival: Arrival) -> Actor:
    """Return the actor that a token stands for, and have the session serve him from here on.

    Raises NotSignedIn for one that is unknown, revoked, expired or whose owner is disabled; WrongNetwork and Unfinished
    where its owner would not be let in either.
    """
    with wire.pipelined(session):
        binding.unlock(session)
        row = wire.run(session, _BY_HASH, {"hash": digest(secret), **binding.ROLES}).fetchone()
    found, lineage = (row[:_WHO], row[_WHO]) if row else (None, None)
    actor = _actor(found, rules, arrival)
    if found is None or actor is None:
        raise NotSignedIn
    check_network(found[9], arrival.address)
    binding.served(session, actor, lineage)
    used: datetime | None = found[8]
    if used is None or used < arrival.now - _USED_EVERY:
        _note_use(session, actor, arrival)
    return actor


def _note_use(session: Session, actor: Actor, arrival: Arrival) -> None:
    """Note when a token was used last, which the centre does, not the tenant."""
    binding.unlock(session)
    wire.run(session, _USED, {"id": actor.id, "now": arrival.now, "before": arrival.now - _USED_EVERY})
    binding.serve(session, actor)


def actor_again(session: Session, rules: Rules, token: UUID, arrival: Arrival) -> Actor | None:
    """Return the actor of a token with the rights of this moment, None where it has none any more."""
    return _actor(wire.run(session, _BY_ID, {"id": token}).fetchone(), rules, arrival)


def _actor(row: Sequence[Any] | None, rules: Rules, arrival: Arrival) -> Actor | None:
    if row is None:
        return None
    (id_, name, role, department, scope, actions, user, expires_at, _used, _networks, *standing) = row
    if expires_at <= arrival.now:
        return None
    service, enrolled, must_change, changed_at = standing
    # A token shows no second factor; what its owner must have set up for the console, he must for it as well.
    if not service and Standing(role, False, enrolled, True, must_change, changed_at).step(rules, arrival.now):
        raise Unfinished
    return Actor(
        id_,
        name,
        "token",
        role,
        department,
        frozenset(scope) if department else None,
        arrival.trace,
        None if actions is None else frozenset(actions),
        user,
    )


# With the ids of all departments that the token reaches: of what its owner reaches, what is below its own department.
_TOKENS = """
    SELECT t.id AS caller, u.username || '/' || t.name, u.role,
           coalesce(t.department_id, u.department_id) AS department,
           ARRAY(SELECT d.id FROM departments d
                 WHERE d.lineage @> ARRAY[coalesce(t.department_id, u.department_id)]
                   AND (u.department_id IS NULL OR d.lineage @> ARRAY[u.department_id])) AS scope,
           t.actions, u.id AS person, t.expires_at, t.last_used_at, u.networks,
           u.service, u.totp_enrolled_at IS NOT NULL, u.must_change_password, u.password_changed_at
    FROM api_tokens t JOIN users u ON u.id = t.user_id
    WHERE t.revoked_at IS NULL AND u.disabled_at IS NULL
"""
_WHO = 14
"""Of so many columns."""

_BY_HASH = "WITH who AS MATERIALIZED (" + _TOKENS + " AND t.secret_hash = %(hash)s)" + binding.BIND

_BY_ID = _TOKENS + " AND t.id = %(id)s"

# A token serves many at once: none waits for another only to say the same.
_USED = """
    UPDATE api_tokens SET last_used_at = %(now)s
    WHERE id = (SELECT id FROM api_tokens WHERE id = %(id)s AND coalesce(last_used_at, '-infinity') < %(before)s
                FOR UPDATE SKIP LOCKED)
"""

_LIVE = and_(ApiToken.revoked_at.is_(None), ApiToken.expires_at > func.now())

_FILTERS: Mapping[str, Filter] = {
    "q": lambda v: or_(ApiToken.name.icontains(v, autoescape=True), User.username.icontains(v, autoescape=True)),
    "user": lambda v: User.id == uuid_of(v, "user"),
    "live": lambda v: _LIVE if v == "true" else not_(_LIVE),
}

_PARTS = (joinedload(ApiToken.user), joinedload(ApiToken.department))


def _visible(actor: Actor) -> Select[Any]:
    statement = select(ApiToken).join(ApiToken.user).options(*_PARTS)
    if not allows(actor, "token.read"):
        return statement.where(ApiToken.user_id == actor.user)
    if actor.scope is None:
        return statement
    return statement.where(or_(ApiToken.user_id == actor.user, User.department_id.in_(actor.scope)))


def _owner(session: Session, actor: Actor, username: str | None) -> User:
    if username is None:
        if actor.user is None:
            raise Invalid(field="user", reason="name the account that the token is for")
        return session.get_one(User, actor.user)
    on_host = actor.kind == "system"
    found = session.scalar(select(User).where(User.username == username))
    if found is not None and found.id == actor.user:
        return found
    if found is None or not allows(actor, "user.write") or not actor_sees(actor, found):
        raise NotFound(noun="user", name=username)
    if found.disabled_at is not None:
        raise Invalid(field="user", reason="is disabled")
    if not on_host and (not found.service or found.role in ADMINISTRATORS):
        raise OnTheHostAlone
    if found.role != "department_member" and not allows(actor, "role.grant"):
        raise Forbidden(role=actor.role, action="role.grant")
    return found


def _narrowed(session: Session, actor: Actor, owner: User, code: str | None) -> Department | None:
    if code is None:
        return None
    department = lookups.department_for(session, actor, code, "department.read")
    if owner.department_id is not None and owner.department_id not in department.lineage:
        raise Invalid(field="department", reason="is not one of the account's")
    return department


def _actions(owner: User, wanted: tuple[str, ...] | None) -> list[str] | None:
    if wanted is None:
        return None
    beyond = sorted(action for action in wanted if owner.role not in ACTIONS.get(action, ()))
    if beyond or not wanted:
        what = ", ".join(beyond) or "nothing"
        raise Invalid(field="actions", reason=f"{what}: no action that the account may do; `steppe policy show`")
    return sorted(set(wanted))


def _expiry(rules: Rules, wanted: datetime | None, now: datetime) -> datetime:
    latest = now + rules.token_life
    if wanted is None:
        return min(now + USUAL_LIFE, latest)
    if not now < wanted <= latest:
        raise Invalid(field="expires_at", reason=f"must be between now and in {rules.token_life.days} days")
    return wanted


def _said(token: ApiToken, verb: str, details: dict[str, Any]) -> audit.Act:
    department = token.department_id or token.user.department_id
    return audit.Act(f"token.{verb}", "token", token.id, token.name, department, details)
