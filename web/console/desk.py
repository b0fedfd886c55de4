"""The inbox: the approvals that wait for the reader, what is due first first."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.paging import Listing
from controlplane.policy import allows, authorize
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, arrival, session
from web.register_words import request_kind
from web.words import called

REFRESH_SECONDS = 15


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/inbox", "inbox", index)
    pages.add_url_rule("/inbox.csv", "inbox_csv", export)


def index() -> str | Redirect:
    """List the approvals that wait for the reader"""
    authorize(actor(), "request.read")
    moved = choosing.canonical("console.inbox")
    if moved:
        return redirect(moved)
    return render_template(
        "requests/inbox.html",
        list=shown(_table()),
        now=arrival().now,
        me=actor().user or actor().id,
        handed=request.args.get("handed") == "true",
        kind_word=request_kind,
    )


def export() -> Response:
    """List the approvals that wait for the reader as a file"""
    authorize(actor(), "request.read")
    return file(_table())


def waiting() -> str:
    """Return how many approvals wait for the reader, as the navigation shows it; nothing where none do."""
    if not allows(actor(), "request.read"):
        return ""
    count = lookups.desk_count(session(), actor())
    most = lookups.DESK_COUNTED_UP_TO
    return "" if not count else f"{most}+" if count >= most else str(count)


def open_requests(department: UUID) -> int:
    """Return how many requests of a department that the reader was just shown wait for a decision."""
    sought = {"department": str(department), "state": "submitted,in_review"}
    return lookups.requests(session(), actor(), Listing(1, None, None, sought, counted=True)).total or 0


def _table() -> Table:
    columns: Sequence[Column] = [
        Column("title", _("Title"), lambda s: s.request.title),
        Column("number", _("Number"), lambda s: s.request.number, numeric=True),
        Column("department", _("Department"), lambda s: called(s.request.department)),
        Column("kind", _("Kind"), lambda s: request_kind(s.request.kind)),
        Column("asked_by", _("Asked by"), lambda s: s.request.asked_by_name),
        Column("submitted_at", _("Submitted"), lambda s: s.request.submitted_at),
        Column("due_at", _("Due"), lambda s: s.due_at, sortable=True),
    ]
    several = actor().scope is None or len(actor().scope or ()) > 1
    filters: list[Filter] = [choosing.filter_of_departments()] if several else []
    return Table(
        id="inbox",
        label=_("Waiting for me"),
        endpoint="console.inbox",
        sort="due_at",
        columns=columns,
        filters=filters,
        fetch=_fetch,
        more_filters=("handed",),
        every=REFRESH_SECONDS,
        nothing={
            "title": _("Nothing waits for you"),
            "advice": _("What you have to decide on comes here by itself, what is due first at the top."),
            "url": None,
            "action": None,
        },
    )


def _fetch(listing: Listing) -> Any:
    return lookups.inbox(session(), actor(), listing)
