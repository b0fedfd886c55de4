"""The sweep: find what a look should be taken at and nobody asked for, with one observation a pool.

Steps to take are found by the same `plan` that a look uses; the sweep itself touches nothing.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from controlplane import jobs, lifecycle
from controlplane.db import Sessions, transaction
from controlplane.models import Pool, Resource
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.plan import plan
from provisioners.contract import MachineSpec, Rejected, Unreachable, load_machine

log = structlog.get_logger(__name__)


def sweep(sessions: Sessions, drivers: Drivers) -> int:
    """Enqueue a look at everything in transition or not as wanted that no job waits for.

    Return how many. A pool that does not answer is passed over, and said so in the log.
    """
    with transaction(sessions) as session:
        forgotten = _in_transition_without_job(session)
        jobs.enqueue(session, forgotten)
        pools = session.scalars(select(Pool).order_by(Pool.code)).all()
    found = len(forgotten)
    for pool in pools:
        try:
            found += _sweep_pool(sessions, drivers, pool)
        except (Unreachable, Rejected) as error:
            log.warning("pool passed over", pool=pool.code, reason=str(error))
        except Exception:
            # A bug that shows with one pool must not leave all the others unlooked at.
            log.exception("pool passed over", pool=pool.code)
    return found


def _sweep_pool(sessions: Sessions, drivers: Drivers, pool: Pool) -> int:
    with transaction(sessions) as session:
        wanted = _settled(session, pool)
    if not wanted:
        return 0
    observed = drivers.of(pool.id, pool.driver, pool.connection).observe([spec.id for spec in wanted])
    differing = [spec.id for spec in wanted if plan(spec, observed.get(spec.id))]
    with transaction(sessions) as session:
        waited_for = set(session.scalars(_WAITED_FOR, {"resources": [str(resource) for resource in differing]}))
        forgotten = [resource for resource in differing if str(resource) not in waited_for]
        jobs.enqueue(session, forgotten)
    return len(forgotten)


def _settled(session: Session, pool: Pool) -> list[MachineSpec]:
    rows = session.scalars(
        select(Resource.wanted).where(
            Resource.pool_id == pool.id,
            Resource.state.in_(lifecycle.SETTLED),
            Resource.deleted_at.is_(None),
        )
    )
    return [load_machine(row) for row in rows]


def _in_transition_without_job(session: Session) -> Sequence[UUID]:
    return session.scalars(_FORGOTTEN, {"states": list(lifecycle.IN_TRANSITION)}).all()


_FORGOTTEN = text("""
    SELECT r.id FROM resources r
    WHERE r.state = ANY(:states) AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs j WHERE j.lock = r.id::text AND j.status IN ('todo', 'doing')
    )
""")

_WAITED_FOR = text("""
    SELECT lock FROM procrastinate_jobs WHERE lock = ANY(:resources) AND status IN ('todo', 'doing')
""")
