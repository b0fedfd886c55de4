"""What a check of a pool leaves in the record: findings that open, last, and end; alarms; looks that repair.

All of it in one short transaction after the pool was observed. Whatever moved since is passed over: a resource that is
locked, waits for a job or is at another generation is being worked on, which is no drift.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Integer, case, cast, func, literal_column, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from controlplane import audit, findings, jobs, lifecycle
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.models import Drift, DriftOutcome, Pool, PoolCheck, Resource
from controlplane.reconcile.compare import Comparison, Recorded, Seen
from provisioners.contract import CatalogueMatch

_AT_ONCE = 1000
MISSING_AT_ONCE = 5
MISSING_SHARE = 0.2
"""More missing machines of one pool than both are not repaired unasked."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a check came to: how many looks it asked for, and the findings that are new; `quotas` counts those that are
    about projects."""

    looks: int = 0
    opened: tuple[Drift, ...] = ()
    quotas: int = 0


def recorded(session: Session, pool: UUID) -> list[Recorded]:
    """Return every live resource of a pool as `compare` wants it."""
    # Keys and user data are large, secret, and nothing that could differ.
    wanted = Resource.wanted.op("-")(text("ARRAY['user_data', 'ssh_keys', 'nics']"))
    rows = session.execute(
        select(Resource.id, Resource.name, Resource.generation, Resource.state, wanted).where(
            Resource.pool_id == pool, Resource.deleted_at.is_(None)
        )
    )
    return [_recorded(*row) for row in rows]


def _recorded(resource: UUID, name: str, generation: int, state: str, wanted: Mapping[str, Any]) -> Recorded:
    return Recorded(
        id=resource,
        name=name,
        generation=generation,
        settled=state in lifecycle.SETTLED,
        power=wanted["power"],
        vcpu=wanted["vcpu"],
        memory_mib=wanted["memory_mib"],
        disk_gib=wanted["disk_gib"],
        boots=wanted["boots"],
        builds=wanted["builds"],
        adopted=wanted.get("adopted", False),
        # A record that is older than data disks says nothing of them, nor of floating addresses or snapshots.
        data_disks=tuple(wanted.get("data_disks", ())),
        floating_address=(wanted.get("floating") or {}).get("address"),
        snapshot_numbers=tuple(sorted(snapshot["number"] for snapshot in wanted.get("snapshots", ()))),
    )


def strangers(session: Session, pool: UUID, seen: Iterable[Seen]) -> set[UUID]:
    """Return those unknown machines that have no record and no open finding yet: a closer look at them is due."""
    unknown = {s.machine for s in seen if s.kind == "unknown"}
    if not unknown:
        return set()
    known = session.scalars(select(Resource.id).where(Resource.id.in_(unknown)))
    found = session.scalars(
        select(Drift.external_id).where(
            Drift.pool_id == pool, Drift.external_id.in_(unknown), Drift.kind == "unknown", Drift.closed_at.is_(None)
        )
    )
    return unknown - set(known) - set(found)


def take(session: Session, actor: Actor, pool: Pool, comparison: Comparison) -> Taken:
    """Write down what a comparison has shown and ask for the looks that repair. Say the alarms once it is committed."""
    # Read anew: somebody may have changed it while the pool was observed.
    repairs = session.scalar(select(Pool.drift_policy).where(Pool.id == pool.id)) == "repair"
    unmoved = _unmoved(session, comparison.seen)
    # Only now: another check of this pool that ended meanwhile has left its looks.
    machines = [str(s.machine) for s in comparison.seen]
    waited_for = {UUID(lock) for lock in session.scalars(_WAITED_FOR, {"machines": machines, "pool": pool.id})}
    still = [(s, True) for s in unmoved if s.machine not in waited_for]
    still += _without_record(session, pool.id, [s for s in comparison.seen if not s.resource])
    spared = _too_many_missing(pool, comparison)
    decided = ((s, repairs and ours and not (spared and s.kind == "missing")) for s, ours in still)
    lasting, fresh = _write(session, [_row(actor, pool.id, s, repair=repair) for s, repair in decided])
    opened = tuple(drift for drift in lasting if drift.id in fresh)
    audit.record(session, actor, [findings.act(drift, "drifted") for drift in opened])
    findings.close(session, actor, _endings(session, pool.id, comparison, lasting, waited_for))
    looks = [d.resource_id for d in lasting if d.decision == "repair" and d.resource_id not in waited_for]
    jobs.enqueue(session, [resource for resource in looks if resource], actor.trace)
    return Taken(len(looks), opened)


def _too_many_missing(pool: Pool, comparison: Comparison) -> bool:
    """Tell whether so many are missing at once that a lost storage is likelier than lost machines: to build them anew
    would give each an empty disk, so that is left to a person."""
    missing = sum(s.kind == "missing" for s in comparison.seen)
    many = missing > max(MISSING_AT_ONCE, MISSING_SHARE * (len(comparison.seen) + len(comparison.agreeing)))
    if many:
        log.error("drift.many_missing", pool=pool.code, missing=missing, left_to="a person: see the page Drift")
    return many


def pools_with_findings(session: Session) -> set[UUID]:
    """Return the pools that have an open finding: one that has none and is as recorded needs nothing written."""
    return set(session.scalars(select(Drift.pool_id).where(Drift.closed_at.is_(None)).distinct()))


@dataclass(frozen=True, slots=True)
class Checked:
    """How looking at a pool went: how many machines there are, how the catalogue matches it where that was told, or why
    it could not be looked at."""

    pool: UUID
    machines: int = 0
    trouble: str | None = None
    match: CatalogueMatch | None = None


def checked(session: Session, pools: Sequence[Checked]) -> None:
    """Write down that pools were looked at. One that was removed meanwhile is passed over."""
    now = datetime.now(UTC)
    there = set(session.scalars(select(Pool.id).where(Pool.id.in_([c.pool for c in pools]))))
    rows = [
        {"pool_id": c.pool, "at": now, "machines": c.machines, "trouble": c.trouble} for c in pools if c.pool in there
    ]
    if rows:
        statement = insert(PoolCheck).values(sorted(rows, key=lambda row: row["pool_id"]))
        changed = {name: statement.excluded[name] for name in ("at", "machines", "trouble")}
        session.execute(statement.on_conflict_do_update(index_elements=["pool_id"], set_=changed))


def alarm(pool: Pool, opened: Iterable[Drift]) -> None:
    """Say each new finding in the log, once: its event name is what a centre's monitoring looks for."""
    for drift in opened:
        log.warning(
            "drift.found",
            drift=str(drift.id),
            pool=pool.code,
            kind=drift.kind,
            machine=str(drift.external_id),
            name=drift.name,
            department=str(drift.resource.department_id) if drift.resource else None,
            differences=drift.differences,
        )


