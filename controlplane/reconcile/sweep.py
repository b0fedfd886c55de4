"""The sweep, which is the drift check: compare each pool, observed once, with its record, and look again at whatever
lost its job.

Differences are found by what `plan` acts on; the sweep itself touches nothing: looks repair.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from sqlalchemy import select, text, true
from sqlalchemy.orm import Session

from controlplane import jobs, lifecycle
from controlplane.actor import Actor, system
from controlplane.db import Sessions, transaction
from controlplane.models import Pool
from controlplane.reconcile import gateways, recording, room, tenancy
from controlplane.reconcile.compare import Comparison, Seen, compare, unknown
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.recording import Checked, Taken
from provisioners.contract import Machine, MachineDriver, Rejected, Unreachable

MAX_CLOSE_LOOKS = 200
"""Strangers that one check looks at more closely; the rest waits for the next."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to: looks asked for, new findings, and the codes of pools that could not be looked at."""

    looks: int = 0
    opened: int = 0
    passed_over: tuple[str, ...] = ()


def sweep(sessions: Sessions, drivers: Drivers, only: UUID | None = None, trace: str | None = None) -> Swept:
    """Record the drift of every pool (or of `only` one) and enqueue looks at what is to be repaired, at everything in
    transition that no job waits for, and at gateways. A pool that does not answer is passed over, and said so."""
    with transaction(sessions) as session:
        forgotten = _in_transition_without_job(session)
        jobs.enqueue(session, forgotten, trace)
        chosen = Pool.id == only if only else true()
        every = session.scalars(select(Pool).where(chosen).order_by(Pool.code)).all()
        pools = [pool for pool in every if pool.kind not in gateways.KINDS]
        for pool in every:
            if pool.kind in gateways.KINDS:
                jobs.enqueue_pool(session, pool.id, trace)
        check = _Check(sessions, drivers, system("worker", trace), recording.pools_with_findings(session))
    swept = Swept(looks=len(forgotten))
    done: list[Checked] = []
    for pool in pools:
        taken, checked = _guarded(check, pool)
        done.append(checked)
        swept = replace(swept, looks=swept.looks + taken.looks, opened=swept.opened + len(taken.opened) + taken.quotas)
        if checked.trouble:
            swept = replace(swept, passed_over=(*swept.passed_over, pool.code))
    with transaction(sessions) as session:
        recording.checked(session, done)
    return swept


@dataclass(frozen=True, slots=True)
class _Check:
    """What checking each pool needs. `with_findings`: the pools that had open ones when the sweep began."""

    sessions: Sessions
    drivers: Drivers
    actor: Actor
    with_findings: set[UUID]


def _guarded(check: _Check, pool: Pool) -> tuple[Taken, Checked]:
    try:
        return _check(check, pool)
    except (Unreachable, Rejected) as error:
        log.warning("pool passed over", pool=pool.code, reason=str(error))
        return Taken(), Checked(pool.id, trouble=str(error))
    except Exception as error:
        # A bug that shows with one pool must not leave all the others unlooked at.
        log.exception("pool passed over", pool=pool.code)
        trouble = f"an error in Steppe itself: {type(error).__name__}; the worker's log keeps the details"
        return Taken(), Checked(pool.id, trouble=trouble)


def _check(check: _Check, pool: Pool) -> tuple[Taken, Checked]:
    """The record is read first: what is made while the pool is observed is then unknown at worst, and that is looked
    up again before it is told."""
    with transaction(check.sessions) as session:
        recorded = recording.recorded(session, pool.id)
    driver = check.drivers.of(pool.id, pool.driver, pool.connection)
    comparison = compare(recorded, {machine.id: machine for machine in driver.discover()})
    checked = Checked(pool.id, len(comparison.present))
    room.follow(check.sessions, driver, pool, check.actor)
    taken = Taken(quotas=tenancy.check(check.sessions, driver, pool, check.actor.trace))
    if not comparison.seen and pool.id not in check.with_findings:
        return taken, checked
    if any(_needs_a_closer_look(seen) for seen in comparison.seen):
        with transaction(check.sessions) as session:
            strangers = recording.strangers(session, pool.id, filter(_needs_a_closer_look, comparison.seen))
        comparison = _looked_at_closely(driver, comparison, strangers)
    with transaction(check.sessions) as session:
        taken = replace(recording.take(session, check.actor, pool, comparison), quotas=taken.quotas)
    recording.alarm(pool, taken.opened)
    return taken, checked


def _needs_a_closer_look(seen: Seen) -> bool:
    """Tell whether it is a stranger whose disk the driver could not tell with all the others."""
    return seen.resource is None and not seen.differences["disk_gib"]["observed"]


def _looked_at_closely(driver: MachineDriver, comparison: Comparison, strangers: set[UUID]) -> Comparison:
    machines: dict[UUID, Machine | None] = {
        stranger: driver.inspect(stranger) for stranger in sorted(strangers)[:MAX_CLOSE_LOOKS]
    }
    left = [s for s in comparison.seen if s.resource or s.machine not in strangers]
    return replace(comparison, seen=(*left, *(unknown(machine) for machine in machines.values() if machine)))


def _in_transition_without_job(session: Session) -> Sequence[UUID]:
    asked = {"states": list(lifecycle.IN_TRANSITION), "batched": list(gateways.KINDS)}
    return session.scalars(_FORGOTTEN, asked).all()


_FORGOTTEN = text("""
    SELECT r.id FROM resources r
    WHERE r.state = ANY(:states) AND r.kind <> ALL(:batched) AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs j WHERE j.lock = r.id::text AND j.status IN ('todo', 'doing')
    )
""")
