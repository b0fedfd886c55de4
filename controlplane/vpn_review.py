"""Going through the VPN accounts: departments are told to confirm theirs in time, and what nobody confirms or uses is
suspended. Nothing is taken away by it: who is suspended can be confirmed and resumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from controlplane import audit, changes, jobs, notices
from controlplane.actor import Actor
from controlplane.models import Resource, VpnAccount
from controlplane.notices import Notice
from controlplane.options import VpnPolicy, option

AT_ONCE = 5000
"""Accounts that one pass suspends; the rest is left to the next."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Of how many accounts departments were told, and how many were suspended for which want."""

    told: int = 0
    unconfirmed: int = 0
    unused: int = 0


def review(session: Session, actor: Actor, now: datetime) -> Reviewed:
    """Go through all accounts once."""
    policy = option(session, VpnPolicy)
    told = unconfirmed = unused = 0
    if policy.confirm_days is not None:
        told = _tell(session, policy.confirm_days, policy.told_days, now)
        due = func.coalesce(VpnAccount.confirmed_at, Resource.created_at) <= now - timedelta(days=policy.confirm_days)
        unconfirmed = _suspend(session, actor, due, "unconfirmed")
    if policy.unused_days is not None:
        long_ago = now - timedelta(days=policy.unused_days)
        seen = func.greatest(VpnAccount.last_login_at, VpnAccount.issued_at, Resource.state_since)
        unused = _suspend(session, actor, VpnAccount.issued_at.is_not(None) & (seen <= long_ago), "unused")
    return Reviewed(told, unconfirmed, unused)


def _suspend(session: Session, actor: Actor, condition: ColumnElement[bool], because: str) -> int:
    live = (Resource.desired == "present") & (Resource.state == "running") & Resource.deleted_at.is_(None)
    found: Sequence[Resource] = session.scalars(
        select(Resource)
        .join(VpnAccount, VpnAccount.resource_id == Resource.id)
        .where(live, Resource.hold_at.is_(None), condition)
        .order_by(Resource.id)
        .limit(AT_ONCE)
        .with_for_update(of=Resource, skip_locked=True)
    ).all()
    acts = [_because(changes.do(session, account, "stop", None), because) for account in found]
    audit.record(session, actor, acts)
    session.flush()
    jobs.enqueue_pools(session, {account.pool_id for account in found}, actor.trace)
    return len(found)


def _because(act: audit.Act, reason: str) -> audit.Act:
    return audit.Act(
        act.action, act.target_kind, act.target_id, act.target_name, act.department, {**act.details, "because": reason}
    )


def _tell(session: Session, confirm_days: int, told_days: int, now: datetime) -> int:
    """Tell each department, once, of all accounts that it has to confirm soon."""
    soon = now - timedelta(days=confirm_days) + timedelta(days=told_days)
    rows = session.execute(_TOLD, {"soon": soon, "now": now}).all()
    by = (now + timedelta(days=told_days)).date().isoformat()
    notices.tell(session, [_notice(row.department_id, {"count": row.accounts, "by": by}) for row in rows])
    return sum(row.accounts for row in rows)


def _notice(department: UUID, said: dict[str, Any]) -> Notice:
    return Notice("vpn.to_confirm", said, role="department_manager", departments=[department])


_TOLD = text("""
    WITH told AS (
        UPDATE vpn_accounts a SET confirm_told_at = :now FROM resources r
        WHERE r.id = a.resource_id AND r.deleted_at IS NULL AND r.desired = 'present' AND r.state = 'running'
        AND a.confirm_told_at IS NULL AND coalesce(a.confirmed_at, r.created_at) <= :soon
        RETURNING r.department_id
    ) SELECT department_id, count(*) AS accounts FROM told GROUP BY department_id ORDER BY department_id
""")