def _unmoved(session: Session, seen: Sequence[Seen]) -> list[Seen]:
    """Return what is seen of resources that nobody changed since. The records are locked until the transaction ends."""
    known = [s for s in seen if s.resource]
    rows = session.execute(
        select(Resource.id, Resource.generation)
        .where(
            Resource.id.in_([s.resource for s in known]),
            Resource.state.in_(lifecycle.SETTLED),
            Resource.deleted_at.is_(None),
        )
        .order_by(Resource.id)
        .with_for_update(skip_locked=True)
    )
    at = {row[0]: row[1] for row in rows}
    return [s for s in known if at.get(s.machine) == s.generation]


def _without_record(session: Session, pool: UUID, seen: Sequence[Seen]) -> Iterator[tuple[Seen, bool]]:
    """Yield machines without a live record in the pool, each with whether a look can repair it: one whose record says
    it is deleted is ours to remove; one that lives elsewhere, or that nobody knows, is not."""
    statement = select(Resource.id, Resource.pool_id, Resource.deleted_at)
    rows = session.execute(statement.where(Resource.id.in_([s.machine for s in seen]))) if seen else ()
    records = {row[0]: (row[1], row[2]) for row in rows}
    for s in seen:
        home, deleted_at = records.get(s.machine, (None, None))
        if home is None:
            yield s, False
        elif deleted_at is not None or home != pool:
            yield replace(s, resource=s.machine), deleted_at is not None and home == pool


