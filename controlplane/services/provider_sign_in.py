"""Coming in through an identity provider, which has said who it is. No password is looked at, so no try is counted.

An account is found by what the provider knows somebody for good by. A user name leads to an account only where an
administrator said so beforehand, and that once: whoever can choose his name at the provider gets nobody's account here.
"""

import re
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import accounts, audit, lookups, sign_ins
from controlplane.accounts import Identity
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.entrance import Arrival, Entrance, check_network
from controlplane.errors import AlreadyExists, NotFound, Refusal
from controlplane.models import Department, User
from controlplane.oidc.configuration import Grant
from controlplane.oidc.refusals import AccountDisabled, NameTaken, NameUnusable, NoAccount, NoSuchDepartment
from controlplane.oidc.vouched import Vouched
from controlplane.sign_ins import Admitted, Way

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LONGEST = 200


def enter(
    session: Session, entrance: Entrance, known: Vouched, grant: Grant, arrival: Arrival, *, provision: bool
) -> Admitted:
    """Open a session for somebody whom a provider knows, in the one role that its word gives; with `provision`, who has
    no account gets one. A role that changed ends the sessions before.

    Raises NoAccount, NameTaken, NameUnusable, AccountDisabled, NoSuchDepartment, LastOfItsRole, WrongNetwork: then the
    caller rolls back and says so by `refused`.
    """
    accounts.one_at_a_time(session)
    user = _found(session, known, arrival)
    if user is None:
        if not provision:
            raise NoAccount
        user = _made(session, known, grant, arrival)
    if user.disabled_at is not None:
        raise AccountDisabled
    check_network(user.networks, arrival.address)
    _follow(session, user, grant, arrival)
    return sign_ins.admit(session, entrance, user, arrival, Way(known.issuer, known.second_factor))


def refused(
    session: Session, entrance: Entrance, issuer: str, known: Vouched | None, refusal: Refusal, arrival: Arrival
) -> None:
    """Put into the trail that somebody came through a provider and was not let in; `known` None: not even it knew."""
    details: dict[str, Any] = {"with": "oidc", "issuer": issuer, "refused": refusal.code}
    if known is None:
        said = {"address": arrival.address, **details}
        act = audit.Act("user.sign_in", "installation", sign_ins.NOBODY, "identity provider", None, said, "failure")
        audit.record(session, sign_ins.nobody(arrival), [act])
        return
    details |= {"subject": known.subject[:_LONGEST], "login": known.login[:_LONGEST], **refusal.values}
    user = accounts.holder(session, Identity(issuer, subject=known.subject))
    if user is None:
        sign_ins.said_unknown(session, entrance, f"{issuer} {known.subject}", arrival, details)
    else:
        sign_ins.said(session, user, arrival, details, failed=True)


def _found(session: Session, known: Vouched, arrival: Arrival) -> User | None:
    user = accounts.holder(session, Identity(known.issuer, subject=known.subject))
    if user is not None or not known.login:
        return user
    user = accounts.holder(session, Identity(known.issuer, login=known.login))
    if user is not None:
        accounts.tie(session, user, Identity(known.issuer, subject=known.subject))
        details = {"with": "oidc", "issuer": known.issuer, "subject": known.subject, "login": known.login}
        _record(session, user, "link", details, arrival)
    return user


def _made(session: Session, known: Vouched, grant: Grant, arrival: Arrival) -> User:
    if not _USERNAME.fullmatch(known.login):
        raise NameUnusable(name=known.login[:_LONGEST])
    department = _department(session, grant, arrival)
    user = User(
        id=new_id(),
        username=known.login,
        name=known.name[:_LONGEST],
        role=grant.role,
        department_id=department.id if department else None,
        last_active_at=arrival.now,
    )
    user.department = department
    try:
        accounts.add(session, user)
    except AlreadyExists as error:
        raise NameTaken(name=known.login) from error
    accounts.tie(session, user, Identity(known.issuer, subject=known.subject))
    details = {"role": grant.role, "with": "oidc", "issuer": known.issuer, "subject": known.subject}
    _record(session, user, "create", details, arrival)
    return user


def _follow(session: Session, user: User, grant: Grant, arrival: Arrival) -> None:
    """Give an account the role that the provider's word gives."""
    department = _department(session, grant, arrival)
    if (user.role, user.department_id) == (grant.role, department.id if department else None):
        return
    before = _standing(user)
    ended = accounts.regrade(session, user, grant.role, department, arrival.now)
    user.version += 1
    session.flush()
    details = {"before": before, "after": _standing(user), "with": "oidc", "sessions_ended": ended}
    _record(session, user, "update", details, arrival)


def _department(session: Session, grant: Grant, arrival: Arrival) -> Department | None:
    if grant.department is None:
        return None
    try:
        return lookups.department_for(session, _provider(arrival), grant.department, "user.write")
    except NotFound as error:
        raise NoSuchDepartment(department=grant.department[:_LONGEST]) from error


def _standing(user: User) -> dict[str, str | None]:
    return {"role": user.role, "department": user.department.code if user.department else None}


def _provider(arrival: Arrival) -> Actor:
    """Return who acts where the provider's word settles something: what the security administrator would do."""
    return Actor(UUID(int=0), "identity provider", "system", "security_admin", trace=arrival.trace)


def _record(session: Session, user: User, verb: str, details: dict[str, Any], arrival: Arrival) -> None:
    act = audit.Act(f"user.{verb}", "user", user.id, user.username, user.department_id, details)
    audit.record(session, _provider(arrival), [act])
