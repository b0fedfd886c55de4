"""How the catalogue and a pool match, as the last sweep found it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.models import Flavor, Image, Pool, PoolCatalogue
from controlplane.policy import authorize
from provisioners.contract import FlavorMatch, ImageMatch, load_catalogue


@dataclass(frozen=True, slots=True)
class ImageLine:
    """An image that was offered. `name` and `source` are the catalogue's now: None where it is no more in it."""

    name: str | None
    source: str | None
    match: ImageMatch


@dataclass(frozen=True, slots=True)
class FlavorLine:
    """A size that was offered. `name` is the catalogue's now: None where it is no more in it."""

    name: str | None
    match: FlavorMatch


@dataclass(frozen=True, slots=True)
class PoolCatalogueReport:
    """The report on a pool. `checked_at` is None where no sweep has looked yet, or where its driver does not tell.

    `others`: names of images in the pool that no offered image stands for, the first of `others_count`.
    """

    pool: Pool
    checked_at: datetime | None = None
    unusable: int = 0
    images: Sequence[ImageLine] = ()
    flavors: Sequence[FlavorLine] = ()
    others: Sequence[str] = ()
    others_count: int = 0


def of_pool(session: Session, actor: Actor, ref: str | UUID) -> PoolCatalogueReport:
    """Return the report on a pool. Raises Forbidden, NotFound."""
    pool = lookups.pool_for(session, actor, ref)
    kept = session.get(PoolCatalogue, pool.id)
    if kept is None:
        return PoolCatalogueReport(pool)
    found = load_catalogue(kept.found)
    images = {i.code: i for i in session.scalars(select(Image).where(Image.code.in_([m.code for m in found.images])))}
    sizes = {f.code: f for f in session.scalars(select(Flavor).where(Flavor.code.in_([m.code for m in found.flavors])))}
    return PoolCatalogueReport(
        pool,
        kept.at,
        kept.unusable,
        [_image(match, images.get(match.code)) for match in found.images],
        [FlavorLine(sizes[m.code].name if m.code in sizes else None, m) for m in found.flavors],
        found.others,
        found.others_count,
    )


def unusable(session: Session, actor: Actor, pools: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how many offered images pools have no machine's use of, by their ids, where there are any."""
    authorize(actor, "pool.read")
    statement = select(PoolCatalogue.pool_id, PoolCatalogue.unusable)
    rows = session.execute(statement.where(PoolCatalogue.pool_id.in_(pools), PoolCatalogue.unusable > 0))
    return {row[0]: row[1] for row in rows}


def _image(match: ImageMatch, image: Image | None) -> ImageLine:
    return ImageLine(image.name, image.source, match) if image else ImageLine(None, None, match)
