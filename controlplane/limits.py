"""Limits of departments: what setting one and raising one have in common."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import jobs, lookups
from controlplane.tree import lock_tree
from quotas.limits import set_limit
from quotas.tables import accounts


def set_limits(session: Session, department: UUID, limits: Mapping[str, int | None]) -> None:
    """Set the limits of a department per class, None for unlimited."""
    lock_tree(session)
    below = sorted(lookups.subtree_of(session, department) - {department})
    set_limit(session, department, "department", limits, below)
    jobs.enqueue_follow(session, department)


def raise_limits(session: Session, department: UUID, by: Mapping[str, int]) -> dict[str, int]:
    """Raise the limits of a department per class and return them; an unlimited class stays so."""
    # Limits change under this lock alone. No account is locked before `set_limit` locks all of them where it must.
    lock_tree(session)
    present = session.execute(
        select(accounts.c.resource_class, accounts.c.limit).where(
            accounts.c.owner == department, accounts.c.resource_class.in_(by)
        )
    )
    known = {row.resource_class: row.limit for row in present}
    raised = {c: (known.get(c) or 0) + more for c, more in by.items() if c not in known or known[c] is not None}
    set_limits(session, department, raised)
    return raised
