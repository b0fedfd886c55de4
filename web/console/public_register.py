"""The register of decided requests, for everybody where it is public; and the page that opens and closes it."""

from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.options import Register
from controlplane.paging import Listing, Page
from controlplane.policy import allows, authorize
from controlplane.services import register as service
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session
from web.days import in_month
from web.register_words import request_kind, request_state
from web.words import called

_KINDS = ("vm", "quota", "mixed")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/register", "register", show)
    pages.add_url_rule("/register.csv", "register_csv", export)
    pages.add_url_rule("/register/settings", "register_settings", settings, methods=["GET", "POST"])


def show() -> str:
    """Show what was decided, to everybody where the register is public"""
    listed = {**shown(_table()), "search": None}
    reader = g.get("actor")
    return render_template(
        "register.html",
        list=listed,
        kind_word=request_kind,
        outcome=request_state,
        may_change=reader is not None and allows(reader, "register.write"),
    )


def export() -> Response:
    """Show what was decided, as a file"""
    return file(_table())


def settings() -> str | Redirect:
    """Open the register to everybody, or close it"""
    authorize(actor(), "register.write")
    if request.method == "POST":
        public, titles = "public" in request.form, "titles" in request.form
        service.change(session(), actor(), Register(public=public, titles=titles))
        flash(_("The register is public now.") if public else _("The register is closed now."), "good")
        return redirect(url_for("console.register"))
    return render_template("register_settings.html", register=service.shown(session(), actor()))


def _table() -> Table:
    return Table(
        id="register",
        label=_("Public register"),
        endpoint="console.register",
        sort="-decided_at",
        columns=[
            Column("number", _("Number"), lambda e: e.number),
            Column("department", _("Department"), lambda e: called(e.department)),
            Column("kind", _("Kind"), lambda e: request_kind(e.kind)),
            Column("title", _("Title"), lambda e: e.title),
            Column("submitted_at", _("Submitted at"), lambda e: e.submitted_at),
            Column("decided_at", _("Decided at"), lambda e: e.decided_at, sortable=True),
            Column("outcome", _("Outcome"), lambda e: request_state(e.outcome)[0]),
            Column("days", _("Working time"), lambda e: e.days, _("days"), numeric=True),
        ],
        filters=[
            Filter("department", _("Department"), typed="text"),
            Filter("kind", _("Kind"), [(kind, request_kind(kind)) for kind in _KINDS]),
            Filter("month", _("Month"), typed="month"),
        ],
        fetch=_fetch,
        more_filters=(),
        nothing={
            "title": _("Nothing was decided yet"),
            "advice": _("Requests stand here once they are approved or refused."),
            "url": None,
            "action": None,
        },
    )


def _fetch(listing: Listing) -> Page[Any]:
    return lookups.register(session(), g.get("actor"), in_month(listing))
