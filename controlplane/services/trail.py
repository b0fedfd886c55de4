"""Taking the trail out of the installation: that somebody did is itself in the trail, before the first line is out."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import audit
from controlplane.actor import Actor
from controlplane.errors import Invalid
from controlplane.policy import authorize

FORMATS = ("csv", "jsonl")
TRAIL = UUID(int=0)
"""Target of what is done to the trail as a whole: there is one."""


def export(session: Session, actor: Actor, filters: Mapping[str, str], form: str) -> None:
    """Let the actor take out what of the trail passes `filters`, as one of FORMATS, and put that into the trail.

    To be committed before anything is read. Raises Forbidden, Invalid.
    """
    authorize(actor, "audit.export")
    if form not in FORMATS:
        raise Invalid(field="format", reason=f"must be one of {', '.join(FORMATS)}")
    details = {"format": form, "filters": dict(filters)}
    audit.record(session, actor, [audit.Act("audit.export", "trail", TRAIL, "audit trail", None, details)])
