"""Watching what a pool works on by itself: one call for all of it, and a look at each once it is done.

No worker ever waits for a machine. What was ordered is marked; as long as anything is, its pool is asked every second.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from controlplane import jobs
from controlplane.db import Sessions, transaction
from controlplane.models import Pool, Resource
from controlplane.reconcile.drivers import Drivers

EVERY_SECONDS = 1.0
ROUNDS = 5
"""After so many a watch is another job: a worker that is told to stop need not wait long."""
_AT_ONCE = 2000


def watch(sessions: Sessions, drivers: Drivers, pool: UUID, trace: str | None = None) -> bool:
    """Ask a pool once about all that it works on, and have those looked at that it is done with; tell whether any is
    left. May raise Unreachable, Rejected."""
    with transaction(sessions) as session:
        of = session.get(Pool, pool)
        marked = session.scalars(_marked(pool)).all() if of else ()
    if of is None or not marked:
        return False
    observed = drivers.of(of.id, of.driver, of.connection).observe(marked)
    done = [resource for resource in marked if resource not in observed or not observed[resource].busy]
    if done:
        with transaction(sessions) as session:
            _look_at(session, done, trace)
    return len(done) < len(marked)


def _marked(pool: UUID) -> Select[UUID]:
    marked = (Resource.pool_id == pool) & Resource.underway_since.is_not(None)
    return select(Resource.id).where(marked).order_by(Resource.id).limit(_AT_ONCE)


def _look_at(session: Session, done: Sequence[UUID], trace: str | None) -> None:
    still = Resource.id.in_(done) & Resource.underway_since.is_not(None)
    cleared = update(Resource).where(still).values(underway_since=None, updated_at=Resource.updated_at)
    jobs.enqueue(session, session.scalars(cleared.returning(Resource.id)).all(), trace)
