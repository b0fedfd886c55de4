"""How what is shown of requests goes in and out of the API: files, progress links, the register, reports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import url_for
from flask_openapi3 import FileStorage
from pydantic import AwareDatetime, Field

from controlplane import progress_links
from controlplane.progress_links import Link
from web.context import entrance, outside
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


class LinkBody(Strict):
    days: int = Field(90, ge=1, le=365, description="for how long the link is good")


class ProgressLink(Answer):
    """The link under which a request can be followed without an account, null where none is good."""

    url: str | None = Field(description="a secret: whoever has it sees the progress")
    expires_at: AwareDatetime | None


def address(link: Link) -> str:
    """Return the whole address of a link."""
    return outside(url_for("console.progress", token=progress_links.written(entrance().keys, link)))


def progress_link(url: str | None, until: datetime | None) -> dict[str, Any]:
    return {"url": url, "expires_at": stamp(until)}
