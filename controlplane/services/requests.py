"""Asking for things that nobody has to approve: they are allocated at once."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from controlplane import allocation
from controlplane.actor import Actor
from controlplane.allocation import Allocated, Ask, Submitted
from controlplane.asks import admission
from controlplane.asks.items import line_of
from controlplane.kinds.contract import Prepared
from controlplane.lookups import Asking

__all__ = ["Allocated", "Ask", "Submitted", "submit"]


def submit(session: Session, actor: Actor, ask: Ask) -> Submitted:
    """Allocate everything that `ask` names and set the workers on it.

    Raises ApprovalNeeded where a rule has somebody approve it first; RowsRefused where rows are bad, OverQuota, NoPool,
    NoAddress, AlreadyExists; then nothing is taken.
    """

    def admit(department: Asking, items: Sequence[Prepared]) -> None:
        admission.admit(actor, department.rules, [line_of(ask.kind, item) for item in items])

    return allocation.allocate(session, actor, ask, admit)
