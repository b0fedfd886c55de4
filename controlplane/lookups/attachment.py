"""Reads of the files that came with requests: what they are; what is in them is read where it is asked for alone."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import in_scope, uuid_of
from controlplane.models import RequestAttachment
from controlplane.policy import authorize

MOST_ATTACHMENTS = 100


def attachments_of(session: Session, actor: Actor, request: UUID) -> Sequence[RequestAttachment]:
    """Return the files of a request that the caller has read, the oldest first, at most MOST_ATTACHMENTS."""
    authorize(actor, "request.read")
    found = select(RequestAttachment).where(RequestAttachment.request_id == request).order_by(RequestAttachment.id)
    return session.scalars(found.limit(MOST_ATTACHMENTS)).all()


def attachment_for(
    session: Session, actor: Actor, ref: str | UUID, action: str = "request.read", *, content: bool = False
) -> RequestAttachment:
    """Return a file by id, with what is in it where that is asked for. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = select(RequestAttachment).where(RequestAttachment.id == uuid_of(ref, "attachment"))
    statement = in_scope(statement, RequestAttachment.department_id, actor)
    if content:
        statement = statement.options(undefer(RequestAttachment.content)).execution_options(populate_existing=True)
    found: RequestAttachment | None = session.scalar(statement)
    if found is None:
        raise NotFound(noun="attachment", name=str(ref))
    return found
