"""One look at one resource. First run, retry, crash recovery, drift repair and the sweep all come through here.

No transaction is open while a driver works; what it did is saved only if nobody wanted something else meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from controlplane import audit, claims, findings, jobs, lifecycle
from controlplane.actor import Actor, system
from controlplane.db import Sessions, transaction
from controlplane.lifecycle import Event, State
from controlplane.models import Department, Drift, DriftOutcome, Pool, Resource
from controlplane.reconcile import gateways, tenancy
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.plan import Step, plan
from controlplane.reconcile.steps import apply
from provisioners.contract import MachineSpec, Rejected, Underway, Unreachable, load_machine
from quotas import ledger
from quotas.ledger import Demand

Outcome = Literal["settled", "gone", "faulted", "superseded", "underway", "nothing"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource as its record wants it at one generation. `spec` None: it is to be gone. `ghost`: it is recorded as
    deleted, and a machine of it was found that is to be removed. `kept`: it may have left snapshots."""

    id: UUID
    kind: str
    generation: int
    spec: MachineSpec | None
    pool: UUID
    driver: str
    connection: dict[str, Any]
    ghost: bool = False
    kept: bool = False


def reconcile(sessions: Sessions, drivers: Drivers, resource: UUID, trace: str | None = None) -> Outcome:
    """Make `resource` as it is wanted and say how that ended; where its kind is made so by the pool, have that be
    looked at.

    `underway`: the pool works on it by itself, and another look comes once it is done. Raises Unreachable where the
    pool cannot be talked to (try again later); any other exception is a bug of ours.
    """
    with transaction(sessions) as session:
        if _batched(session, resource, trace):
            return "underway"
        wanted = _load(session, resource)
    if wanted is None:
        return "nothing"
    actor = system("worker", trace)
    try:
        steps, left = _make_so(sessions, drivers, wanted)
    except Rejected as error:
        log.warning("rejected", resource=str(resource), code=error.code, detail=error.detail)
        with transaction(sessions) as session:
            return _save_fault(session, actor, wanted, error.code, error.detail)
    except Underway as error:
        if wanted.ghost:
            raise Unreachable(str(error)) from error
        with transaction(sessions) as session:
            return _save_underway(session, actor, wanted)
    with transaction(sessions) as session:
        if wanted.ghost:
            return _save_ghost(session, actor, wanted.id)
        return _save(session, actor, wanted, steps, left)


def put_off(sessions: Sessions, resource: UUID, reason: str, until: datetime) -> None:
    """Say on a resource why its pool could not be talked to and when that is tried again.

    It is no change of the resource: neither its version nor the time of its last change moves.
    """
    with transaction(sessions) as session:
        session.execute(
            update(Resource)
            .where(Resource.id == resource, Resource.deleted_at.is_(None))
            .values(waiting_reason=reason, next_try_at=until, updated_at=Resource.updated_at)
        )


def park(sessions: Sessions, resource: UUID, error: Exception, trace: str | None = None) -> None:
    """Mark a resource faulted by a bug of ours; the traceback stays with its job."""
    with transaction(sessions) as session:
        wanted = _load(session, resource)
        if wanted:
            detail = f"an error in Steppe itself: {type(error).__name__}; the failed job keeps the details"
            _save_fault(session, system("worker", trace), wanted, "internal", detail)


def _batched(session: Session, resource: UUID, trace: str | None) -> bool:
    """Have the pool of a resource be looked at where that is how its kind is made as it is wanted; tell whether."""
    carried = Resource.kind.in_(gateways.KINDS) & Resource.deleted_at.is_(None)
    pool = session.scalar(select(Resource.pool_id).where(Resource.id == resource, carried))
    if pool is not None:
        jobs.enqueue_pool(session, pool, trace)
    return pool is not None


