"""The audit trail: reading it, and taking it out."""

from flask import Response, stream_with_context

from controlplane import lookups
from controlplane.reports import trail as report
from controlplane.services import trail as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, keep, session
from web.schemas import AuditExportQuery, AuditQuery
from web.shapes import AuditEventPage

api = noun("audit_events", "/audit-events", "What was done, by whom, to what: the audit trail")

_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


@api.get("", responses={200: AuditEventPage})
def index(query: AuditQuery) -> Response:
    """List the trail, newest first: the whole centre's for the audit administrator, else that of the own departments"""
    return present.page(lookups.audit_events(session(), actor(), listing(query)), present.audit_event)


@api.get("/export", responses={200: {"content": {of: {"schema": {"type": "string"}} for of in _TYPES.values()}}})
def export(query: AuditExportQuery) -> Response:
    """Take out what of the trail passes the filters, oldest first; that it was taken out is in the trail itself

    An answer that breaks off, instead of ending, is not all of it.
    """
    filters = {name: str(value) for name, value in query.model_dump(exclude_none=True, by_alias=True).items()}
    form = filters.pop("format")
    service.export(session(), actor(), filters, form)
    # A filter that is refused is refused before anything is said to be taken out.
    parts = report.file(session(), actor(), filters, form)
    keep()
    answer = Response(stream_with_context(parts), mimetype=_TYPES[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-trail.{form}"'
    return answer
