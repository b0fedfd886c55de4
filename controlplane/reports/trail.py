"""The trail as a file, page by page: for another system to keep (JSON lines), or for a spreadsheet (CSV)."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.models import AuditEvent
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.policy import authorize

FIELDS = (
    "id",
    "at",
    "actor_id",
    "actor_name",
    "actor_role",
    "action",
    "outcome",
    "target_kind",
    "target_id",
    "target_name",
    "department_id",
    "trace",
    "details",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def file(session: Session, actor: Actor, filters: Mapping[str, str], form: str) -> Iterator[str]:
    """Give a file of the events that pass `filters`, the oldest first, in parts of MAX_LIMIT events.

    `form`: `jsonl` is exact, one object a line; in `csv` a text that a spreadsheet would run gets a quote before it.
    Raises Forbidden; what the filters are refused for is raised before the first part. The filters are those of
    `lookups.audit_events`.
    """
    authorize(actor, "audit.export")
    first = lookups.audit_events(session, actor, Listing(MAX_LIMIT, None, "at", filters))
    return _parts(session, actor, filters, _WRITERS[form], first)


def _parts(
    session: Session, actor: Actor, filters: Mapping[str, str], write: Callable[[Sequence[AuditEvent]], str], page: Any
) -> Iterator[str]:
    if write is _csv:
        # A spreadsheet reads UTF-8 only where a byte order mark says so.
        yield "\N{BYTE ORDER MARK}" + _line(FIELDS)
    while True:
        yield write(page.items)
        session.expunge_all()
        if page.next is None:
            return
        page = lookups.audit_events(session, actor, Listing(MAX_LIMIT, page.next, "at", filters))


def _json(events: Sequence[AuditEvent]) -> str:
    return "".join(json.dumps(_row(event), ensure_ascii=False, default=str) + "\n" for event in events)


def _csv(events: Sequence[AuditEvent]) -> str:
    return "".join(_line([cell(value) for value in _row(event).values()]) for event in events)


def _row(event: AuditEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in FIELDS} | {"at": event.at.isoformat().replace("+00:00", "Z")}


def cell(value: Any) -> str:
    """Return what a cell of a CSV file says; text that a spreadsheet would run gets a quote before it."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


_WRITERS: Mapping[str, Callable[[Sequence[AuditEvent]], str]] = {"csv": _csv, "jsonl": _json}
