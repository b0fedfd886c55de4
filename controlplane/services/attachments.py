"""Adding files to a request and taking them away again."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import audit, lookups
from controlplane.actor import Actor
from controlplane.asks.approvals import person
from controlplane.asks.course import said
from controlplane.asks.states import EDITABLE, OPEN
from controlplane.attachments.contents import Upload, checked
from controlplane.attachments.refusals import AttachmentMissing, TooManyAttachments
from controlplane.db import new_id
from controlplane.errors import NotNow
from controlplane.models import Request, RequestAttachment
from controlplane.settings import Settings


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many files a request may have, and how large each may be, in MiB."""

    most: int
    mib: int

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """Return what the settings say."""
        return cls(settings.attachments_most, settings.attachment_mib)


def add(session: Session, actor: Actor, ref: str | UUID, upload: Upload | None, bounds: Bounds) -> RequestAttachment:
    """Add a file to a request that is being written, or waits for a decision; `upload` is None where none was sent.

    Raises Forbidden, NotFound, NotNow, TooManyAttachments, and each AttachmentRefused of `attachments.contents`.
    """
    _addable(lookups.request_for(session, actor, ref, "request.attach"))
    if upload is None:
        raise AttachmentMissing
    # Looked through before anything is locked: that may take seconds.
    file = checked(upload, bounds.mib)
    request = _addable(lookups.request_for(session, actor, ref, "request.attach", lock=True))
    if len(lookups.attachments_of(session, actor, request.id)) >= bounds.most:
        raise TooManyAttachments(name=file.name, most=bounds.most)
    made = RequestAttachment(
        id=new_id(),
        request_id=request.id,
        department_id=request.department_id,
        name=file.name,
        media_type=file.media_type,
        size=len(file.content),
        sha256=file.sha256,
        content=file.content,
        added_by=person(actor),
        added_by_name=actor.name,
    )
    session.add(made)
    session.flush()
    session.refresh(made, ["created_at"])
    audit.record(session, actor, [said(request, "attach", _told(made))])
    return made


def _addable(request: Request) -> Request:
    if not may_add(request):
        raise NotNow(name=f"{request.number}", state=request.state, verb="attach", when=" or ".join(_ADDABLE))
    return request


def remove(session: Session, actor: Actor, ref: str | UUID) -> None:
    """Take a file away from a request that is a draft or was returned: what others decide by stays as it was.

    Raises Forbidden, NotFound, NotNow.
    """
    found = lookups.attachment_for(session, actor, ref, "request.ask")
    request = lookups.request_for(session, actor, found.request_id, "request.ask", lock=True)
    if not may_remove(request):
        raise NotNow(name=found.name, state=request.state, verb="detach", when=" or ".join(_REMOVABLE))
    audit.record(session, actor, [said(request, "detach", _told(found))])
    session.delete(found)
    session.flush()


def may_add(request: Request) -> bool:
    """Tell whether a request takes files now."""
    return request.state in _ADDABLE


def may_remove(request: Request) -> bool:
    """Tell whether files of a request may be taken away now."""
    return request.state in _REMOVABLE


_REMOVABLE = tuple(sorted(EDITABLE))
_ADDABLE = (*_REMOVABLE, *OPEN)


def _told(file: RequestAttachment) -> dict[str, object]:
    return {"file": file.name, "size": file.size, "sha256": file.sha256}
