"""Drift in the record: how it shows in the audit trail, and how a finding ends, whoever ends it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.actor import Actor
from controlplane.models import Drift, DriftOutcome

_Ending = tuple[Drift, DriftOutcome]


def close(session: Session, actor: Actor, endings: Sequence[_Ending], **details: Any) -> None:
    """End findings, each with its outcome. Their rows must be locked by the caller, or be its own to end."""
    now = datetime.now(UTC)
    for drift, outcome in endings:
        drift.closed_at, drift.outcome = now, outcome
        drift.version += 1
    audit.record(session, actor, [act(drift, f"drift_{outcome}", **details) for drift, outcome in endings])
    session.flush()


def decide(actor: Actor, drift: Drift, decision: str) -> None:
    """Write down on a finding what is to become of it and who said so."""
    drift.decision, drift.decided_at = decision, datetime.now(UTC)
    drift.decided_by, drift.decided_by_name = actor.id, actor.name
    drift.version += 1


def act(drift: Drift, verb: str, **details: Any) -> audit.Act:
    """Return the audit event of a finding: with the history of its resource where it has one, else of the pool alone.

    A department reads the history of what is its own, so nothing here says where the machine is.
    """
    resource = drift.resource
    kind = resource.kind if resource else drift.pool.kind
    said = {"drift": str(drift.id), "kind": drift.kind, "differences": drift.differences, **details}
    return audit.Act(
        f"{kind}.{verb}", kind, drift.external_id, drift.name, resource.department_id if resource else None, said
    )
