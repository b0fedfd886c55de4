"""How much drift waits for a decision or a repair, for the overview."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.models import Drift
from controlplane.policy import authorize


def open_counts(session: Session, actor: Actor) -> dict[str, int]:
    """Return how many findings of each kind are open: missing, unknown, different. Raises Forbidden."""
    authorize(actor, "drift.read")
    counts = dict.fromkeys(("missing", "unknown", "different"), 0)
    statement = select(Drift.kind, func.count()).where(Drift.closed_at.is_(None)).group_by(Drift.kind)
    return counts | {row[0]: row[1] for row in session.execute(statement)}
