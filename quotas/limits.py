"""Limits of accounts: setting them, and knowing them for right when an ancestor gets its first."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from quotas.tables import accounts, postings


def set_limit(
    session: Session,
    owner: UUID,
    owner_kind: Literal["department", "pool"],
    limits: Mapping[str, int | None],
    below: Sequence[UUID] = (),
) -> None:
    """Set the limits of an owner per class (None: unlimited) and record each change.

    `below` are all descendants of a department. Where an ancestor gets its first limit, what they already use and
    hold is posted to it, so that its balance is right from the first moment. A limit may be lower than what is used.
    """
    names = [{"owner": owner, "owner_kind": owner_kind, "resource_class": c} for c in sorted(limits)]
    if not names:
        return
    if below:
        # An allocation that saw no limit yet is still on its way: wait for it, and let the next one see the limit.
        session.execute(text("LOCK TABLE ledger_accounts IN EXCLUSIVE MODE"))
    session.execute(insert(accounts).values(names).on_conflict_do_nothing())
    rows = session.execute(
        select(accounts)
        .where(accounts.c.owner == owner, accounts.c.resource_class.in_(limits))
        .order_by(accounts.c.id)
        .with_for_update()
    ).all()
    for row in rows:
        new = limits[row.resource_class]
        known = session.execute(select(postings.c.id).where(postings.c.account_id == row.id).limit(1)).first()
        if row.limit == new and known:
            continue
        if below and row.limit is None and new is not None:
            session.execute(_BACKFILL, {"account": row.id, "resource_class": row.resource_class, "below": list(below)})
        session.execute(accounts.update().where(accounts.c.id == row.id).values(limit=new))
        session.execute(postings.insert().values(account_id=row.id, kind="limit", limit_after=new))


_BACKFILL = text("""
    WITH own AS (
        SELECT p.subject, p.origin, sum(p.held) AS held, sum(p.used) AS used
        FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id
        WHERE a.resource_class = :resource_class AND a.owner = ANY(CAST(:below AS uuid[])) AND a.owner = p.origin
        GROUP BY p.subject, p.origin
    ), present AS (
        SELECT subject, origin, sum(held) AS held, sum(used) AS used
        FROM ledger_postings WHERE account_id = :account AND subject IS NOT NULL GROUP BY subject, origin
    ), posted AS (
        INSERT INTO ledger_postings (account_id, kind, subject, origin, held, used)
        SELECT :account, 'adjust', own.subject, own.origin,
               own.held - coalesce(present.held, 0), own.used - coalesce(present.used, 0)
        FROM own LEFT JOIN present USING (subject, origin)
        WHERE own.held <> coalesce(present.held, 0) OR own.used <> coalesce(present.used, 0)
        RETURNING held, used
    )
    UPDATE ledger_accounts a SET held = a.held + t.held, used = a.used + t.used
    FROM (SELECT coalesce(sum(held), 0) AS held, coalesce(sum(used), 0) AS used FROM posted) t
    WHERE a.id = :account
""")
