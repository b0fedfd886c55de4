"""How the catalogue and the pools match, where a pool can say: asked once a sweep, kept, and told where it changes.

It decides nothing. A report is as old as its sweep, so an ask for an image that it misses is carried out all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.actor import Actor
from controlplane.models import Flavor, Image, Pool, PoolCatalogue
from provisioners.contract import (
    CatalogueDriver,
    CatalogueMatch,
    MachineDriver,
    OfferedFlavor,
    OfferedImage,
    dump_catalogue,
    load_catalogue,
)

MOST = 1000
"""Of images, and of flavors, that are compared: the first by code."""
_MOST_TOLD = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What departments can choose from."""

    images: tuple[OfferedImage, ...]
    flavors: tuple[OfferedFlavor, ...]


def offer(session: Session) -> Offer:
    """Return what the catalogue offers now."""
    images = session.scalars(select(Image).where(Image.offered).order_by(Image.code).limit(MOST))
    flavors = session.scalars(select(Flavor).where(Flavor.offered).order_by(Flavor.code).limit(MOST))
    return Offer(
        tuple(OfferedImage(i.code, i.source, i.min_disk_gib) for i in images),
        tuple(OfferedFlavor(f.code, f.vcpu, f.memory_mib, f.disk_gib) for f in flavors),
    )


def match(driver: MachineDriver, offered: Offer) -> CatalogueMatch | None:
    """Return how they match; None where the pool's driver does not tell. May raise Unreachable, Rejected."""
    return driver.match_catalogue(offered.images, offered.flavors) if isinstance(driver, CatalogueDriver) else None


def record(session: Session, actor: Actor, found: Mapping[UUID, CatalogueMatch]) -> None:
    """Keep what was found, by pool, and tell of images that have become unusable somewhere, or usable.

    A pool that was removed meanwhile is passed over. To be called where no other check can write the same pools.
    """
    pools = {pool.id: pool for pool in session.scalars(select(Pool).where(Pool.id.in_(found)))}
    known = session.scalars(select(PoolCatalogue).where(PoolCatalogue.pool_id.in_(pools)))
    before = {row.pool_id: row.found for row in known}
    now = datetime.now(UTC)
    kept = {id: dump_catalogue(found[id]) for id in sorted(pools)}
    changed = [id for id, match in kept.items() if match != before.get(id)]
    same = PoolCatalogue.pool_id.in_(kept.keys() - set(changed))
    session.execute(update(PoolCatalogue).where(same).values(at=now))
    acts: list[audit.Act] = []
    for id in changed:
        unusable = _unusable(found[id])
        values: dict[str, Any] = {"at": now, "unusable": len(unusable), "found": kept[id]}
        row = insert(PoolCatalogue).values(pool_id=id, **values)
        session.execute(row.on_conflict_do_update(index_elements=["pool_id"], set_=values))
        was = _unusable(load_catalogue(before[id])) if id in before else {}
        acts += _told(pools[id], was, unusable)
    audit.record(session, actor, acts)


def _unusable(match: CatalogueMatch) -> dict[str, str]:
    return {image.code: str(image.trouble) for image in match.images if image.unusable}


def _told(pool: Pool, was: Mapping[str, str], unusable: Mapping[str, str]) -> list[audit.Act]:
    worse = {code: why for code, why in sorted(unusable.items()) if was.get(code) != why}
    mended = sorted(was.keys() - unusable.keys())
    if not worse and not mended:
        return []
    first = dict(list(worse.items())[:_MOST_TOLD])
    if worse and pool.accepting:
        log.warning("catalogue.unmatched", pool=pool.code, images=first, count=len(unusable))
    details = {"unusable": len(unusable), "worse": first, "mended": mended[:_MOST_TOLD]}
    return [audit.Act("pool.match_catalogue", "pool", pool.id, pool.name, None, details)]
