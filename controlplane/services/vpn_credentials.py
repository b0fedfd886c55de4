"""Handing out passwords of VPN accounts: made, hashed and told in one transaction, and told to nobody again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import pyotp
from cryptography.fernet import InvalidToken
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups, persons
from controlplane import vpn_passwords as passwords
from controlplane.actor import Actor
from controlplane.errors import Invalid, NotFound, NotNow
from controlplane.kinds import KINDS
from controlplane.models import Resource, VpnAccount, VpnGroup, VpnSession
from controlplane.persons import Person
from controlplane.policy import authorize
from controlplane.secrets import Keys
from quotas import wire

KIND = "vpn_account"


@dataclass(frozen=True, slots=True)
class Which:
    """Accounts of a department that are handed passwords: these `ids`; without, all that have none yet."""

    department: str | UUID
    ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """What one person is handed; the `secret` of a second factor where their group wants one."""

    username: str
    password: str
    person: Person
    secret: str | None = None

    def values(self) -> dict[str, str | None]:
        """Return all of it by the fields of a slip."""
        said = {"name": self.person.name, "number": self.person.number, "username": self.username}
        return {**said, "password": self.password, "secret": self.secret}


class _Account(NamedTuple):
    resource_id: UUID
    username: str
    person: str
    issued_at: datetime | None
    pool_id: UUID
    second_factor: bool | None


def issue(session: Session, actor: Actor, keys: Keys, which: Which) -> list[Issued]:
    """Make passwords and return them, by user name. Tunnels that an older password let in end at the next look.

    Raises Forbidden, NotFound; NotNow where nobody is without a password; Invalid where they are too many.
    """
    department = lookups.department_for(session, actor, which.department, "vpn.issue")
    accounts = _accounts(session, department.id, which)
    if not accounts:
        raise NotNow(name=department.code, state="provided", verb="issue", when="in want of passwords")
    issued = [_made(keys, account) for account in accounts]
    rows = [
        {
            "resource": a.resource_id,
            "hash": passwords.hashed(one.password),
            "secret": one.secret and keys.radius.seal(one.secret),
        }
        for a, one in zip(accounts, issued, strict=True)
    ]
    wire.write(session, wire.Write(_HASHED, {"scheme": passwords.SCHEME, "hashes": wire.rows(rows)}))
    acts = [
        audit.Act(
            "vpn_account.issue", KIND, a.resource_id, a.username, department.id, {"again": a.issued_at is not None}
        )
        for a in accounts
    ]
    audit.record(session, actor, acts)
    again = [a for a in accounts if a.issued_at is not None]
    _end_tunnels(session, [a.resource_id for a in again])
    jobs.enqueue_pools(session, {a.pool_id for a in again}, actor.trace)
    return issued


def reseal(session: Session, actor: Actor, keys: Keys) -> int:
    """Seal every person, and every secret that RADIUS reads, with the newest keys; return of how many accounts.

    The key ring of each RADIUS server must be new before. Raises Forbidden; Invalid where one was sealed with a key
    that is not here.
    """
    authorize(actor, "role.grant")
    count, last = 0, UUID(int=0)
    while True:
        rows = session.execute(_SEALED.where(VpnAccount.resource_id > last)).all()
        if not rows:
            break
        try:
            fresh = [_resealed(keys, *row) for row in rows]
        except InvalidToken as error:
            raise Invalid(field="VPN accounts", reason="one was sealed with a key that is not here") from error
        wire.write(session, wire.Write(_RESEALED, {"resealed": wire.rows(fresh)}))
        count, last = count + len(rows), rows[-1].resource_id
    if count:
        nobody = UUID(int=0)
        audit.record(
            session, actor, [audit.Act("vpn_account.reseal", "installation", nobody, "VPN", None, {"count": count})]
        )
    return count


def _resealed(keys: Keys, resource: UUID, person: str, secret: str | None) -> dict[str, Any]:
    rotated = keys.sealing.rotate(person.encode()).decode()
    return {"resource": resource, "person": rotated, "secret": secret and keys.radius.reseal(secret)}


def _made(keys: Keys, account: _Account) -> Issued:
    secret = pyotp.random_base32() if account.second_factor else None
    return Issued(account.username, passwords.made(), persons.opened(keys, account.person), secret)


def _end_tunnels(session: Session, accounts: Sequence[UUID]) -> None:
    """Order that the tunnels that an older password let in end."""
    up = VpnSession.resource_id.in_(accounts) & VpnSession.stopped.is_(None)
    if accounts:
        session.execute(update(VpnSession).where(up).values(end_ordered_at=func.now()))


def _accounts(session: Session, department: UUID, which: Which) -> list[_Account]:
    most = KINDS[KIND].most_at_once
    chosen = VpnAccount.resource_id.in_(which.ids) if which.ids else VpnAccount.issued_at.is_(None)
    statement = (
        select(
            *(VpnAccount.resource_id, VpnAccount.username, VpnAccount.person, VpnAccount.issued_at),
            *(Resource.pool_id, VpnGroup.second_factor),
        )
        .join(VpnAccount.resource)
        .outerjoin(
            VpnGroup,
            (VpnGroup.pool_id == Resource.pool_id)
            & (VpnGroup.department_id == Resource.department_id)
            & VpnGroup.system_id.is_not_distinct_from(Resource.system_id),
        )
        .where(chosen, Resource.department_id == department, Resource.desired == "present")
        .order_by(VpnAccount.resource_id)
        .limit(most + 1)
        .with_for_update(of=VpnAccount)
    )
    found = [_Account(*row) for row in session.execute(statement)]
    if len(found) > most:
        raise Invalid(field="ids", reason=f"there are more than {most}; name some of them")
    if which.ids and len(found) < len(set(which.ids)):
        missing = set(which.ids) - {account.resource_id for account in found}
        raise NotFound(noun=KIND, name=str(min(missing)))
    return sorted(found, key=lambda account: account.username)


# The clock, as this transaction may have begun long before: who came in by the old password meanwhile came in before.
_HASHED: wire.Parts = (
    (
        "hashed",
        """
        UPDATE vpn_accounts a
        SET scheme = %(scheme)s, hash = h.hash, totp_secret = h.secret, totp_step = 0, issued_at = clock_timestamp()
        FROM json_to_recordset(%(hashes)s::json) h(resource uuid, hash text, secret text)
        WHERE a.resource_id = h.resource
        """,
    ),
)

_SEALED = (
    select(VpnAccount.resource_id, VpnAccount.person, VpnAccount.totp_secret)
    .order_by(VpnAccount.resource_id)
    .limit(5000)
    .with_for_update()
)

_RESEALED: wire.Parts = (
    (
        "accounts_resealed",
        """
        UPDATE vpn_accounts a SET person = r.person, totp_secret = r.secret
        FROM json_to_recordset(%(resealed)s::json) r(resource uuid, person text, secret text)
        WHERE a.resource_id = r.resource
        """,
    ),
)