def _load(session: Session, resource: UUID) -> Wanted | None:
    row = session.execute(
        select(Resource, Pool).join(Pool, Pool.id == Resource.pool_id).where(Resource.id == resource)
    ).one_or_none()
    if row is None:
        return None
    record, pool = row.Resource, row.Pool
    if record.deleted_at is not None:
        removing = session.scalar(_ghosts(record.id).with_only_columns(Drift.id).limit(1))
        return _wanted(record, pool, None, ghost=True) if removing else None
    if record.desired == "absent" and not _begin_removal(session, record):
        return None
    spec = load_machine(record.wanted) if record.desired == "present" else None
    return _wanted(record, pool, spec)


def _wanted(record: Resource, pool: Pool, spec: MachineSpec | None, *, ghost: bool = False) -> Wanted:
    return Wanted(
        *(record.id, record.kind, record.generation, spec, pool.id, pool.driver, pool.connection),
        ghost=ghost,
        kept=bool(record.wanted.get("shots")),
    )


def _begin_removal(session: Session, record: Resource) -> bool:
    """Note, before a driver is told, that a removal begins; tell whether it is still wanted. From here on it cannot be
    taken back: nobody could say what is left of it."""
    still = (Resource.id == record.id) & (Resource.generation == record.generation) & (Resource.desired == "absent")
    began = func.coalesce(Resource.removal_began_at, datetime.now(UTC))
    noted = update(Resource).where(still).values(removal_began_at=began, updated_at=Resource.updated_at)
    return bool(session.execute(noted.returning(Resource.id)).all())


def _ghosts(resource: UUID) -> Select[Drift]:
    """Select the open findings that a machine of a deleted record is to be removed from the pool that it lived in."""
    return (
        select(Drift)
        .join(Resource, (Resource.id == Drift.resource_id) & (Resource.pool_id == Drift.pool_id))
        .where(
            Drift.resource_id == resource,
            Drift.kind == "unknown",
            Drift.decision == "repair",
            Drift.closed_at.is_(None),
            Resource.deleted_at.is_not(None),
        )
    )


def _make_so(sessions: Sessions, drivers: Drivers, wanted: Wanted) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    driver = drivers.of(wanted.pool, wanted.driver, wanted.connection)
    observed = driver.observe([wanted.id]).get(wanted.id)
    if observed and observed.busy:
        raise Underway(f"{observed.name} is being worked on")
    steps = plan(wanted.spec, observed)
    if wanted.spec is None and observed is None and wanted.kept:
        # Snapshots outlive a machine that others have removed, and no look finds them.
        steps = ("delete",)
    if wanted.spec and "create" in steps:
        owners = {nic.own.department for nic in wanted.spec.nics if nic.own}
        for department in sorted({wanted.spec.department} | owners):
            tenancy.ensure(sessions, driver, wanted.pool, department)
    return steps, apply(driver, wanted.id, wanted.spec, steps)


def _current(session: Session, actor: Actor, wanted: Wanted) -> Resource | None:
    """Lock the record and return it if it still wants what was done; otherwise ask for another look."""
    record = session.scalar(
        select(Resource).where(Resource.id == wanted.id, Resource.deleted_at.is_(None)).with_for_update()
    )
    if record is not None and record.generation != wanted.generation:
        jobs.enqueue(session, [record.id], actor.trace)
        return None
    return record


def _save(session: Session, actor: Actor, wanted: Wanted, steps: Sequence[Step], left: Sequence[str] = ()) -> Outcome:
    record = _current(session, actor, wanted)
    if record is None:
        return "superseded"
    record.observed_at = datetime.now(UTC)
    record.fault_code = record.fault_detail = None
    record.waiting_reason = record.next_try_at = record.underway_since = None
    if wanted.spec is None:
        return _save_gone(session, actor, record, left)
    was: State = record.state
    event: Event = "settled_on" if wanted.spec.power == "on" else "settled_off"
    record.state = lifecycle.move(record.state, event)
    record.observed_generation = wanted.generation
    _note_snapshots(record)
    given_back: list[str] = []
    if was in lifecycle.IN_TRANSITION or was == "faulted":
        record.version += 1
        if was != "building":
            given_back = claims.release_floating(session, record.id, wanted.spec.floating_address)
            _settle(session, record)
    if steps or was in lifecycle.IN_TRANSITION:
        details: dict[str, Any] = {"steps": list(steps), "generation": wanted.generation}
        details |= {"addresses": given_back} if given_back else {}
        audit.record(session, actor, [_act(record, f"{record.kind}.{record.state}", details)])
    _close_findings(session, actor, record.id, acted=bool(steps))
    return "settled"


