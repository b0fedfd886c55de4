"""The audit trail: what was done, by whom, to what, in the same transaction as the doing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import AuditEvent


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
    if not acts:
        return
    who = {"actor_id": actor.id, "actor_name": actor.name, "actor_role": actor.role, "trace": actor.trace}
    session.execute(
        insert(AuditEvent),
        [
            {
                **who,
                "action": act.action,
                "outcome": act.outcome,
                "target_kind": act.target_kind,
                "target_id": act.target_id,
                "target_name": act.target_name,
                "department_id": act.department,
                "details": act.details,
            }
            for act in acts
        ],
    )