def _row(actor: Actor, pool: UUID, seen: Seen, *, repair: bool) -> dict[str, Any]:
    now = datetime.now(UTC)
    decided = {
        "decision": "repair" if repair else None,
        "decided_at": now if repair else None,
        "decided_by": actor.id if repair else None,
        "decided_by_name": actor.name if repair else None,
    }
    return {
        "id": new_id(),
        "version": 1,
        "pool_id": pool,
        "resource_id": seen.resource,
        "external_id": seen.machine,
        "name": seen.name,
        "kind": seen.kind,
        "generation": seen.generation,
        "differences": seen.differences,
        "first_seen": now,
        "last_seen": now,
        **decided,
    }


def _write(session: Session, rows: list[dict[str, Any]]) -> tuple[list[Drift], set[UUID]]:
    """Open findings or keep them open; return all of them, and the ids of the new ones."""
    found: set[UUID] = set()
    fresh: set[UUID] = set()
    # In one order everywhere: two checks of one pool at a time must not wait for each other.
    rows.sort(key=lambda row: row["external_id"])
    for start in range(0, len(rows), _AT_ONCE):
        for drift, is_new in session.execute(_upsert(rows[start : start + _AT_ONCE])):
            found.add(drift)
            fresh |= {drift} if is_new else set()
    parts = joinedload(Drift.resource), joinedload(Drift.pool)
    statement = select(Drift).where(Drift.id.in_(found)).options(*parts).order_by(Drift.id)
    return (list(session.scalars(statement)), fresh) if found else ([], fresh)


def _upsert(rows: Sequence[dict[str, Any]]) -> Any:
    statement = insert(Drift).values(rows)
    new, old = statement.excluded, Drift.__table__.c
    # How large a stranger's disk is was found out once, at its first sight; its data disks too, where a driver does not
    # tell them at every look.
    merged = old.differences.op("||")(new.differences.op("-")("disk_gib"))
    differences = case((old.kind == "unknown", merged), else_=new.differences)
    changed = {
        "last_seen": new.last_seen,
        "resource_id": new.resource_id,
        "generation": new.generation,
        "differences": differences,
        "version": old.version + cast(old.differences.is_distinct_from(differences), Integer),
        **{name: func.coalesce(old[name], new[name]) for name in ("decision", "decided_at")},
        **{name: func.coalesce(old[name], new[name]) for name in ("decided_by", "decided_by_name")},
    }
    return statement.on_conflict_do_update(
        index_elements=["pool_id", "external_id", "kind"],
        index_where=old.closed_at.is_(None),
        set_=changed,
    ).returning(old.id, literal_column("xmax = 0"))


def _endings(
    session: Session, pool: UUID, comparison: Comparison, lasting: Sequence[Drift], waited_for: set[UUID]
) -> list[tuple[Drift, DriftOutcome]]:
    """Return the open findings of a pool that are no more, each with how it ended."""
    others = session.scalars(
        select(Drift)
        .where(
            Drift.pool_id == pool,
            Drift.kind != "quota",
            Drift.closed_at.is_(None),
            Drift.id.not_in([d.id for d in lasting]),
        )
        .options(joinedload(Drift.resource), joinedload(Drift.pool))
        .order_by(Drift.id)
        .with_for_update(of=Drift)
    )
    otherwise = {drift.external_id for drift in lasting}
    endings = []
    for drift in others:
        if drift.kind == "unknown" and drift.external_id not in comparison.present:
            endings.append((drift, _ended(drift, "removed")))
        elif drift.kind != "unknown" and drift.external_id in otherwise:
            endings.append((drift, _ended(drift, "vanished")))
        elif drift.kind != "unknown" and drift.external_id not in waited_for and _agrees(drift, comparison):
            endings.append((drift, _ended(drift, "repaired")))
    return endings


def _ended(drift: Drift, done: DriftOutcome) -> DriftOutcome:
    return done if drift.decision == "repair" else "vanished"


def _agrees(drift: Drift, comparison: Comparison) -> bool:
    record = drift.resource
    return (
        record is not None
        and record.state in lifecycle.SETTLED
        and comparison.agreeing.get(record.id) == record.generation
    )


_WAITED_FOR = text("""
    SELECT lock FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND (lock = ANY(:machines) OR lock IN (
        SELECT d.resource_id::text FROM drifts d WHERE d.pool_id = :pool AND d.closed_at IS NULL
    ))
""")
