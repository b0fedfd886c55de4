"""How much a pool has, where the pool itself can say: its capacity follows, and the ledger's limit with it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.actor import Actor
from controlplane.db import Sessions, transaction
from controlplane.models import Pool, PoolCapacity
from provisioners.contract import MachineDriver, Room, RoomDriver
from quotas.amounts import effective_capacity
from quotas.limits import set_limit


def follow(sessions: Sessions, driver: MachineDriver, pool: Pool, actor: Actor) -> bool:
    """Let a pool's capacity be what its driver says, where it is to follow; tell whether it changed.

    What a driver does not speak of stays as it was set. May raise Unreachable, Rejected.
    """
    if not pool.capacity_follows or not isinstance(driver, RoomDriver):
        return False
    found = driver.room()
    with transaction(sessions) as session:
        known = {
            row.resource_class: Room(row.total or 0, row.reserved, row.ratio)
            for row in session.scalars(select(PoolCapacity).where(PoolCapacity.pool_id == pool.id))
        }
        changed = {name: room for name, room in found.items() if known.get(name) != room}
        if changed:
            _record(session, actor, pool, changed)
    return bool(changed)


def _record(session: Session, actor: Actor, pool: Pool, changed: Mapping[str, Room]) -> None:
    for name, room in sorted(changed.items()):
        values: dict[str, Any] = {"total": room.total, "reserved": room.reserved, "ratio": room.ratio}
        row = insert(PoolCapacity).values(pool_id=pool.id, resource_class=name, **values)
        keys = ["pool_id", "resource_class"]
        session.execute(row.on_conflict_do_update(index_elements=keys, set_=values))
    limits: dict[str, int | None] = {n: effective_capacity(r.total, r.reserved, r.ratio) for n, r in changed.items()}
    set_limit(session, pool.id, "pool", limits)
    shown = {n: {"total": r.total, "reserved": r.reserved, "ratio": str(r.ratio)} for n, r in changed.items()}
    audit.record(session, actor, [audit.Act("pool.set_capacity", "pool", pool.id, pool.name, None, shown)])
