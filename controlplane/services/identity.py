"""Who comes in: users with passwords at the console, tokens at the API."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from controlplane import audit, lookups
from controlplane.actor import Actor, Role
from controlplane.conflicts import refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, Invalid, NotFound, NotSignedIn, WrongCredentials
from controlplane.models import ApiToken, Department, User
from controlplane.policy import authorize
from quotas import wire

_TOKEN_PREFIX = "steppe_"  # noqa: S105 - lets scanners of leaked secrets know one
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be. `department` is a code, for department roles alone."""

    username: str
    name: str
    role: Role
    department: str | None = None


def create_user(session: Session, actor: Actor, new: NewUser) -> tuple[User, str]:
    """Create a user and return it with its first password: random, kept only as a hash, shown this once."""
    authorize(actor, "department.write")
    department = _department(session, actor, new.role, new.department)
    if session.scalar(select(User.id).where(User.username == new.username)):
        raise AlreadyExists(noun="user", name=new.username)
    password = secrets.token_urlsafe(12)
    user = User(
        id=new_id(),
        username=new.username,
        name=new.name,
        role=new.role,
        department_id=department.id if department else None,
        password_hash=_hasher.hash(password),
    )
    session.add(user)
    with refusing_duplicates("user", new.username):
        session.flush()
    act = audit.Act("user.create", "user", user.id, user.username, user.department_id, {"role": new.role})
    audit.record(session, actor, [act])
    return user, password


def sign_in(session: Session, username: str, password: str, trace: str | None = None) -> Actor:
    """Return the actor whose password this is. Raises WrongCredentials, whichever of the two is wrong."""
    user = session.scalar(select(User).where(User.username == username, User.disabled_at.is_(None)))
    try:
        # An unknown name costs the same time as a known one.
        _hasher.verify(user.password_hash if user else _nobody(), password)
    except (VerificationError, InvalidHashError):
        raise WrongCredentials from None
    if user is None:
        raise WrongCredentials
    actor = _user_actor(session, user, trace)
    audit.record(session, actor, [audit.Act("user.sign_in", "user", user.id, user.username, user.department_id)])
    return actor


def user_actor(session: Session, user: UUID, trace: str | None = None) -> Actor | None:
    """Return the actor of a signed-in user, None once it is disabled or gone."""
    found = session.get(User, user)
    return _user_actor(session, found, trace) if found and found.disabled_at is None else None


def create_token(
    session: Session, actor: Actor, name: str, department: str | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Create a token of a department (managers: their own), or of the administrators where none is named.

    Return it with its secret: kept only as a hash, shown this once.
    """
    authorize(actor, "token.write")
    role: Role = "department_manager" if department else "system_admin"
    if department is None and actor.role != "system_admin":
        raise Invalid(field="department", reason="name the department that the token is for")
    owner = _department(session, actor, role, department)
    secret = _TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        id=new_id(),
        name=name,
        role=role,
        department_id=owner.id if owner else None,
        secret_hash=_digest(secret),
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    act = audit.Act("token.create", "token", token.id, name, token.department_id, {"role": role})
    audit.record(session, actor, [act])
    return token, secret


def tokens(session: Session, actor: Actor) -> list[ApiToken]:
    """Return the tokens that the actor may see, newest first, at most 500."""
    authorize(actor, "token.write")
    statement = select(ApiToken).options(joinedload(ApiToken.department)).order_by(ApiToken.id.desc()).limit(500)
    if actor.scope is not None:
        statement = statement.where(ApiToken.department_id.in_(actor.scope))
    return list(session.scalars(statement))


def revoke_token(session: Session, actor: Actor, token: UUID, now: datetime | None = None) -> None:
    """End a token at once. Raises NotFound."""
    authorize(actor, "token.write")
    found = session.get(ApiToken, token)
    if found is None or not (actor.scope is None or found.department_id in actor.scope):
        raise NotFound(noun="token", name=str(token))
    found.revoked_at = found.revoked_at or now or datetime.now(UTC)
    found.version += 1
    act = audit.Act("token.revoke", "token", found.id, found.name, found.department_id)
    audit.record(session, actor, [act])
    session.flush()


def token_actor(session: Session, secret: str, trace: str | None = None, now: datetime | None = None) -> Actor:
    """Return the actor that a token stands for. Raises NotSignedIn for one that is unknown, revoked or expired."""
    row = wire.run(session, _BY_HASH, {"hash": _digest(secret)}).fetchone()
    actor = _token_actor(row, trace, now)
    if actor is None:
        raise NotSignedIn
    return actor


def actor_again(session: Session, kind: str, ident: UUID, now: datetime | None = None) -> Actor | None:
    """Return the actor of this kind and id with the rights of this moment, None where it has none any more."""
    if kind == "user":
        return user_actor(session, ident)
    return _token_actor(wire.run(session, _BY_ID, {"id": ident}).fetchone(), None, now)


def _token_actor(row: tuple[Any, ...] | None, trace: str | None, now: datetime | None) -> Actor | None:
    if row is None:
        return None
    id_, name, role, department, scope, revoked_at, expires_at = row
    if revoked_at or (expires_at and expires_at <= (now or datetime.now(UTC))):
        return None
    return Actor(id_, name, "token", role, department, frozenset(scope) if department else None, trace)


# With the ids of the department and of all below it, which is what the token reaches.
_BY_HASH = """
    SELECT t.id, t.name, t.role, t.department_id,
           ARRAY(SELECT d.id FROM departments d WHERE d.lineage @> ARRAY[t.department_id]),
           t.revoked_at, t.expires_at
    FROM api_tokens t WHERE t.secret_hash = %(hash)s
"""

_BY_ID = """
    SELECT t.id, t.name, t.role, t.department_id,
           ARRAY(SELECT d.id FROM departments d WHERE d.lineage @> ARRAY[t.department_id]),
           t.revoked_at, t.expires_at
    FROM api_tokens t WHERE t.id = %(id)s
"""


def _user_actor(session: Session, user: User, trace: str | None) -> Actor:
    scope = lookups.subtree_of(session, user.department_id) if user.department_id else None
    return Actor(user.id, user.name, "user", user.role, user.department_id, scope, trace)


def _department(session: Session, actor: Actor, role: Role, code: str | None) -> Department | None:
    needed = role in {"department_manager", "department_member"}
    if needed != bool(code):
        raise Invalid(field="department", reason=f"role {role} {'needs one' if needed else 'has none'}")
    return lookups.department_for(session, actor, code, "token.write") if code else None


@cache
def _nobody() -> str:
    """Return the hash of a password that nobody has."""
    return _hasher.hash(secrets.token_hex(16))


def _digest(secret: str) -> bytes:
    # 256 random bits need no slow hash: nobody can try them all.
    return hashlib.sha256(secret.encode()).digest()
