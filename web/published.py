"""How what is shown of requests goes in and out of the API: files, progress links, the register, reports."""

from typing import Any
from uuid import UUID

from flask_openapi3 import FileStorage
from pydantic import AwareDatetime, Field

from web.present import Record, stamp
from web.schemas import Strict
from web.shapes import Answer


class AttachmentForm(Strict):
    file: FileStorage | None = Field(None, description="the file; its name must end as its type does")


class Attachment(Answer):
    """A file that came with a request."""

    id: UUID
    request: UUID
    name: str
    media_type: str = Field(description="told by what is in it")
    size: int = Field(description="bytes")
    sha256: str
    added_by: str
    created_at: AwareDatetime


class Attachments(Answer):
    """All files of a request."""

    items: list[Attachment]


def attachment(a: Record) -> dict[str, Any]:
    return {
        "id": str(a.id),
        "request": str(a.request_id),
        "name": a.name,
        "media_type": a.media_type,
        "size": a.size,
        "sha256": a.sha256,
        "added_by": a.added_by_name,
        "created_at": stamp(a.created_at),
    }
