"""How what is shown of requests goes in and out of the API: files, progress links, the register, reports."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from flask import url_for
from flask_openapi3 import FileStorage
from pydantic import AwareDatetime, Field

from controlplane import progress_links
from controlplane.progress_links import Link
from controlplane.reports.decisions import By
from web.context import entrance, outside
from web.present import Record, stamp
from web.schemas import Instant, Strict
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


class PeriodQuery(Strict):
    since: Instant = Field(alias="from", description="the first instant")
    until: Instant = Field(alias="to", description="the first instant after")


class DecisionsQuery(PeriodQuery):
    by: By = "kind"


class DecisionTimes(Answer):
    """How long decisions took, in hours; null where nobody decided."""

    code: str
    name: str
    decided: int = Field(description="requests, by role approvals, that somebody decided on")
    median_hours: float | None
    p90_hours: float | None
    automatic: int = Field(description="requests that nobody had to approve; they count in no time")


class Decisions(Answer):
    """How long decisions took, a line for each kind, department or role."""

    items: list[DecisionTimes]


class VpnUsage(Answer):
    """What a department used of the VPN."""

    department: str
    department_name: str
    account_hours: float = Field(description="of its accounts, by the ledger")
    account_months: float = Field(description="of 730 hours")
    people: int = Field(description="accounts that were in at least once")
    tunnels: int
    hours: float = Field(description="of its tunnels, by RADIUS accounting")
    gib_sent: float = Field(description="by its people, to the gateway")
    gib_received: float = Field(description="by its people, from the gateway")


class VpnUsages(Answer):
    """What departments used of the VPN, a line for each that used any."""

    items: list[VpnUsage]


class RegisterQuery(Strict):
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    sort: Literal["decided_at", "-decided_at"] | None = None
    department: str | None = Field(None, description="code, id or a part of its name")
    kind: str | None = None
    month: str | None = Field(None, description="of the decision, in the site's zone, like 2026-11")


class RegisterEntry(Answer):
    """A decided request, as the public register shows it."""

    number: int
    department: dict[str, str] = Field(description="code and name")
    kind: str
    title: str = Field(description="empty where the register shows no titles")
    submitted_at: AwareDatetime | None
    decided_at: AwareDatetime
    outcome: Literal["approved", "done", "refused"]
    days: float = Field(description="that it lay with those who decided")


class RegisterPage(Answer):
    """One page of the register."""

    items: list[RegisterEntry]
    next: str | None = Field(description="cursor of the next page")
    previous: str | None = Field(description="cursor of the page before")


class RegisterBody(Strict):
    public: bool = Field(description="whether everybody can read it without an account")
    titles: bool = Field(False, description="whether it shows the titles of requests")


class RegisterSettings(Answer):
    """Who can read the register, and whether it has titles."""

    public: bool
    titles: bool


def entry(e: Record) -> dict[str, Any]:
    return {
        "number": e.number,
        "department": {"code": e.department.code, "name": e.department.name},
        "kind": e.kind,
        "title": e.title,
        "submitted_at": stamp(e.submitted_at),
        "decided_at": stamp(e.decided_at),
        "outcome": e.outcome,
        "days": e.days,
    }
