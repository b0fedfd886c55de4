"""Pools as placement sees them and shortages as people read them: the ledger's figures joined with our names."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.errors import NamedShortage, OverQuota
from controlplane.models import Department, Pool
from controlplane.placement import Candidate, Wish
from quotas import wire
from quotas.amounts import QuotaExceeded
from quotas.pipeline import Reply

SPREADING = frozenset({"openstack"})
"""Drivers whose pools are many hosts that they choose from themselves."""
FLOATING = frozenset({"fake", "openstack"})
"""Drivers of whose pools machines can have floating addresses."""
KEEPING = frozenset({"fake", "openstack"})
"""Drivers of whose pools machines can have snapshots."""


@dataclass(frozen=True, slots=True)
class Look:
    """Where pools are looked for: of a kind, for a department, narrowed by what is wished. Without a wish all come."""

    kind: str
    department: UUID
    wish: Wish | None = None


def looking(session: Session, look: Look) -> Reply:
    """Ask what the pools have left now; `candidates` reads it, so that in a pipeline the caller can send more before it
    waits. Takes no lock."""
    if look.wish is None:
        return wire.run(session, _ALL_POOLS, {"kind": look.kind})
    narrowed = {
        "kind": look.kind,
        "department": look.department,
        "systems": wire.words(look.wish.systems),
        "subnets": wire.words(look.wish.subnets),
        "anywhere": not look.wish.subnets,
        "amounts": wire.rows(look.wish.amounts),
    }
    return wire.run(session, _WISHED_POOLS, narrowed)


def candidates(session: Session, seen: Reply, department: UUID, groups: Collection[str]) -> list[Candidate]:
    """Return the pools that were seen. `groups` are the spread groups of `department` that the caller places members
    of."""
    found = seen.fetchall()
    members = _members(session, department, groups) if groups else {}
    return [
        Candidate(
            *(id_, code, site, level, accepting),
            dict(zip(classes, free, strict=True)),
            dict(zip(classes, limits, strict=True)),
            members.get(id_, _NOBODY),
            driver in SPREADING,
            driver in FLOATING,
        )
        for id_, code, site, level, accepting, driver, classes, free, limits in found
    ]


def _members(session: Session, department: UUID, groups: Collection[str]) -> dict[UUID, frozenset[str]]:
    members: dict[UUID, set[str]] = defaultdict(set)
    for pool, group in wire.run(session, _MEMBERS, {"department": department, "groups": wire.words(groups)}):
        members[pool].add(group)
    return {pool: frozenset(of_pool) for pool, of_pool in members.items()}


def with_names(session: Session, error: QuotaExceeded, owner_kind: str | None = None) -> OverQuota:
    """Return the refusal that names the owners of `error`'s shortages, or of those of one `owner_kind`."""
    shortages = [s for s in error.shortages if owner_kind in {None, s.owner_kind}]
    owners = {s.owner for s in shortages}
    names: dict[UUID, str] = {}
    for model in (Department, Pool):
        names |= {row[0]: row[1] for row in session.execute(select(model.id, model.name).where(model.id.in_(owners)))}
    return OverQuota(NamedShortage(s, names.get(s.owner, str(s.owner))) for s in shortages)


_NOBODY: frozenset[str] = frozenset()

# What has no limit has UNLIMITED of it.
_ALL_POOLS: LiteralString = """
    SELECT p.id, p.code, p.site_id, p.mlps_level, p.accepting, p.driver, array_agg(a.resource_class),
           array_agg(coalesce(a."limit" - a.used - a.held, 9223372036854775807)),
           array_agg(greatest(a."limit", 1))
    FROM pools p JOIN ledger_accounts a ON a.owner = p.id
    WHERE p.kind = %(kind)s GROUP BY p.id
"""

_WISHED_POOLS: LiteralString = """
    SELECT p.id, p.code, p.site_id, p.mlps_level, p.accepting, p.driver,
           a.classes, a.free, a.limits
    FROM pools p CROSS JOIN LATERAL (
        SELECT array_agg(resource_class) AS classes,
               array_agg(coalesce("limit" - used - held, 9223372036854775807)) AS free,
               array_agg(greatest("limit", 1)) AS limits,
               bool_and("limit" IS NULL
                        OR used + held + coalesce((%(amounts)s::jsonb ->> resource_class)::bigint, 0) <= "limit") AS fit
        FROM ledger_accounts WHERE owner = p.id OFFSET 0
    ) a
    WHERE p.kind = %(kind)s AND p.accepting AND a.fit
    AND p.mlps_level >= (
        SELECT coalesce(min(mlps_level), 0) FROM systems
        WHERE department_id = %(department)s AND deleted_at IS NULL AND code = ANY(%(systems)s::text[])
    )
    AND (%(anywhere)s OR p.site_id = ANY(ARRAY(SELECT site_id FROM subnets WHERE code = ANY(%(subnets)s::text[]))))
"""

_MEMBERS = """
    SELECT pool_id, spread_group FROM resources
    WHERE department_id = %(department)s AND deleted_at IS NULL
    AND spread_group = ANY(%(groups)s::text[])
"""
