"""Accounts: who there is, with which role, and what others may do to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from controlplane import accounts, audit, lookups, passwords
from controlplane.accounts import Identity
from controlplane.actor import Actor, Role
from controlplane.db import new_id
from controlplane.entrance import Entrance
from controlplane.errors import AdministratorsExist, Forbidden, HasLeft, Invalid, Stale
from controlplane.models import Department, SignInTry, User
from controlplane.policy import ADMINISTRATORS, OF_DEPARTMENTS, allows, authorize

MOST_NETWORKS = 20
_PROGRAM = "a program's account comes in with tokens alone"


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be. `department` is a code, for department roles alone; `service`: of a program, not a person;
    `identity`: who comes in under it through an identity provider, so that it has no password."""

    username: str
    name: str
    role: Role
    department: str | None = None
    service: bool = False
    identity: Identity | None = None
    email: str | None = None


FIRST = (
    NewUser("admin", "系统管理员", "system_admin"),
    NewUser("security", "安全管理员", "security_admin"),
    NewUser("audit", "审计管理员", "audit_admin"),
)
"""The first of each of the three powers."""


def create(session: Session, actor: Actor, new: NewUser) -> tuple[User, str | None]:
    """Create an account and return it with its first password: random, kept only as a hash, good until it is changed.

    A program's account has none, nor has one that somebody comes to through an identity provider.
    Raises Forbidden, AlreadyExists, Invalid, NotFound for the department.
    """
    authorize(actor, "user.write")
    _may_grant(actor, None if new.identity else new.role)
    department = _department(session, actor, new.role, new.department)
    if new.service and new.identity:
        raise Invalid(field="login", reason=_PROGRAM)
    password = None if new.service or new.identity else passwords.one_time()
    user = User(
        id=new_id(),
        username=new.username,
        name=new.name,
        email=accounts.checked_address(new.email),
        role=new.role,
        department_id=department.id if department else None,
        service=new.service,
        password_hash=passwords.hashed(password) if password else None,
        password_changed_at=datetime.now(UTC) if password else None,
        must_change_password=password is not None,
    )
    user.department = department
    accounts.add(session, user)
    if new.identity:
        accounts.tie(session, user, new.identity)
    identity = {"identity": _identity(user)} if new.identity else {}
    _record(session, actor, user, "create", {"role": new.role, "service": new.service, **identity})
    return user, password


def bootstrap(session: Session, actor: Actor) -> list[tuple[User, str]]:
    """Create the first system, security and audit administrator; return each with its first password.

    Raises AdministratorsExist, AlreadyExists.
    """
    authorize(actor, "role.grant")
    accounts.one_at_a_time(session)
    if session.scalar(select(User.id).where(User.role.in_(ADMINISTRATORS), ~User.service).limit(1)):
        raise AdministratorsExist
    made = [create(session, actor, new) for new in FIRST]
    return [(user, password) for user, password in made if password]


def update(
    session: Session, actor: Actor, ref: str | UUID, values: Mapping[str, Any], version: int | None = None
) -> User:
    """Change `name`, `email`, `networks`, or `role` with `department`. Another role ends every session of the account.

    Raises NotFound, Forbidden, OwnAccount, LastOfItsRole, Invalid, Stale.
    """
    user = accounts.managed(session, actor, ref)
    if version is not None and version != user.version:
        raise Stale
    before = _shown(user)
    if "name" in values:
        user.name = values["name"]
    if "email" in values:
        user.email = accounts.checked_address(values["email"])
    if "networks" in values:
        _may_grant(actor, None)
        user.networks = _networks(values["networks"])
    if "role" in values or "department" in values:
        _regrade(session, actor, user, values)
    user.version += 1
    session.flush()
    _record(session, actor, user, "update", {"before": before, "after": _shown(user)})
    return user


def reset_password(session: Session, actor: Actor, entrance: Entrance, ref: str | UUID) -> tuple[User, str]:
    """Give an account a new first password, unlock its name and end its sessions; return it with the password.

    Raises NotFound, Forbidden, OwnAccount, Invalid for a program's account.
    """
    user = accounts.managed(session, actor, ref)
    if user.service:
        raise Invalid(field="user", reason="a program's account has no password; make it a token")
    if user.identity_issuer and not user.password_hash:
        raise Invalid(field="user", reason="it comes in through the identity provider; unlink it first")
    password, now = passwords.one_time(), datetime.now(UTC)
    if user.password_hash:
        user.previous_hashes = [user.password_hash, *user.previous_hashes][: entrance.rules.password_history]
    user.password_hash, user.password_changed_at, user.must_change_password = passwords.hashed(password), now, True
    user.version += 1
    session.execute(delete(SignInTry).where(SignInTry.name_hash == entrance.keys.hidden(user.username)))
    ended = accounts.end_sign_ins(session, user.id, "changed", now)
    _record(session, actor, user, "reset_password", {"sessions_ended": ended})
    return user, password


