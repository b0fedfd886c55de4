"""Requests: the list of them, with whom each waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.paging import Listing, Page
from controlplane.policy import allows, authorize
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, arrival, session
from web.register_words import request_kind
from web.request_words import states
from web.words import called, role_word

_OPEN = "submitted,in_review"


@dataclass(frozen=True, slots=True)
class Row:
    """A request, and the approvals of it that are open."""

    id: UUID
    asked: Any
    waiting: Sequence[Any]


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/requests", "requests", index)
    pages.add_url_rule("/requests.csv", "requests_csv", export)


def index() -> str | Redirect:
    """List requests"""
    authorize(actor(), "request.read")
    moved = choosing.canonical("console.requests")
    if moved:
        return redirect(moved)
    return render_template(
        "requests/list.html",
        list=shown(_table()),
        may_ask=allows(actor(), "request.ask"),
        may_rules=allows(actor(), "routing.read"),
        kind_word=request_kind,
        waits_for=waits_for,
        now=arrival().now,
        ours=actor().department is not None,
    )


def export() -> Response:
    """List requests as a file"""
    authorize(actor(), "request.read")
    return file(_table())


def waits_for(waiting: Any) -> str:
    """Return whom an open approval waits for."""
    role = role_word(waiting.role)
    return f"{waiting.person} ({role})" if waiting.person else role


def _fetch(listing: Listing) -> Page[Row]:
    """Read a page of requests and all their open approvals: two queries, however many rows."""
    found = lookups.requests(session(), actor(), listing)
    waiting: Mapping[UUID, Sequence[Any]] = lookups.waiting_on(session(), actor(), [r.id for r in found.items])
    rows = [Row(r.id, r, waiting.get(r.id, ())) for r in found.items]
    return Page(rows, found.next, found.previous, found.total)


def _table() -> Table:
    return Table(
        id="requests",
        label=_("Requests"),
        endpoint="console.requests",
        sort="-created_at",
        columns=[
            Column("title", _("Title"), lambda r: r.asked.title),
            Column("number", _("Number"), lambda r: r.asked.number, numeric=True),
            Column("department", _("Department"), lambda r: called(r.asked.department)),
            Column("kind", _("Kind"), lambda r: request_kind(r.asked.kind)),
            Column("state", _("State"), lambda r: states()[r.asked.state]),
            Column("waiting", _("Waits for"), lambda r: _("; ").join(waits_for(w) for w in r.waiting)),
            Column("asked_by", _("Asked by"), lambda r: r.asked.asked_by_name),
            Column("submitted_at", _("Submitted"), lambda r: r.asked.submitted_at),
            Column("created_at", _("Written"), lambda r: r.asked.created_at, sortable=True, at_first=False),
            Column("decided_at", _("Decided"), lambda r: r.asked.decided_at, at_first=False),
            Column("id", _("Id"), lambda r: str(r.id), at_first=False),
        ],
        filters=_filters(),
        fetch=_fetch,
        more_filters=(),
        nothing={
            "title": _("No request yet"),
            "advice": _(
                "Ask for machines, changes, more time or a higher quota in one go, and see here how it goes on."
            ),
            "url": url_for("console.request_new") if allows(actor(), "request.ask") else None,
            "action": _("Make a request"),
        },
    )


def _filters() -> list[Filter]:
    each = states()
    options = [(_OPEN, _("Waiting for a decision")), *each.items()]
    said = "" if request.args.get("state") in dict(options) else _states_said(each)
    filters = [Filter("state", _("State"), options, said=said)]
    if allows(actor(), "request.ask"):
        filters.append(Filter("mine", _("Whose"), [("true", _("Mine"))]))
    if actor().scope is None or len(actor().scope or ()) > 1:
        filters.append(choosing.filter_of_departments())
    filters.append(Filter("kind", _("Kind"), [(kind, request_kind(kind)) for kind in ("vm", "quota", "mixed")]))
    filters.append(Filter("number", _("Number"), typed="number"))
    return filters


def _states_said(each: Mapping[str, str]) -> str:
    return str(_(" or ")).join(each.get(s, s) for s in request.args.get("state", "").split(",") if s)
