"""Drift: the list of what is not as recorded, and deciding what becomes of it."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing, Page
from controlplane.policy import allows
from controlplane.services import drift as service
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, session
from web.words import called, drift_field, drift_value, drift_word


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/drifts", "drifts", index)
    pages.add_url_rule("/drifts.csv", "drifts_csv", export)
    pages.add_url_rule("/drifts/check", "drift_check", check, methods=["POST"])
    pages.add_url_rule("/drifts/<uuid:ref>/<verb>", "drift_act", act, methods=["POST"])


def index() -> str:
    """List findings, those that are open unless asked otherwise"""
    return render_template(
        "drifts.html",
        list={**shown(_table()), "search": None},
        unseen=[c for c in lookups.pool_checks(session(), actor()) if c.trouble],
        may_decide=allows(actor(), "drift.decide"),
        drift_word=drift_word,
        field_word=drift_field,
        value_word=drift_value,
    )


def export() -> Response:
    """List findings as a file"""
    return file(_table())


def check() -> Response:
    """Have a worker look at all pools now"""
    service.check(session(), actor())
    flash(_("A worker will look at all pools; this page shows what it finds."), "good")
    return redirect(url_for("console.drifts"))


def act(ref: Any, verb: str) -> Response:
    """Decide on a finding"""
    if verb == "repair":
        flash(
            _("A worker will repair %(name)s.", name=service.repair(session(), actor(), ref, _version()).name), "good"
        )
    elif verb == "accept":
        name = service.accept(session(), actor(), ref, _version()).name
        flash(_("%(name)s is recorded as it was found.", name=name), "good")
    elif verb == "adopt":
        flash(_("%(name)s is a machine of the department now.", name=_adopt(ref).name), "good")
    else:
        # Reading it asks the policy first: who may decide nothing learns nothing.
        lookups.drift_for(session(), actor(), ref, "drift.decide")
        raise NotFound(noun="action", name=verb)
    return redirect(url_for("console.drifts"))


def _adopt(ref: Any) -> Any:
    given = {name: value.strip() for name, value in request.form.items() if value.strip()}
    ask: dict[str, Any] = {name: given[name] for name in ("department", "system", "name", "disk_gib") if name in given}
    if "subnet" in given and "address" in given:
        ask["addresses"] = {given["subnet"]: given["address"]}
    return service.adopt(session(), actor(), ref, ask, _version())


def _version() -> int | None:
    """Return the version that the page showed: nobody decides on what they did not see."""
    shown = request.form.get("version", "")
    return int(shown) if shown.isascii() and shown.isdigit() and len(shown) <= 9 else None


def _table() -> Table:
    kinds = [(kind, drift_word(kind)) for kind in ("missing", "unknown", "different", "quota")]
    return Table(
        id="drifts",
        label=_("Drift"),
        endpoint="console.drifts",
        sort="-first_seen",
        columns=[
            Column("name", _("Machine"), lambda d: d.name),
            Column("kind", _("Drift"), lambda d: drift_word(d.kind)),
            Column("differences", _("Wanted, and found"), _difference),
            Column("pool", _("Pool"), lambda d: d.pool.name),
            Column("department", _("Department"), lambda d: called(d.resource.department) if d.resource else ""),
            Column("first_seen", _("Since"), lambda d: d.first_seen, sortable=True),
            Column("end", _("What becomes of it"), lambda d: drift_word(d.outcome) if d.outcome else _("Open")),
        ],
        filters=[
            Filter("kind", _("Drift"), kinds),
            Filter("open", _("Shown"), [("true", _("Open")), ("false", _("Over"))]),
        ],
        fetch=_fetch,
        more_filters=("pool",),
        nothing={
            "title": _("Everything is as recorded"),
            "advice": _("The sweep looks at every pool some times an hour, and whenever it is asked to."),
            "url": None,
            "action": None,
        },
    )


def _fetch(listing: Listing) -> Page[Any]:
    asked = listing if "open" in listing.filters else replace(listing, filters={**listing.filters, "open": "true"})
    return lookups.drifts(session(), actor(), asked)


_UNKNOWN = {"wanted": None, "observed": None}


def _difference(drift: Any) -> str:
    """Return what differs as a cell of a file says it."""
    seen = ((name, both) for name, both in drift.differences.items() if both != _UNKNOWN)
    return "; ".join(
        f"{drift_field(name)}: {drift_value(both['wanted'], name)} -> {drift_value(both['observed'], name)}"
        if both["wanted"] is not None
        else f"{drift_field(name)}: {drift_value(both['observed'], name)}"
        for name, both in seen
    )
