"""What every service about accounts shares: finding one, and ending what lets it in.

Whoever changes roles or what is disabled goes through `one_at_a_time`, so that two of them never take away the last
security administrator between them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor, Role
from controlplane.conflicts import refusing_duplicates
from controlplane.entrance import Entrance, Rules
from controlplane.errors import AlreadyExists, Forbidden, Invalid, LastOfItsRole, NotFound, OwnAccount
from controlplane.models import ApiToken, Department, SignIn, SignInTry, User
from controlplane.models.identity import EndReason
from controlplane.paging import Listing, Order, Page, paginate
from controlplane.policy import allows, authorize
from controlplane.settings import ADDRESS


@dataclass(frozen=True, slots=True)
class Locked:
    """Names that nobody can come in under just now: id, name and end for accounts, and how many other names."""

    known: Sequence[tuple[UUID, str, datetime]]
    others: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody at an identity provider: by what the provider knows him for good, or by a user name, which is good for
    his first sign-in alone. Just one of the two."""

    issuer: str
    subject: str | None = None
    login: str | None = None


def user_for(session: Session, actor: Actor, ref: str | UUID, action: str = "user.read") -> User:
    """Return the account with this id or user name. Raises Forbidden, NotFound."""
    authorize(actor, action)
    found: User | None = session.scalar(_in_scope(_by_ref(ref), actor).options(joinedload(User.department)))
    if found is None:
        raise NotFound(noun="user", name=str(ref))
    return found


def users(session: Session, actor: Actor, listing: Listing) -> Page[User]:
    """List accounts; filters: q (user name or name), role, department, service, disabled."""
    authorize(actor, "user.read")
    statement = _in_scope(select(User), actor).options(joinedload(User.department))
    statement = _filtered(statement, listing.filters)
    return paginate(
        session,
        statement,
        Order({"username": User.username, "name": User.name, "created_at": User.created_at}, User.id, "username"),
        listing,
    )


def managed(session: Session, actor: Actor, ref: str | UUID) -> User:
    """Return an account that the actor may change, as it is now, locked until the end of the transaction.

    A department's manager may change its members, and nobody the own account. Raises Forbidden, NotFound, OwnAccount.
    """
    authorize(actor, "user.write")
    one_at_a_time(session)
    statement = _in_scope(_by_ref(ref), actor).with_for_update().execution_options(populate_existing=True)
    user: User | None = session.scalar(statement)
    if user is None:
        raise NotFound(noun="user", name=str(ref))
    if user.id == actor.user:
        raise OwnAccount
    if user.role != "department_member" and not allows(actor, "role.grant"):
        raise Forbidden(role=actor.role, action="role.grant")
    return user


