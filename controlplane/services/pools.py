"""Pools and their capacity."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.orm import Session

from controlplane import audit, lookups
from controlplane.actor import Actor
from controlplane.conflicts import refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, InUse, Invalid, Stale
from controlplane.kinds import KINDS
from controlplane.models import Pool, PoolCapacity, Resource, VpnGroup
from controlplane.policy import authorize
from controlplane.pool_secrets import SECRET, CannotOpen, resealed
from controlplane.secrets import Keys
from quotas.amounts import effective_capacity
from quotas.limits import set_limit


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a pool has of one class. `total` None: it does not limit; `ratio` above 1 promises more than there is."""

    total: int | None
    reserved: int = 0
    ratio: Decimal = Decimal(1)

    @property
    def limit(self) -> int | None:
        """What the pool may give in all."""
        return None if self.total is None else effective_capacity(self.total, self.reserved, self.ratio)


@dataclass(frozen=True, slots=True)
class NewPool:
    """A pool to be. `capacity` must name every class of the kind; secrets in `connection` are sealed."""

    code: str
    name: str
    kind: str
    site: str
    mlps_level: int
    driver: str
    connection: Mapping[str, Any]
    capacity: Mapping[str, Capacity]


def create(session: Session, actor: Actor, new: NewPool) -> Pool:
    """Create a pool. Raises AlreadyExists, NotFound for the site, Invalid."""
    site = lookups.site_for(session, actor, new.site, "pool.write")
    if new.kind not in KINDS:
        raise Invalid(field="kind", reason=f"must be one of {', '.join(KINDS)}")
    if new.driver not in KINDS[new.kind].drivers:
        raise Invalid(field="driver", reason=f"must be one of {', '.join(KINDS[new.kind].drivers)}")
    missing = set(KINDS[new.kind].classes) - new.capacity.keys()
    if missing:
        raise Invalid(field="capacity", reason=f"says nothing of {', '.join(sorted(missing))}")
    if session.scalar(select(Pool.id).where(Pool.code == new.code)):
        raise AlreadyExists(noun="pool", name=new.code)
    pool = Pool(
        id=new_id(),
        code=new.code,
        name=new.name,
        kind=new.kind,
        site_id=site.id,
        mlps_level=new.mlps_level,
        driver=new.driver,
        connection=dict(new.connection),
    )
    pool.site = site
    session.add(pool)
    with refusing_duplicates("pool", new.code):
        session.flush()
    _said(session, actor, pool, "create", {"site": site.code, "mlps_level": new.mlps_level})
    set_capacity(session, actor, pool, new.capacity)
    return pool


def set_capacity(session: Session, actor: Actor, pool: Pool | str, capacity: Mapping[str, Capacity]) -> Pool:
    """Set what a pool has of the classes named; less than is used stops growth and takes nothing away."""
    if isinstance(pool, str):
        pool = lookups.pool_for(session, actor, pool, "pool.write")
    unknown = sorted(capacity.keys() - set(KINDS[pool.kind].classes))
    if unknown:
        raise Invalid(field="capacity", reason=f"{', '.join(unknown)}: no class of {pool.kind}")
    for resource_class, c in capacity.items():
        if (c.total is not None and not 0 <= c.reserved <= c.total) or c.ratio <= 0:
            raise Invalid(field=f"capacity.{resource_class}", reason="0 <= reserved <= total and ratio > 0 must hold")
        values = {"total": c.total, "reserved": c.reserved, "ratio": c.ratio}
        session.execute(
            insert(PoolCapacity)
            .values(pool_id=pool.id, resource_class=resource_class, **values)
            .on_conflict_do_update(index_elements=["pool_id", "resource_class"], set_=values)
        )
    set_limit(session, pool.id, "pool", {c: given.limit for c, given in capacity.items()})
    shown = {c: {"total": g.total, "reserved": g.reserved, "ratio": str(g.ratio)} for c, g in capacity.items()}
    _said(session, actor, pool, "set_capacity", shown)
    session.expire(pool, ["capacity"])
    return pool


def update(session: Session, actor: Actor, ref: str, values: Mapping[str, Any], version: int | None = None) -> Pool:
    """Change name, connection, drift policy, or whether the pool accepts new resources. Raises Stale, NotFound."""
    pool = lookups.pool_for(session, actor, ref, "pool.write")
    if version is not None and version != pool.version:
        raise Stale
    for key, value in values.items():
        setattr(pool, key, value)
    pool.version += 1
    shown = {key: value for key, value in values.items() if key != "connection"}
    _said(session, actor, pool, "update", {"changed": sorted(values), "after": shown})
    session.flush()
    return pool


def delete(session: Session, actor: Actor, ref: str) -> None:
    """Remove a pool that never held anything. Raises InUse; one that did can be set to accept nothing."""
    pool = lookups.pool_for(session, actor, ref, "pool.write")
    count = session.scalar(select(func.count()).where(Resource.pool_id == pool.id))
    if count:
        raise InUse(noun="pool", name=pool.code, users=f"{count} resources, past ones included")
    groups = session.scalar(select(func.count()).where(VpnGroup.pool_id == pool.id))
    if groups:
        raise InUse(noun="pool", name=pool.code, users=f"{groups} VPN groups")
    set_limit(session, pool.id, "pool", {c.resource_class: 0 for c in pool.capacity})
    _said(session, actor, pool, "delete", {})
    session.delete(pool)
    session.flush()


def reseal(session: Session, actor: Actor, keys: Keys) -> int:
    """Seal every pool's secrets with the newest key, so that older ones can be dropped; return of how many pools.

    Raises Forbidden; Invalid where a secret was sealed with a key that is not here.
    """
    authorize(actor, "role.grant")
    holding = Pool.connection.has_any(array(sorted(SECRET)))
    found = session.scalars(select(Pool).where(holding).order_by(Pool.id).with_for_update()).all()
    for pool in found:
        try:
            pool.connection = resealed(keys, pool.connection)
        except CannotOpen as error:
            raise Invalid(field=f"secret of pool {pool.code}", reason=f"cannot be opened: {error}") from error
        _said(session, actor, pool, "reseal", {})
    session.flush()
    return len(found)


def _said(session: Session, actor: Actor, pool: Pool, verb: str, details: dict[str, Any]) -> None:
    audit.record(session, actor, [audit.Act(f"pool.{verb}", "pool", pool.id, pool.name, None, details)])
