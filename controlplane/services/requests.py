"""Asking for things that nobody has to approve: they are allocated at once."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy.orm import Session

from controlplane import allocation
from controlplane.actor import Actor
from controlplane.allocation import Allocated, Submitted
from controlplane.ask import Ask
from controlplane.asks import admission
from controlplane.asks.items import line_of
from controlplane.kinds.contract import Prepared
from controlplane.lookups import Asking

__all__ = ["Allocated", "Ask", "Submitted", "rehearse", "submit"]


def submit(session: Session, actor: Actor, ask: Ask) -> Submitted:
    """Allocate everything that `ask` names and set the workers on it.

    Raises ApprovalNeeded where a rule has somebody approve it first; RowsRefused where rows are bad, OverQuota, NoPool,
    NoAddress, AlreadyExists; then nothing is taken.
    """

    return allocation.allocate(session, actor, ask, partial(_admit, actor, ask.kind))


def rehearse(session: Session, actor: Actor, ask: Ask) -> Submitted:
    """Return what `submit` would allocate, and raise what it would raise; the transaction has to be rolled back."""
    return allocation.rehearse(session, actor, ask, partial(_admit, actor, ask.kind))


def _admit(actor: Actor, kind: str, department: Asking, items: Sequence[Prepared]) -> None:
    admission.admit(actor, department.rules, [line_of(kind, item) for item in items])
