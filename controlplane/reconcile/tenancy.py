"""Departments in pools that know tenants: a project for each that has machines there, with the ledger's limits.

The ledger decides; the cloud's own quota is a second fence, for whoever goes past Steppe. So it follows each change of
a limit, and where somebody changed it over there, that is drift. What a department lets in to its machines goes the
same way; of that the cloud is the only fence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from controlplane.actor import Actor, system
from controlplane.db import Sessions, transaction
from controlplane.models import Department, Pool, Project
from controlplane.reconcile import own_networks, quota_findings
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.quota_findings import Dealt, Differences
from controlplane.tree import lock_tree
from provisioners.contract import (
    Astray,
    Ingress,
    MachineDriver,
    Missing,
    Rejected,
    Tenant,
    TenantDriver,
    Unreachable,
)

Limits = dict[str, int | None]

_WRITES = 5
"""Of one project in a row, while its limits go on changing."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a project is given: limits by resource class, and what is let in to its machines."""

    limits: Limits
    ingress: frozenset[Ingress]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A department as its project in a pool, by the pool's own `id`, is to be, and as it was `written` last; both are
    empty where it has none yet, and so is the id. `gone`: it was closed."""

    department: UUID
    code: str
    id: str
    asked: _Terms
    written: _Terms
    gone: bool


def ensure(sessions: Sessions, driver: MachineDriver, pool: UUID, department: str) -> None:
    """Before the first machine of a department, or on a network of its own, is made: see to its project, with the
    limits that hold now.

    May raise Unreachable, Rejected.
    """
    if not isinstance(driver, TenantDriver):
        return
    classes = driver.limited()
    with transaction(sessions) as session:
        [wanted] = _wanted(session, pool, classes, code=department)
    if not wanted.id or wanted.asked != wanted.written:
        _give(sessions, driver, pool, wanted)


def follow(sessions: Sessions, drivers: Drivers, department: UUID, trace: str | None = None) -> int:
    """Let the quota of a department, and of all below it, be what its limits say now, wherever it has a project, and
    remove the project of one that was closed; return how many were written or removed.

    What a pool refuses becomes a finding, and the sweep tries again. Raises Unreachable once all pools were dealt with.
    """
    with transaction(sessions) as session:
        below = Department.lineage.contains([department])
        of = select(Pool).join(Project).join(Department).where(below).distinct().order_by(Pool.code)
        pools = session.scalars(of).all()
    done, away = 0, None
    for pool in pools:
        try:
            done += _follow(sessions, drivers, pool, department, system("worker", trace))
        except Unreachable as error:
            away = error
        except Rejected as refusal:
            # The connection itself: what the sweep says of the pool.
            log.warning("limits not followed", pool=pool.code, reason=str(refusal))
    if away:
        raise away
    return done


def check(sessions: Sessions, driver: MachineDriver, pool: Pool, trace: str | None = None) -> int:
    """Compare the quota of every project of a pool with the ledger's limits, once; return how many findings are new.

    Where the pool repairs, or somebody said so, the quota is written again. The project of a closed department is
    removed, and so is a network of a department whose subnet was removed, whatever the pool's policy: that was the
    order. May raise Unreachable, Rejected.
    """
    if not isinstance(driver, TenantDriver):
        return 0
    classes = driver.limited()
    with transaction(sessions) as session:
        wanted = _wanted(session, pool.id, classes)
        repairs = session.scalar(select(Pool.drift_policy).where(Pool.id == pool.id)) == "repair"
        said = quota_findings.to_repair(session, pool.id)
    live = [w.code for w in wanted if not w.gone]
    found = driver.tenants(live) if live else {}
    astray = driver.astray({w.code: w.asked.ingress for w in wanted if w.code in found}) if found else {}
    cleared = own_networks.clear(sessions, driver, list(found))
    dealt: list[Dealt] = []
    try:
        for w in wanted:
            differences = _differences(w, found.get(w.code), astray.get(w.code, Astray()))
            mend = bool(differences) and (w.gone or repairs or w.code in said)
            seen = Dealt(w.code, w.id, differences)
            dealt.append(_dealt_with(sessions, driver, pool.id, w, differences) if mend else seen)
    finally:
        dealt = _worth_a_finding(_with_networks(dealt, cleared.refused))
        with transaction(sessions) as session:
            opened = quota_findings.record(session, system("worker", trace), pool, dealt)
    return opened


def _follow(sessions: Sessions, drivers: Drivers, pool: Pool, department: UUID, actor: Actor) -> int:
    driver = drivers.of(pool.id, pool.driver, pool.connection)
    if not isinstance(driver, TenantDriver):
        return 0
    classes = driver.limited()
    with transaction(sessions) as session:
        wanted = _wanted(session, pool.id, classes, below=department)
    dealt: list[Dealt] = []
    removed = 0
    try:
        for w in wanted:
            was, now = w.written.ingress, w.asked.ingress
            differences = _differences(w, Tenant(w.id, w.written.limits), Astray(now - was, was - now))
            dealt.append(
                _dealt_with(sessions, driver, pool.id, w, differences) if differences else Dealt(w.code, w.id, {})
            )
        cleared = own_networks.clear(sessions, driver, [w.code for w in wanted if not w.gone])
        dealt, removed = _with_networks(dealt, cleared.refused), cleared.removed
    finally:
        with transaction(sessions) as session:
            quota_findings.record(session, actor, pool, [one for one in dealt if one.refusal])
    return sum(one.mended for one in dealt) + removed


def _with_networks(dealt: Iterable[Dealt], refused: Mapping[str, tuple[str, str]]) -> list[Dealt]:
    """Add to each department's project the network that could not be removed from it."""
    return [_with_network(one, *refused[one.code]) if one.code in refused else one for one in dealt]


