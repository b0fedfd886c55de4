"""Pools as placement sees them and shortages as people read them: the ledger's figures joined with our names."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane.errors import NamedShortage, OverQuota
from controlplane.models import Department, Pool, Resource
from controlplane.placement import Candidate
from quotas.amounts import QuotaExceeded
from quotas.tables import accounts


def candidates(session: Session, kind: str, department: UUID, groups: Collection[str]) -> list[Candidate]:
    """Return every pool of a kind with what it has left now, in one read. Takes no lock.

    `groups` are the spread groups of `department` that the caller places members of.
    """
    ledger = (
        select(
            accounts.c.owner,
            func.jsonb_object_agg(accounts.c.resource_class, accounts.c.limit).label("limit"),
            func.jsonb_object_agg(
                accounts.c.resource_class, accounts.c.limit - accounts.c.used - accounts.c.held
            ).label("free"),
        )
        .where(accounts.c.owner_kind == "pool")
        .group_by(accounts.c.owner)
        .subquery()
    )
    rows = session.execute(
        select(Pool.id, Pool.code, Pool.site_id, Pool.mlps_level, Pool.accepting, ledger.c.free, ledger.c.limit)
        .join(ledger, ledger.c.owner == Pool.id)
        .where(Pool.kind == kind)
    ).all()
    members = _members(session, department, groups) if groups else {}
    return [
        Candidate(
            id=row.id,
            code=row.code,
            site=row.site_id,
            mlps_level=row.mlps_level,
            accepting=row.accepting,
            free=row.free,
            limit=row.limit,
            groups=frozenset(members.get(row.id, ())),
        )
        for row in rows
    ]


def _members(session: Session, department: UUID, groups: Collection[str]) -> dict[UUID, set[str]]:
    rows = session.execute(
        select(Resource.pool_id, Resource.spread_group).where(
            Resource.department_id == department,
            Resource.spread_group.in_(groups),
            Resource.deleted_at.is_(None),
        )
    )
    members: dict[UUID, set[str]] = defaultdict(set)
    for pool, group in rows:
        if group:
            members[pool].add(group)
    return members


def with_names(session: Session, error: QuotaExceeded, owner_kind: str | None = None) -> OverQuota:
    """Return the refusal that names the owners of `error`'s shortages, or of those of one `owner_kind`."""
    shortages = [s for s in error.shortages if owner_kind in {None, s.owner_kind}]
    owners = {s.owner for s in shortages}
    names: dict[UUID, str] = {}
    for model in (Department, Pool):
        names |= {row[0]: row[1] for row in session.execute(select(model.id, model.name).where(model.id.in_(owners)))}
    return OverQuota(NamedShortage(s, names.get(s.owner, str(s.owner))) for s in shortages)
