"""Departments in pools that know tenants: a project for each that has machines there, with the ledger's limits.

The ledger decides; the cloud's own quota is a second fence, for whoever goes past Steppe. So it follows each change of
a limit, and where somebody changed it over there, that is drift.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from controlplane import audit, findings
from controlplane.actor import Actor, system
from controlplane.db import Sessions, transaction
from controlplane.models import Department, Drift, DriftOutcome, Pool, Project
from controlplane.reconcile.drivers import Drivers
from provisioners.contract import MachineDriver, Missing, Tenant, TenantDriver

Limits = dict[str, int | None]
Differences = dict[str, Any]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A department as its project in a pool, by the pool's own `id`, is to be. `gone`: it was closed."""

    department: UUID
    code: str
    id: str
    limits: Limits
    written: Limits
    gone: bool


def ensure(sessions: Sessions, driver: MachineDriver, pool: UUID, department: str) -> None:
    """Before the first machine of a department is made: see to its project, with the limits that hold now.

    May raise Unreachable, Rejected.
    """
    if not isinstance(driver, TenantDriver):
        return
    with transaction(sessions) as session:
        row = session.execute(_DEPARTMENTS, {"pool": pool, "below": [], "code": department}).one()
    limits = _of(row.tightest, driver.limited())
    if row.limits != limits:
        _write(sessions, pool, row.id, driver.set_tenant(department, limits))


def follow(sessions: Sessions, drivers: Drivers, department: UUID) -> int:
    """Let the quota of a department, and of all below it, be what its limits say now, wherever it has a project; return
    how many were written. May raise Unreachable, Rejected."""
    with transaction(sessions) as session:
        below = Department.lineage.contains([department])
        of = select(Pool).join(Project).join(Department).where(below).distinct().order_by(Pool.code)
        pools = session.scalars(of).all()
    return sum(len(_follow(sessions, drivers, pool, department)) for pool in pools)


def check(sessions: Sessions, driver: MachineDriver, pool: Pool, trace: str | None = None) -> int:
    """Compare the quota of every project of a pool with the ledger's limits, once; return how many findings are new.

    Where the pool repairs, or somebody said so, the quota is written again. May raise Unreachable, Rejected.
    """
    if not isinstance(driver, TenantDriver):
        return 0
    with transaction(sessions) as session:
        wanted = _wanted(session, pool.id, driver.limited())
        repairs = session.scalar(select(Pool.drift_policy).where(Pool.id == pool.id)) == "repair"
        said = set(session.scalars(_open(pool.id).with_only_columns(Drift.name).where(Drift.decision == "repair")))
    if not wanted:
        return 0
    found = driver.tenants([w.code for w in wanted])
    differing = [(w, _differences(w, found.get(w.code))) for w in wanted if not w.gone]
    differing = [(w, differences) for w, differences in differing if differences]
    mended = {w.code for w, _ in differing if repairs or w.code in said}
    for w, _ in differing:
        if w.code in mended:
            _write(sessions, pool.id, w.department, driver.set_tenant(w.code, w.limits))
    with transaction(sessions) as session:
        return _record(session, system("worker", trace), pool, differing, mended)


def _follow(sessions: Sessions, drivers: Drivers, pool: Pool, department: UUID) -> list[str]:
    driver = drivers.of(pool.id, pool.driver, pool.connection)
    if not isinstance(driver, TenantDriver):
        return []
    with transaction(sessions) as session:
        wanted = _wanted(session, pool.id, driver.limited(), below=department)
    done = []
    for w in wanted:
        if w.gone:
            _remove(sessions, driver, pool.id, w)
        elif w.limits != w.written:
            _write(sessions, pool.id, w.department, driver.set_tenant(w.code, w.limits))
        else:
            continue
        done.append(w.code)
    return done


def _remove(sessions: Sessions, driver: TenantDriver, pool: UUID, wanted: _Wanted) -> None:
    try:
        driver.remove_tenant(wanted.code)
    except Missing:
        log.info("gone already", department=wanted.code)
    with transaction(sessions) as session:
        session.execute(delete(Project).where(Project.pool_id == pool, Project.department_id == wanted.department))


def _write(sessions: Sessions, pool: UUID, department: UUID, tenant: Tenant) -> None:
    values = {"external_id": tenant.id, "limits": tenant.limits, "written_at": datetime.now(UTC)}
    row = insert(Project).values(pool_id=pool, department_id=department, **values)
    with transaction(sessions) as session:
        session.execute(row.on_conflict_do_update(index_elements=["pool_id", "department_id"], set_=values))


def _wanted(session: Session, pool: UUID, classes: Iterable[str], below: UUID | None = None) -> list[_Wanted]:
    rows = session.execute(_DEPARTMENTS, {"pool": pool, "below": [below] if below else [], "code": None})
    return [_Wanted(r.id, r.code, r.external_id, _of(r.tightest, classes), r.limits, r.gone) for r in rows]


def _of(tightest: Mapping[str, int] | None, classes: Iterable[str]) -> Limits:
    return {name: (tightest or {}).get(name) for name in classes}


def _differences(wanted: _Wanted, found: Tenant | None) -> Differences:
    if found is None:
        return {"existence": {"wanted": "present", "observed": "absent"}}
    return {
        name: {"wanted": limit, "observed": found.limits.get(name)}
        for name, limit in wanted.limits.items()
        if found.limits.get(name) != limit
    }


def _open(pool: UUID) -> Any:
    return select(Drift).where(Drift.pool_id == pool, Drift.kind == "quota", Drift.closed_at.is_(None))


def _record(
    session: Session, actor: Actor, pool: Pool, differing: Sequence[tuple[_Wanted, Differences]], mended: set[str]
) -> int:
    now = datetime.now(UTC)
    loaded = joinedload(Drift.pool), joinedload(Drift.resource)
    known = {d.name: d for d in session.scalars(_open(pool.id).options(*loaded).with_for_update(of=Drift))}
    opened = []
    for wanted, differences in differing:
        drift = known.get(wanted.code)
        if drift is None:
            drift = Drift(pool_id=pool.id, external_id=UUID(wanted.id), name=wanted.code, kind="quota", first_seen=now)
            session.add(drift)
            opened.append(drift)
        drift.last_seen, drift.differences = now, differences
    session.flush()
    audit.record(session, actor, [findings.act(drift, "drifted") for drift in opened])
    for drift in opened:
        log.warning("drift.found", pool=pool.code, kind="quota", name=drift.name, differences=drift.differences)
    differ = {wanted.code for wanted, _ in differing}
    endings: list[tuple[Drift, DriftOutcome]] = [
        (drift, "repaired" if drift.name in mended else "vanished")
        for drift in [*known.values(), *opened]
        if drift.name in mended or drift.name not in differ
    ]
    findings.close(session, actor, endings)
    return len(opened)


# With each department the tightest limit of it and of those above, by class. Without a code: all that have a project.
_DEPARTMENTS = text("""
    SELECT d.id, d.code, p.external_id, p.limits, d.deleted_at IS NOT NULL AS gone,
           (SELECT jsonb_object_agg(t.resource_class, t.least) FROM (
               SELECT a.resource_class, min(a."limit") AS least FROM ledger_accounts a
               WHERE a.owner = ANY(d.lineage) AND a."limit" IS NOT NULL GROUP BY a.resource_class
           ) t) AS tightest
    FROM departments d LEFT JOIN projects p ON p.department_id = d.id AND p.pool_id = :pool
    WHERE d.lineage @> CAST(:below AS uuid[]) AND (d.code = :code OR CAST(:code AS text) IS NULL AND p.pool_id = :pool)
    ORDER BY d.code
""")
