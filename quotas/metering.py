"""Reading the ledger: balances now and at any instant, and what was used over time. Writes nothing, locks nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from quotas.tables import accounts, postings


@dataclass(frozen=True, slots=True)
class Balance:
    """One account as it stands. `left` is None where there is no limit; it is negative where the limit was cut."""

    owner: UUID
    resource_class: str
    limit: int | None
    used: int
    held: int

    @property
    def left(self) -> int | None:
        """What could still be taken."""
        return None if self.limit is None else self.limit - self.used - self.held


@dataclass(frozen=True, slots=True)
class Usage:
    """What one subject used of one class in a period, in unit-hours."""

    origin: UUID
    subject: UUID
    resource_class: str
    hours: float


def balances(session: Session, owners: Sequence[UUID]) -> dict[UUID, list[Balance]]:
    """Return the accounts of each owner, by class."""
    a = accounts.c
    rows = session.execute(
        select(a.owner, a.resource_class, a.limit, a.used, a.held).where(a.owner.in_(owners)).order_by(a.resource_class)
    )
    found: dict[UUID, list[Balance]] = defaultdict(list)
    for row in rows:
        found[row.owner].append(Balance(*row))
    return found


def totals(session: Session, owner_kind: str) -> list[tuple[str, int | None, int, int]]:
    """Return (class, limit, used, held) over all accounts of a kind of owner; limit None where one has none."""
    a = accounts.c
    rows = session.execute(
        select(
            a.resource_class,
            func.sum(a.limit),
            func.bool_or(a.limit.is_(None)),
            func.sum(a.used),
            func.sum(a.held),
        )
        .where(a.owner_kind == owner_kind)
        .group_by(a.resource_class)
        .order_by(a.resource_class)
    )
    return [(row[0], None if row[2] else int(row[1]), int(row[3]), int(row[4])) for row in rows]


def largest(session: Session, owner_kind: str, resource_class: str, limit: int) -> list[tuple[UUID, int, int]]:
    """Return (owner, used, held) of the accounts of a class that have most in use and on hold, most first."""
    a = accounts.c
    rows = session.execute(
        select(a.owner, a.used, a.held)
        .where(a.owner_kind == owner_kind, a.resource_class == resource_class, a.used + a.held > 0)
        .order_by((a.used + a.held).desc(), a.owner)
        .limit(limit)
    )
    return [(row.owner, row.used, row.held) for row in rows]


def used_by_origin(session: Session, resource_class: str, at: datetime) -> dict[UUID, int]:
    """Return what each department itself used of a class at an instant; those that used nothing are left out."""
    p, a = postings.c, accounts.c
    used = func.sum(p.used)
    rows = session.execute(
        select(p.origin, used)
        .join(accounts, a.id == p.account_id)
        .where(a.resource_class == resource_class, a.owner == p.origin, p.at <= at)
        .group_by(p.origin)
        .having(used > 0)
    )
    return {row[0]: int(row[1]) for row in rows}


def usage(session: Session, start: datetime, end: datetime) -> list[Usage]:
    """Return unit-hours per department, subject and class between two instants: the integral of the use over time.

    A posting of `u` units at `t` adds `u * (end - max(t, start))`; what comes after `end` adds nothing.
    """
    rows = session.execute(_USAGE, {"start": start, "end": end})
    return [Usage(row[0], row[1], row[2], float(row[3])) for row in rows]


def hours_by_origin(session: Session, resource_class: str, start: datetime, end: datetime) -> dict[UUID, float]:
    """Return the unit-hours of one class between two instants by department; without those that used nothing."""
    rows = session.execute(_HOURS, {"class": resource_class, "start": start, "end": end})
    return {row[0]: float(row[1]) for row in rows}


def usage_of(session: Session, subject: UUID, end: datetime) -> dict[str, float]:
    """Return the unit-hours of each class that one subject used up to `end`, on its department's own account."""
    rows = session.execute(_USAGE_OF, {"subject": subject, "end": end})
    return {row[0]: float(row[1]) for row in rows}


_USAGE_OF = text("""
    SELECT a.resource_class, sum(p.used * extract(epoch FROM CAST(:end AS timestamptz) - p.at)) / 3600 AS hours
    FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id
    WHERE p.subject = :subject AND a.owner = p.origin AND p.at < :end
    GROUP BY a.resource_class
""")

_HOURS = text("""
    SELECT p.origin, sum(p.used * extract(epoch FROM CAST(:end AS timestamptz) - greatest(p.at, :start))) / 3600
    FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id
    WHERE a.owner = p.origin AND a.resource_class = :class AND p.at < :end
    GROUP BY p.origin
    HAVING sum(p.used * extract(epoch FROM CAST(:end AS timestamptz) - greatest(p.at, :start))) > 0
""")

_USAGE = text("""
    SELECT p.origin, p.subject, a.resource_class,
           sum(p.used * extract(epoch FROM CAST(:end AS timestamptz) - greatest(p.at, :start))) / 3600 AS hours
    FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id
    WHERE a.owner = p.origin AND p.at < :end
    GROUP BY p.origin, p.subject, a.resource_class
    HAVING sum(p.used * extract(epoch FROM CAST(:end AS timestamptz) - greatest(p.at, :start))) > 0
    ORDER BY p.origin, p.subject, a.resource_class
""")
