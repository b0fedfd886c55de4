"""The audit trail: what was done, by whom, to what, found by any of these; and the same as a file."""

import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.paging import Listing, Page
from controlplane.policy import allows
from controlplane.services import trail as service
from web.act_words import event_word, kind_word
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session
from web.days import day
from web.words import role_word


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/audit", "audit", index)
    pages.add_url_rule("/audit.csv", "audit_csv", export)


def index() -> str | Redirect:
    """Read the audit trail"""
    moved = choosing.canonical("console.audit")
    if moved:
        return redirect(moved)
    listed = {**shown(_table()), "search": None}
    return render_template(
        "audit.html",
        list=listed if allows(actor(), "audit.export") else {**listed, "csv": None},
        event_word=event_word,
        kind_word=kind_word,
        role_word=role_word,
        details=_details,
        may_see_users=allows(actor(), "user.read"),
    )


def export() -> Response:
    """Take what the list shows out as a file, which the trail says itself"""
    asked = {name: value for name, value in request.args.items() if value and name not in {"sort", "columns"}}
    service.export(session(), actor(), asked, "csv")
    return file(_table())


def _table() -> Table:
    return Table(
        id="audit",
        label=_("Audit trail"),
        endpoint="console.audit",
        sort="-at",
        columns=[
            Column("at", _("Time"), lambda e: e.at, sortable=True),
            Column("actor", _("Who"), lambda e: e.actor_name),
            Column("role", _("Role"), lambda e: role_word(e.actor_role), at_first=False),
            Column("action", _("What"), lambda e: event_word(e.action)),
            Column("target", _("To what"), lambda e: f"{kind_word(e.target_kind)} {e.target_name}"),
            Column("outcome", _("Outcome"), lambda e: _("Success") if e.outcome == "success" else _("Failure")),
            Column("details", _("Details"), _details),
            Column("code", _("Action"), lambda e: e.action, at_first=False),
            Column("target_id", _("Id"), lambda e: str(e.target_id), at_first=False),
            Column("trace", _("Request id"), lambda e: e.trace, at_first=False),
        ],
        filters=_filters(),
        fetch=_fetch,
        more_filters=(),
        nothing={
            "title": _("Nothing happened yet"),
            "advice": _("Whatever is done, in the console, by the API or by command, is found here."),
            "url": None,
            "action": None,
        },
    )


def _filters() -> list[Filter]:
    actions = sorted(((a, event_word(a)) for a in lookups.audited_actions(session(), actor())), key=lambda a: a[1])
    outcomes = [("success", _("Success")), ("failure", _("Failure"))]
    filters = [
        Filter("from", _("From the day"), typed="date"),
        Filter("to", _("To the day"), typed="date"),
        Filter("actor", _("Who"), typed="text"),
        Filter("action", _("What"), actions),
        Filter("target", _("Name or id of the target"), typed="text"),
        Filter("outcome", _("Outcome"), outcomes),
    ]
    own = actor().scope
    return filters if own is not None and len(own) == 1 else [*filters, choosing.filter_of_departments()]


def _fetch(listing: Listing) -> Page[Any]:
    """Read a page; days are days of the site's zone, and the last one is meant whole."""
    asked = dict(listing.filters)
    for name, more in (("from", 0), ("to", 1)):
        if name in asked:
            asked[name] = day(name, asked[name], more).isoformat()
    return lookups.audit_events(session(), actor(), replace(listing, filters=asked))


def _details(event: Any) -> str:
    """Return the details of an event as one line."""
    return json.dumps(event.details, ensure_ascii=False) if event.details else ""
