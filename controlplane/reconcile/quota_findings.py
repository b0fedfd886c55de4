"""What is found of departments' projects in a pool, in the record: findings of the kind `quota` that open and end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from controlplane import audit, findings
from controlplane.actor import Actor
from controlplane.models import Department, Drift, DriftOutcome, Pool, Project

Differences = dict[str, Any]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dealt:
    """How the project of a department was found, by the pool's own `id`, and what came of it.

    `differences`: as of any finding, empty where the project is as it is to be. `tried`: it was to be set right.
    `refusal`: why that was refused.
    """

    code: str
    id: str
    differences: Differences
    tried: bool = False
    refusal: str | None = None

    @property
    def mended(self) -> bool:
        """Whether it was set right."""
        return self.tried and self.refusal is None


def to_repair(session: Session, pool: UUID) -> set[str]:
    """Return the codes of departments whose project somebody said is to be set right."""
    return set(session.scalars(_open(pool).with_only_columns(Drift.name).where(Drift.decision == "repair")))


def record(session: Session, actor: Actor, pool: Pool, dealt: Sequence[Dealt]) -> int:
    """Open a finding for each project that differs, end those of projects that do not, or are no more; return how many
    are new. What was refused is said in its finding, and stays to be repaired."""
    # Two that find the same at once would open it twice.
    session.execute(select(Pool.id).where(Pool.id == pool.id).with_for_update(key_share=True))
    loaded = joinedload(Drift.pool), joinedload(Drift.resource)
    known = {d.name: d for d in session.scalars(_open(pool.id).options(*loaded).with_for_update(of=Drift))}
    opened = [_opened(pool, one) for one in dealt if one.differences and one.code not in known]
    session.add_all(opened)
    session.flush()
    lasting = known | {drift.name: drift for drift in opened}
    for one in dealt:
        if one.differences:
            _last(actor, lasting[one.code], one)
    audit.record(session, actor, [findings.act(drift, "drifted") for drift in opened])
    for drift in opened:
        log.warning("drift.found", pool=pool.code, kind="quota", name=drift.name, differences=drift.differences)
    findings.close(session, actor, _endings(session, pool.id, lasting, dealt))
    return len(opened)


def _open(pool: UUID) -> Select[Drift]:
    return select(Drift).where(Drift.pool_id == pool, Drift.kind == "quota", Drift.closed_at.is_(None))


def _opened(pool: Pool, dealt: Dealt) -> Drift:
    now = datetime.now(UTC)
    of = {"pool_id": pool.id, "external_id": UUID(dealt.id), "name": dealt.code, "kind": "quota"}
    return Drift(**of, first_seen=now, last_seen=now, differences=dealt.differences)


def _last(actor: Actor, drift: Drift, dealt: Dealt) -> None:
    """Write down on a finding how it was seen last."""
    refusal = {"refusal": {"wanted": None, "observed": dealt.refusal}} if dealt.refusal else {}
    drift.last_seen, drift.differences = datetime.now(UTC), dealt.differences | refusal
    if dealt.refusal and drift.decision is None:
        findings.decide(actor, drift, "repair")


def _endings(
    session: Session, pool: UUID, lasting: dict[str, Drift], dealt: Sequence[Dealt]
) -> list[tuple[Drift, DriftOutcome]]:
    there = select(Department.code).join(Project, Project.department_id == Department.id)
    projects = set(session.scalars(there.where(Project.pool_id == pool))) if lasting else set()
    seen = {one.code: one for one in dealt}
    endings: list[tuple[Drift, DriftOutcome]] = []
    for code, drift in lasting.items():
        if code not in projects:
            endings.append((drift, "removed"))
        elif code in seen and seen[code].mended:
            endings.append((drift, "repaired"))
        elif code in seen and not seen[code].differences:
            endings.append((drift, "repaired" if drift.decision else "vanished"))
    return endings
