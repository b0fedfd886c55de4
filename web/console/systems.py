"""Business systems: the list, and the page of one."""

from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.paging import Listing
from controlplane.policy import allows
from controlplane.reports import overview
from web.console import choosing
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session
from web.words import action_word, called, level_word

_SHOWN = 12


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/systems", "systems", index)
    pages.add_url_rule("/systems.csv", "systems_csv", export)
    pages.add_url_rule("/systems/<uuid:ref>", "system", show)


def index() -> str | Redirect:
    """List business systems"""
    moved = choosing.canonical("console.systems")
    return redirect(moved) if moved else render_template("systems.html", list=shown(_table()))


def export() -> Response:
    """List business systems as a file"""
    return file(_table())


def show(ref: UUID) -> str:
    """Show a business system"""
    system = lookups.system_for(session(), actor(), ref, "system.read")
    machines = Listing(_SHOWN, None, "name", {"system": str(ref)}, counted=True)
    return render_template(
        "system.html",
        system=system,
        tab=request.args.get("tab", "summary"),
        machines=lookups.resources(session(), actor(), "vm", machines),
        states=overview.states(session(), actor(), "vm", system=ref),
        history=lookups.history(session(), actor(), ref, 100),
        may_ask=allows(actor(), "resource.create"),
        action_word=action_word,
        level_word=level_word,
    )


def _table() -> Table:
    return Table(
        id="systems",
        label=_("Business systems"),
        endpoint="console.systems",
        sort="code",
        columns=[
            Column("name", _("Name"), called, sortable=True),
            Column("code", _("Code name"), lambda s: s.code, sortable=True),
            Column("department", _("Department"), lambda s: called(s.department)),
            Column("mlps_level", _("MLPS level"), lambda s: s.mlps_level, sortable=True),
            Column("contact", _("Contact"), lambda s: s.contact_name),
            Column("phone", _("Phone"), lambda s: s.contact_phone, at_first=False),
            Column("email", _("E-mail"), lambda s: s.contact_email, at_first=False),
            Column("created_at", _("Created"), lambda s: s.created_at, sortable=True, at_first=False),
        ],
        filters=_filters(),
        fetch=lambda listing: lookups.systems(session(), actor(), listing),
        nothing={
            "title": _("No business system yet"),
            "advice": _("A system is registered by the command line or the API; machines are asked for on its behalf."),
            "url": None,
            "action": None,
        },
    )


def _filters() -> list[Filter]:
    levels = Filter("mlps_level", _("MLPS level"), [(str(level), level_word(level)) for level in (1, 2, 3, 4)])
    if actor().scope is not None and len(actor().scope or ()) == 1:
        return [levels]
    return [choosing.filter_of_departments(), levels]