def _note_snapshots(record: Resource) -> None:
    """Note since when the snapshots of a machine are there which is as it is wanted: none is ever taken again."""
    kept = record.wanted.get("snapshots", ())
    if any(snapshot["taken"] is None for snapshot in kept):
        assert record.observed_at is not None  # noqa: S101 - the save that this is a part of has set it
        seen = {"taken": record.observed_at.isoformat()}
        record.wanted = {**record.wanted, "snapshots": [one if one["taken"] else {**one, **seen} for one in kept]}


def _save_underway(session: Session, actor: Actor, wanted: Wanted) -> Outcome:
    """Mark what the pool works on by itself. It is no change of the resource."""
    if _current(session, actor, wanted) is None:
        return "superseded"
    marked = {"underway_since": func.coalesce(Resource.underway_since, func.now()), "updated_at": Resource.updated_at}
    session.execute(
        update(Resource).where(Resource.id == wanted.id).values(**marked, waiting_reason=None, next_try_at=None)
    )
    jobs.enqueue_watch(session, wanted.pool, actor.trace)
    return "underway"


def _close_findings(session: Session, actor: Actor, resource: UUID, *, acted: bool) -> None:
    """End the findings about a resource that was just made as it is wanted. `acted`: it had to be made so."""
    open_ones = session.scalars(
        select(Drift)
        .where(Drift.resource_id == resource, Drift.kind != "unknown", Drift.closed_at.is_(None))
        .with_for_update()
    ).all()
    if open_ones:
        findings.close(session, actor, [(drift, _ended(drift, acted=acted)) for drift in open_ones])


def _ended(drift: Drift, *, acted: bool) -> DriftOutcome:
    return "repaired" if acted or drift.decision == "repair" else "vanished"


def _save_ghost(session: Session, actor: Actor, resource: UUID) -> Outcome:
    removed = session.scalars(_ghosts(resource).with_for_update(of=Drift)).all()
    findings.close(session, actor, [(drift, "removed") for drift in removed])
    return "gone"


def _save_gone(session: Session, actor: Actor, record: Resource, left: Sequence[str]) -> Outcome:
    addresses = claims.release(session, record.id)
    ledger.release(session, [record.id])
    record.state = lifecycle.move(record.state, "gone")
    record.deleted_at = record.observed_at
    record.observed_generation = record.generation
    record.version += 1
    details = {"addresses": addresses, "demand": record.demand, **({"disks_left": list(left)} if left else {})}
    _close_findings(session, actor, record.id, acted=False)
    audit.record(session, actor, [_act(record, f"{record.kind}.deleted", details)])
    return "gone"


def _settle(session: Session, record: Resource) -> None:
    """Give back what a finished change no longer needs."""
    lineage = session.scalar(select(Department.lineage).where(Department.id == record.department_id)) or []
    above = tuple(d for d in lineage if d != record.department_id)
    ledger.settle(session, [Demand(record.id, record.department_id, record.demand, above, record.pool_id)])


def _save_fault(session: Session, actor: Actor, wanted: Wanted, code: str, detail: str) -> Outcome:
    record = _current(session, actor, wanted)
    if record is None:
        return "superseded"
    record.state = lifecycle.move(record.state, "fault")
    record.fault_code, record.fault_detail = code, detail
    record.waiting_reason = record.next_try_at = record.underway_since = None
    record.version += 1
    act = _act(record, f"{record.kind}.faulted", {"code": code, "detail": detail}, outcome="failure")
    audit.record(session, actor, [act])
    return "faulted"


def _act(
    record: Resource, action: str, details: dict[str, Any], outcome: Literal["success", "failure"] = "success"
) -> audit.Act:
    return audit.Act(action, record.kind, record.id, record.name, record.department_id, details, outcome)
