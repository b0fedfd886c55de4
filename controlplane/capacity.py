"""Pools as placement sees them and shortages as people read them: the ledger's figures joined with our names."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.errors import NamedShortage, OverQuota
from controlplane.models import Department, Pool
from controlplane.placement import Candidate
from quotas import wire
from quotas.amounts import QuotaExceeded

SPREADING = frozenset({"openstack"})
"""Drivers whose pools are many hosts that they choose from themselves."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What narrows the pools to look at: those of `sites` (none: of all) that are of `mlps_level` or above, that take
    new resources and that have room for `amounts`."""

    sites: frozenset[UUID]
    mlps_level: int
    amounts: Mapping[str, int]


def candidates(
    session: Session, kind: str, department: UUID, groups: Collection[str], wish: Wish | None = None
) -> list[Candidate]:
    """Return the pools of a kind with what they have left now, in one read. Takes no lock.

    `groups` are the spread groups of `department` that the caller places members of. Without a `wish` all pools come.
    """
    found = wire.run(session, *_pools(kind, wish)).fetchall()
    members = _members(session, department, groups) if groups else {}
    return [
        Candidate(
            id=id_,
            code=code,
            site=site,
            mlps_level=level,
            accepting=accepting,
            free=dict(zip(classes, free, strict=True)),
            limit=dict(zip(classes, limit, strict=True)),
            groups=frozenset(members.get(id_, ())),
            spreads=driver in SPREADING,
        )
        for id_, code, site, level, accepting, driver, classes, free, limit in found
    ]


def _pools(kind: str, wish: Wish | None) -> tuple[LiteralString, dict[str, Any]]:
    if wish is None:
        return _ALL_POOLS, {"kind": kind}
    return _WISHED_POOLS, {
        "kind": kind,
        "anywhere": not wish.sites,
        "sites": wire.array(wish.sites),
        "level": wish.mlps_level,
        "amounts": wire.rows(wish.amounts),
    }


def _members(session: Session, department: UUID, groups: Collection[str]) -> dict[UUID, set[str]]:
    members: dict[UUID, set[str]] = defaultdict(set)
    for pool, group in wire.run(session, _MEMBERS, {"department": department, "groups": wire.words(groups)}):
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


_ALL_POOLS: LiteralString = """
    SELECT p.id, p.code, p.site_id, p.mlps_level, p.accepting, p.driver,
           array_agg(a.resource_class), array_agg(a."limit" - a.used - a.held), array_agg(a."limit")
    FROM pools p JOIN ledger_accounts a ON a.owner = p.id
    WHERE p.kind = %(kind)s GROUP BY p.id
"""

_WISHED_POOLS: LiteralString = """
    SELECT p.id, p.code, p.site_id, p.mlps_level, p.accepting, p.driver,
           a.classes, a.free, a.limits
    FROM pools p CROSS JOIN LATERAL (
        SELECT array_agg(resource_class) AS classes, array_agg("limit" - used - held) AS free,
               array_agg("limit") AS limits,
               bool_and("limit" IS NULL
                        OR used + held + coalesce((%(amounts)s::jsonb ->> resource_class)::bigint, 0) <= "limit") AS fit
        FROM ledger_accounts WHERE owner = p.id OFFSET 0
    ) a
    WHERE p.kind = %(kind)s AND p.accepting AND p.mlps_level >= %(level)s
    AND (%(anywhere)s OR p.site_id = ANY(%(sites)s::uuid[]))
    AND a.fit
"""

_MEMBERS = """
    SELECT pool_id, spread_group FROM resources
    WHERE department_id = %(department)s AND deleted_at IS NULL
    AND spread_group = ANY(%(groups)s::text[])
"""