def one_at_a_time(session: Session) -> None:
    """Wait for whoever changes accounts, and keep others from it until the end of the transaction."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("users", 0))))


def keep_last(session: Session, user: User) -> None:
    """Raise LastOfItsRole where without this account nobody could grant roles any more."""
    if user.role == "security_admin" and not user.service and user.disabled_at is None:
        active = select(func.count()).where(
            User.role == "security_admin", ~User.service, User.disabled_at.is_(None), User.id != user.id
        )
        if not session.scalar(active):
            raise LastOfItsRole(name=user.username)


def add(session: Session, user: User) -> None:
    """Write a new account. Raises AlreadyExists for a user name that somebody has."""
    if session.scalar(select(User.id).where(User.username == user.username)):
        raise AlreadyExists(noun="user", name=user.username)
    session.add(user)
    with refusing_duplicates("user", user.username):
        session.flush()


def regrade(session: Session, user: User, role: Role, department: Department | None, now: datetime) -> int:
    """Give an account a role, for department roles in a department, and end its sessions; return how many.

    Raises LastOfItsRole.
    """
    if role != "security_admin":
        keep_last(session, user)
    user.role, user.department = role, department
    user.department_id = department.id if department else None
    return end_sign_ins(session, user.id, "changed", now)


def holder(session: Session, identity: Identity) -> User | None:
    """Return the account that an identity comes in under, locked until the end of the transaction."""
    column = User.identity_subject if identity.subject else User.identity_login
    statement = select(User).where(
        User.identity_issuer == identity.issuer, column == (identity.subject or identity.login)
    )
    return session.scalar(statement.with_for_update().execution_options(populate_existing=True))


def tie(session: Session, user: User, identity: Identity | None) -> None:
    """Let an identity come in under an account, or with None nobody any more. One that has left gives its own up.

    Raises AlreadyExists where the identity comes in under another account.
    """
    other = holder(session, identity) if identity else None
    if other is not None and other.id != user.id:
        if other.disabled_reason != "left":
            raise AlreadyExists(noun="identity", name=str(identity.subject or identity.login) if identity else "")
        tie(session, other, None)
    user.identity_issuer = identity.issuer if identity else None
    user.identity_subject = identity.subject if identity else None
    user.identity_login = identity.login if identity else None
    user.version += 1
    session.flush()


def checked_address(given: str | None) -> str | None:
    """Return an e-mail address as it may be kept. Raises Invalid for what is none."""
    if given is not None and not (re.fullmatch(ADDRESS, given) and _can_be_written_to(given)):
        raise Invalid(field="email", reason="is no address of a mailbox, like name@example.org")
    return given


def _can_be_written_to(address: str) -> bool:
    try:
        Address(addr_spec=address)
    except (ValueError, MessageError):
        return False
    return True


def end_sign_ins(session: Session, user: UUID, why: EndReason, now: datetime, but: UUID | None = None) -> int:
    """End every session of an account, or all `but` one; return how many."""
    ending = update(SignIn).where(SignIn.user_id == user, SignIn.ended_at.is_(None))
    if but is not None:
        ending = ending.where(SignIn.id != but)
    return len(session.scalars(ending.values(ended_at=now, end_reason=why).returning(SignIn.id)).all())


def revoke_all(session: Session, user: UUID, now: datetime) -> int:
    """End every token of an account; return how many."""
    ending = update(ApiToken).where(ApiToken.user_id == user, ApiToken.revoked_at.is_(None))
    return len(session.scalars(ending.values(revoked_at=now).returning(ApiToken.id)).all())


def locked_until(session: Session, entrance: Entrance, user: User) -> datetime | None:
    """Return until when nobody can sign in under a name, None where it was never locked since somebody came in."""
    hidden = entrance.keys.hidden(user.username)
    return session.scalar(select(SignInTry.locked_until).where(SignInTry.name_hash == hidden))


def locked_names(session: Session, actor: Actor, entrance: Entrance, now: datetime) -> Locked:
    """Return which names are locked just now. Raises Forbidden.

    Tries are kept by a hash of the name: it is known only of names that somebody has, of the others there is a count.
    """
    authorize(actor, "session.read")
    locked = select(SignInTry.name_hash, SignInTry.locked_until).where(
        SignInTry.locked_until > now, SignInTry.last_at > now - entrance.rules.longest_lock
    )
    until: dict[bytes, datetime] = {hidden: end for hidden, end in session.execute(locked) if end}
    known: list[tuple[UUID, str, datetime]] = []
    if until:
        for user, username in session.execute(select(User.id, User.username)):
            end = until.pop(entrance.keys.hidden(username), None)
            if end:
                known.append((user, username, end))
    return Locked(sorted(known, key=lambda found: found[1]), len(until))


def live(rules: Rules, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a session goes on."""
    return (SignIn.ended_at.is_(None), SignIn.last_seen_at > now - rules.idle, SignIn.created_at > now - rules.longest)


def _by_ref(ref: str | UUID) -> Select[Any]:
    try:
        return select(User).where(User.id == (ref if isinstance(ref, UUID) else UUID(ref)))
    except ValueError:
        return select(User).where(User.username == ref)


def _in_scope(statement: Select[Any], actor: Actor) -> Select[Any]:
    return statement if actor.scope is None else statement.where(User.department_id.in_(actor.scope))


def _filtered(statement: Select[Any], asked: Mapping[str, str]) -> Select[Any]:
    known: dict[str, Callable[[str], ColumnElement[bool]]] = {
        "q": lambda v: or_(User.username.icontains(v, autoescape=True), User.name.icontains(v, autoescape=True)),
        "role": lambda v: User.role == v,
        "department": lambda v: User.department.has(code=v),
        "service": lambda v: User.service.is_(v == "true"),
        "disabled": lambda v: User.disabled_at.is_not(None) if v == "true" else User.disabled_at.is_(None),
    }
    for name, value in asked.items():
        statement = statement.where(known[name](value))
    return statement
