"""The audit trail: what was done, by whom, to what, in the same transaction as the doing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane.actor import Actor
from quotas import wire


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happened to one target. `details` must hold no secret."""

    action: str
    target_kind: str
    target_id: UUID
    target_name: str
    department: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
    outcome: Literal["success", "failure"] = "success"


def record(session: Session, actor: Actor, acts: Sequence[Act]) -> None:
    """Append `acts` to the trail."""
    if acts:
        wire.write(session, recording(actor, acts))


def recording(actor: Actor, acts: Sequence[Act]) -> wire.Write:
    """Return what appends `acts` to the trail, to go out with other writes."""
    who = {"actor": actor.id, "actor_name": actor.name, "actor_role": actor.role, "trace": actor.trace}
    return wire.Write(_RECORDED, {**who, "acts": wire.rows([_row(act) for act in acts])})


def _row(act: Act) -> dict[str, Any]:
    return {
        "action": act.action,
        "outcome": act.outcome,
        "target_kind": act.target_kind,
        "target_id": act.target_id,
        "target_name": act.target_name,
        "department": act.department,
        "details": act.details,
    }


_RECORDED: wire.Parts = (
    (
        "audited",
        """
        INSERT INTO audit_events (actor_id, actor_name, actor_role, trace,
                                  action, outcome, target_kind, target_id, target_name, department_id, details)
        SELECT %(actor)s, %(actor_name)s, %(actor_role)s, %(trace)s, act.*
        FROM json_to_recordset(%(acts)s::json)
        act(action text, outcome text, target_kind text, target_id uuid, target_name text, department uuid,
            details jsonb)
        """,
    ),
)
