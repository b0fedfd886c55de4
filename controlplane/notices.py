"""Telling people what happened, in the same transaction as what happened: one line in the inbox of each, and a
delivery for each mailbox and webhook that it concerns. The worker brings those; nothing here waits for the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane.actor import Role
from controlplane.telling.events import EVENTS
from quotas import wire


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell, to `people` by their accounts' ids and to all who have `role`, in `departments` alone where
    these are given. Accounts that are disabled or a program's are passed over. `params` fill in the words of `event`,
    which is one of `telling.events`; they are plain values, and no secrets."""

    event: str
    params: Mapping[str, Any] = field(default_factory=dict)
    people: Sequence[UUID] = ()
    role: Role | None = None
    departments: Sequence[UUID] | None = None
    request: UUID | None = None
    resource: UUID | None = None


def tell(session: Session, notices: Sequence[Notice]) -> None:
    """Put `notices` into the inboxes of those whom they are for, each once; with any number of them, one statement."""
    if notices:
        wire.run(session, _TELL, {"notices": wire.rows([_row(notice) for notice in notices])})


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "event": notice.event,
        "category": EVENTS[notice.event].category,
        "params": dict(notice.params),
        "request": notice.request,
        "resource": notice.resource,
        "people": list(notice.people),
        "role": notice.role,
        "departments": None if notice.departments is None else list(notice.departments),
    }


_TELL: LiteralString = "SELECT tell_people(%(notices)s::jsonb)"
