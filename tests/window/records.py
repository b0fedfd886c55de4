"""Requests put down as rows, in whatever state a test needs, without the course that leads there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane.db import Sessions, new_id, transaction
from controlplane.models import Department, Request, RequestAttachment, RequestStep
from tests.people import ADMIN

BEGAN = datetime(2026, 11, 2, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Given:
    """One approval: whose, in which round and stage, opened when, decided when and how, handed on when; if it was."""

    role: str
    opened: datetime
    decided: datetime | None = None
    state: str = "approved"
    round: int = 1
    stage: int = 1
    handed: datetime | None = None


def put_down(session: Session, department: str = "environment", *given: Given, **more: Any) -> Request:
    """Write a request down; what is left out of it is a draft of the administrator's."""
    of = session.query(Department).filter_by(code=department).one()
    values = {"kind": "vm", "state": "draft", "title": "监测平台扩容", "items": [], **more}
    request = Request(
        id=new_id(), department_id=of.id, asked_by=ADMIN.id, asked_by_name="王芳", asked_for=ADMIN.id, **values
    )
    session.add(request)
    session.flush()
    for one in given:
        session.add(_step(request, one))
    session.flush()
    session.refresh(request)
    return request


def made(sessions: Sessions, department: str = "environment", *given: Given, **more: Any) -> str:
    """Write a request down and commit it; return its id."""
    with transaction(sessions) as session:
        return str(put_down(session, department, *given, **more).id)


def filed(sessions: Sessions, request: str, name: str = "a.txt") -> str:
    """Put a file with a request, whatever its state; return the file's id."""
    with transaction(sessions) as session:
        of = session.get_one(Request, UUID(request))
        about = {"name": name, "media_type": "text/plain", "size": 1, "sha256": "0" * 64, "content": b"x"}
        who = {"added_by": ADMIN.id, "added_by_name": ADMIN.name}
        file = RequestAttachment(id=new_id(), request_id=of.id, department_id=of.department_id, **about, **who)
        session.add(file)
        return str(file.id)


def _step(request: Request, given: Given) -> RequestStep:
    return RequestStep(
        request_id=request.id,
        department_id=request.department_id,
        round=given.round,
        stage=given.stage,
        role=given.role,
        rule="all",
        hours=24,
        state=given.state,
        opened_at=given.handed or given.opened,
        due_at=given.opened + timedelta(hours=24),
        decided_at=given.decided,
        decided_by_name="李强" if given.decided else None,
        comment="同意" if given.decided else "",
    )
