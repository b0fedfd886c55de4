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
    recorded, said = _RECORDED.rows([_row(act) for act in acts])
    return wire.Write(recorded, {**who, **said})


def _row(act: Act) -> tuple[Any, ...]:
    return (act.action, act.outcome, act.target_kind, act.target_id, act.target_name, act.department, act.details)


_RECORDED = wire.Taking(
    "acts",
    (
        *(("action", "text"), ("outcome", "text")),
        *(("target_kind", "text"), ("target_id", "uuid"), ("target_name", "text")),
        *(("department", "uuid"), ("details", "jsonb")),
    ),
    (
        (
            "audited",
            """
            INSERT INTO audit_events (actor_id, actor_name, actor_role, trace,
                                      action, outcome, target_kind, target_id, target_name, department_id, details)
            SELECT %(actor)s, %(actor_name)s, %(actor_role)s, %(trace)s, acts.* FROM {acts}
            """,
        ),
    ),
)
