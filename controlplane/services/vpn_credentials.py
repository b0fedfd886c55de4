"""Handing out passwords of VPN accounts: made, hashed and told in one transaction, and told to nobody again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups, persons
from controlplane import vpn_passwords as passwords
from controlplane.actor import Actor
from controlplane.errors import Invalid, NotFound, NotNow
from controlplane.kinds import KINDS
from controlplane.models import Resource, VpnAccount, VpnSession
from controlplane.persons import Person
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
    """What one person is handed."""

    username: str
    password: str
    person: Person


class _Account(NamedTuple):
    resource_id: UUID
    username: str
    person: str
    issued_at: datetime | None
    pool_id: UUID


def issue(session: Session, actor: Actor, keys: Keys, which: Which) -> list[Issued]:
    """Make passwords and return them, by user name. Tunnels that an older password let in end at the next look.

    Raises Forbidden, NotFound; NotNow where nobody is without a password; Invalid where they are too many.
    """
    department = lookups.department_for(session, actor, which.department, "vpn.issue")
    accounts = _accounts(session, department.id, which)
    if not accounts:
        raise NotNow(name=department.code, state="provided", verb="issue", when="in want of passwords")
    issued = [Issued(a.username, passwords.made(), persons.opened(keys, a.person)) for a in accounts]
    rows = [
        {"resource": a.resource_id, "hash": passwords.hashed(one.password)}
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


def _end_tunnels(session: Session, accounts: Sequence[UUID]) -> None:
    """Order that the tunnels that an older password let in end."""
    up = VpnSession.resource_id.in_(accounts) & VpnSession.stopped.is_(None)
    if accounts:
        session.execute(update(VpnSession).where(up).values(end_ordered_at=func.now()))


def _accounts(session: Session, department: UUID, which: Which) -> list[_Account]:
    most = KINDS[KIND].most_at_once
    chosen = VpnAccount.resource_id.in_(which.ids) if which.ids else VpnAccount.issued_at.is_(None)
    statement = (
        select(VpnAccount.resource_id, VpnAccount.username, VpnAccount.person, VpnAccount.issued_at, Resource.pool_id)
        .join(VpnAccount.resource)
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


_HASHED: wire.Parts = (
    (
        "hashed",
        """
        UPDATE vpn_accounts a SET scheme = %(scheme)s, hash = h.hash, issued_at = now()
        FROM json_to_recordset(%(hashes)s::json) h(resource uuid, hash text) WHERE a.resource_id = h.resource
        """,
    ),
)