def reset_second_factor(session: Session, actor: Actor, ref: str | UUID) -> User:
    """Forget an account's second factor and recovery codes, say because a telephone was lost, and end its sessions.

    Raises NotFound, Forbidden, OwnAccount.
    """
    user = accounts.managed(session, actor, ref)
    user.totp_secret = user.totp_enrolled_at = user.totp_last_counter = None
    user.recovery_hashes = []
    user.version += 1
    ended = accounts.end_sign_ins(session, user.id, "changed", datetime.now(UTC))
    _record(session, actor, user, "reset_second_factor", {"sessions_ended": ended})
    return user


def link(session: Session, actor: Actor, ref: str | UUID, identity: Identity) -> User:
    """Let somebody at an identity provider come in under an account; its sessions end. A password that it has stays.

    Raises NotFound, Forbidden, OwnAccount, HasLeft, Invalid for a program's account, AlreadyExists.
    """
    return _tied(session, actor, ref, identity)


def unlink(session: Session, actor: Actor, ref: str | UUID) -> User:
    """Let nobody come in through an identity provider under an account any more; its sessions end.

    Raises NotFound, Forbidden, OwnAccount.
    """
    return _tied(session, actor, ref, None)


def _tied(session: Session, actor: Actor, ref: str | UUID, identity: Identity | None) -> User:
    authorize(actor, "role.grant")
    user = accounts.managed(session, actor, ref)
    if identity and user.service:
        raise Invalid(field="user", reason=_PROGRAM)
    if identity and user.disabled_reason == "left":
        raise HasLeft(name=user.username)
    before = _identity(user)
    accounts.tie(session, user, identity)
    ended = accounts.end_sign_ins(session, user.id, "changed", datetime.now(UTC))
    details = {"before": before, "after": _identity(user), "sessions_ended": ended}
    _record(session, actor, user, "link" if identity else "unlink", details)
    return user


def _regrade(session: Session, actor: Actor, user: User, values: Mapping[str, Any]) -> None:
    _may_grant(actor, None)
    role: Role = values.get("role", user.role)
    own = user.department.code if user.department and role in OF_DEPARTMENTS else None
    department = _department(session, actor, role, values.get("department", own))
    accounts.regrade(session, user, role, department, datetime.now(UTC))


def _may_grant(actor: Actor, role: Role | None) -> None:
    if role != "department_member" and not allows(actor, "role.grant"):
        raise Forbidden(role=actor.role, action="role.grant")


def _department(session: Session, actor: Actor, role: Role, code: str | None) -> Department | None:
    if (role in OF_DEPARTMENTS) != bool(code):
        raise Invalid(field="department", reason=f"role {role} {'has none' if code else 'needs one'}")
    return lookups.department_for(session, actor, code, "user.write") if code else None


def _networks(given: list[str]) -> list[str]:
    if len(given) > MOST_NETWORKS:
        raise Invalid(field="networks", reason=f"at most {MOST_NETWORKS}")
    try:
        return sorted({str(ip_network(network)) for network in given})
    except ValueError as error:
        raise Invalid(field="networks", reason=str(error)) from None


def _shown(user: User) -> dict[str, Any]:
    department = user.department.code if user.department else None
    # Not the address itself: the trail lasts longer than that may be kept.
    return {
        "name": user.name,
        "email": user.email is not None,
        "role": user.role,
        "department": department,
        "networks": list(user.networks),
    }


def _identity(user: User) -> dict[str, str | None] | None:
    if user.identity_issuer is None:
        return None
    return {"issuer": user.identity_issuer, "subject": user.identity_subject, "login": user.identity_login}


def _record(session: Session, actor: Actor, user: User, verb: str, details: dict[str, Any]) -> None:
    act = audit.Act(f"user.{verb}", "user", user.id, user.username, user.department_id, details)
    audit.record(session, actor, [act])
