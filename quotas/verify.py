"""Recompute what the ledger says from its postings, and name what does not agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One figure that differs: `recorded` stands in the account, `posted` follows from the postings."""

    what: str
    owner: UUID
    resource_class: str
    recorded: int | None
    posted: int | None


def verify(session: Session) -> Iterator[Discrepancy]:
    """Yield every account whose balance or limit is not what its postings say, and every subject whose department
    and pool sides do not match. Reads each posting once; takes no lock."""
    for query in (_BALANCES, _LIMITS, _SIDES):
        for row in session.execute(query):
            yield Discrepancy(*row)


_BALANCES = text("""
    SELECT side.what, a.owner, a.resource_class, side.recorded, side.posted
    FROM ledger_accounts a
    LEFT JOIN (
        SELECT account_id, sum(held) AS held, sum(used) AS used FROM ledger_postings GROUP BY account_id
    ) p ON p.account_id = a.id
    CROSS JOIN LATERAL (
        VALUES ('held', a.held, CAST(coalesce(p.held, 0) AS bigint)),
               ('used', a.used, CAST(coalesce(p.used, 0) AS bigint))
    ) side(what, recorded, posted)
    WHERE side.recorded <> side.posted
""")

_LIMITS = text("""
    SELECT 'limit', a.owner, a.resource_class, a."limit", p.limit_after
    FROM ledger_accounts a
    LEFT JOIN (
        SELECT DISTINCT ON (account_id) account_id, limit_after
        FROM ledger_postings WHERE kind = 'limit' ORDER BY account_id, id DESC
    ) p ON p.account_id = a.id
    WHERE a."limit" IS DISTINCT FROM p.limit_after
""")

_SIDES = text("""
    SELECT 'both sides of ' || t.subject, t.origin, t.resource_class,
           CAST(t.department AS bigint), CAST(t.pool AS bigint)
    FROM (
        SELECT p.subject, p.origin, a.resource_class,
               coalesce(sum(p.used) FILTER (WHERE a.owner = p.origin), 0) AS department,
               coalesce(sum(p.used) FILTER (WHERE a.owner_kind = 'pool'), 0) AS pool
        FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id
        WHERE p.subject IS NOT NULL
        GROUP BY p.subject, p.origin, a.resource_class
    ) t
    WHERE t.department <> t.pool
""")