def _with_network(dealt: Dealt, network: str, refusal: str) -> Dealt:
    stays = {"network": {"wanted": "absent", "observed": network}}
    return replace(dealt, differences=dealt.differences | stays, tried=True, refusal=dealt.refusal or refusal)


def _worth_a_finding(dealt: Iterable[Dealt]) -> list[Dealt]:
    """Leave out the projects that are gone as they were to be."""
    return [one for one in dealt if not (one.mended and one.differences == _STRANDED)]


def _dealt_with(
    sessions: Sessions, driver: TenantDriver, pool: UUID, wanted: _Wanted, differences: Differences
) -> Dealt:
    """Set a project right, or remove it. May raise Unreachable."""
    refusal = None
    try:
        if wanted.gone:
            _remove(sessions, driver, pool, wanted)
        else:
            _give(sessions, driver, pool, wanted)
    except Rejected as error:
        log.warning("project refused", department=wanted.code, code=error.code, detail=error.detail)
        refusal = str(error)
    return Dealt(wanted.code, wanted.id, differences, tried=True, refusal=refusal)


def _remove(sessions: Sessions, driver: TenantDriver, pool: UUID, wanted: _Wanted) -> None:
    try:
        driver.remove_tenant(wanted.code)
    except Missing:
        log.info("gone already", department=wanted.code)
    with transaction(sessions) as session:
        session.execute(delete(Project).where(Project.pool_id == pool, Project.department_id == wanted.department))


def _give(sessions: Sessions, driver: TenantDriver, pool: UUID, wanted: _Wanted) -> None:
    """Write a project's limits and ingress until those written are those of the record.

    The record may change during a call, and who writes what is newer may be done first; whoever writes last has then
    read last. Raises Unreachable where they change each time.
    """
    classes = driver.limited()
    for _ in range(_WRITES):
        tenant = driver.set_tenant(wanted.code, wanted.asked.limits, wanted.asked.ingress)
        with transaction(sessions) as session:
            # A limit that is being set counts here, or sees that there is a project and asks for it to follow.
            lock_tree(session)
            _write(session, pool, wanted, tenant)
            [wanted] = _wanted(session, pool, classes, code=wanted.code)
        if wanted.asked == wanted.written:
            return
    raise Unreachable(f"the limits of {wanted.code} change faster than they can be written")


def _write(session: Session, pool: UUID, wanted: _Wanted, tenant: Tenant) -> None:
    values = {
        "external_id": tenant.id,
        "limits": tenant.limits,
        "ingress": [asdict(rule) for rule in sorted(wanted.asked.ingress, key=str)],
        "written_at": datetime.now(UTC),
    }
    row = insert(Project).values(pool_id=pool, department_id=wanted.department, **values)
    session.execute(row.on_conflict_do_update(index_elements=["pool_id", "department_id"], set_=values))


def _wanted(
    session: Session, pool: UUID, classes: Iterable[str], below: UUID | None = None, code: str | None = None
) -> list[_Wanted]:
    """Return the departments that have a project in a pool, or the one of this code, whether it has one or not."""
    rows = session.execute(_DEPARTMENTS, {"pool": pool, "below": [below] if below else [], "code": code})
    return [
        _Wanted(
            r.id,
            r.code,
            r.external_id or "",
            asked=_Terms(_of(r.tightest, classes), _rules(r.ingress)),
            written=_Terms(r.limits or {}, _rules(r.let_in)),
            gone=r.gone,
        )
        for r in rows
    ]


def _of(tightest: Mapping[str, int] | None, classes: Iterable[str]) -> Limits:
    return {name: (tightest or {}).get(name) for name in classes}


def _rules(kept: Iterable[Mapping[str, Any]] | None) -> frozenset[Ingress]:
    return frozenset(Ingress(**rule) for rule in kept or ())


def _differences(wanted: _Wanted, found: Tenant | None, astray: Astray) -> Differences:
    if wanted.gone:
        return _STRANDED
    if found is None:
        return {"existence": {"wanted": "present", "observed": "absent"}}
    limits = {
        name: {"wanted": limit, "observed": found.limits.get(name)}
        for name, limit in wanted.asked.limits.items()
        if found.limits.get(name) != limit
    }
    if astray == Astray():
        return limits
    return limits | {"ingress": {"wanted": _in_words(astray.missing), "observed": _in_words(astray.left)}}


def _in_words(rules: Iterable[Ingress]) -> list[str]:
    return sorted(map(str, rules))


_STRANDED: Differences = {"existence": {"wanted": "absent", "observed": "present"}}

# With each department what it lets in, and the tightest limit of it and of those above, by class. Without a code: all
# that have a project.
_DEPARTMENTS = text("""
    SELECT d.id, d.code, p.external_id, p.limits, p.ingress AS let_in, d.deleted_at IS NOT NULL AS gone,
           (SELECT jsonb_agg(jsonb_build_object(
               'protocol', r.protocol, 'source', r.source, 'first', r.first_port, 'last', r.last_port
           )) FROM ingress_rules r WHERE r.department_id = d.id) AS ingress,
           (SELECT jsonb_object_agg(t.resource_class, t.least) FROM (
               SELECT a.resource_class, min(a."limit") AS least FROM ledger_accounts a
               WHERE a.owner = ANY(d.lineage) AND a."limit" IS NOT NULL GROUP BY a.resource_class
           ) t) AS tightest
    FROM departments d LEFT JOIN projects p ON p.department_id = d.id AND p.pool_id = :pool
    WHERE d.lineage @> CAST(:below AS uuid[]) AND (d.code = :code OR CAST(:code AS text) IS NULL AND p.pool_id = :pool)
    ORDER BY d.code
""")
