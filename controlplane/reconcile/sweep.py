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
from controlplane.db import Sessions, is_lost, transaction
from controlplane.models import Pool
from controlplane.reconcile import catalogue, gateways, recording, room, tenancy
from controlplane.reconcile.compare import Comparison, Seen, compare, unknown
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.recording import Checked, Taken
from provisioners.contract import Machine, MachineDriver, Rejected, Unreachable

MAX_CLOSE_LOOKS = 200
"""Strangers that one check looks at more closely; the rest waits for the next."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to: looks asked for, new findings, and the codes of pools that could not be looked at as a
    whole."""

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
        with_findings, offered = recording.pools_with_findings(session), catalogue.offer(session)
        check = _Check(sessions, drivers, system("worker", trace), with_findings, offered)
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
        # What was just written keeps other checks of these pools away until the end of the transaction.
        catalogue.record(session, check.actor, {seen.pool: seen.match for seen in done if seen.match})
    return swept


@dataclass(frozen=True, slots=True)
class _Check:
    """What checking each pool needs. `with_findings`: the pools that had open ones when the sweep began; `offered`:
    what the catalogue offered then."""

    sessions: Sessions
    drivers: Drivers
    actor: Actor
    with_findings: set[UUID]
    offered: catalogue.Offer


def _guarded(check: _Check, pool: Pool) -> tuple[Taken, Checked]:
    try:
        return _check(check, pool)
    except Exception as error:
        return Taken(), Checked(pool.id, trouble=_trouble(pool, error))


def _trouble(pool: Pool, error: Exception) -> str:
    """Return why a pool, or a part of what it has, could not be looked at, and say it in the log.

    A bug that shows with one pool must not leave all the others unlooked at. Raises what the database's absence raised:
    that is no pool's trouble.
    """
    if is_lost(error):
        raise error
    if isinstance(error, Unreachable | Rejected):
        log.warning("pool passed over", pool=pool.code, reason=str(error))
        return str(error)
    log.exception("pool passed over", pool=pool.code)
    return f"an error in Steppe itself: {type(error).__name__}; the worker's log keeps the details"


def _check(check: _Check, pool: Pool) -> tuple[Taken, Checked]:
    """Its machines come first: trouble with its limits must not keep drift of machines from being found."""
    driver = check.drivers.of(pool.id, pool.driver, pool.connection)
    taken, present = _check_machines(check, pool, driver)
    quotas, match, troubles = 0, None, []
    try:
        room.follow(check.sessions, driver, pool, check.actor)
    except Exception as error:
        troubles.append(_trouble(pool, error))
    try:
        quotas = tenancy.check(check.sessions, driver, pool, check.actor.trace)
    except Exception as error:
        troubles.append(_trouble(pool, error))
    try:
        match = catalogue.match(driver, check.offered)
    except Exception as error:
        troubles.append(_trouble(pool, error))
    return replace(taken, quotas=quotas), Checked(pool.id, present, "; ".join(dict.fromkeys(troubles)) or None, match)


def _check_machines(check: _Check, pool: Pool, driver: MachineDriver) -> tuple[Taken, int]:
    """Return what came of it, and how many machines there are. The record is read first: what is made while the pool is
    observed is then unknown at worst, and that is looked up again before it is told."""
    with transaction(check.sessions) as session:
        recorded = recording.recorded(session, pool.id)
    comparison = compare(recorded, {machine.id: machine for machine in driver.discover()})
    present = len(comparison.present)
    if not comparison.seen and pool.id not in check.with_findings:
        return Taken(), present
    if any(_needs_a_closer_look(seen) for seen in comparison.seen):
        with transaction(check.sessions) as session:
            strangers = recording.strangers(session, pool.id, filter(_needs_a_closer_look, comparison.seen))
        comparison = _looked_at_closely(driver, comparison, strangers)
    with transaction(check.sessions) as session:
        taken = recording.take(session, check.actor, pool, comparison)
    recording.alarm(pool, taken.opened)
    return taken, present


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
