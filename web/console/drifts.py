"""Drift: the list of what is not as recorded, and deciding what becomes of it."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing
from controlplane.policy import allows
from controlplane.services import drift as service
from web.context import actor, session
from web.words import drift_field, drift_value, drift_word

FILTERS = ("pool", "kind", "open")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/drifts", "drifts", index)
    pages.add_url_rule("/drifts/check", "drift_check", check, methods=["POST"])
    pages.add_url_rule("/drifts/<uuid:ref>/<verb>", "drift_act", act, methods=["POST"])


def index() -> str:
    """List findings, those that are open unless asked otherwise"""
    filters = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    if "open" not in request.args:
        filters["open"] = "true"
    sort = request.args.get("sort") or "-first_seen"
    found = lookups.drifts(session(), actor(), Listing(50, request.args.get("cursor"), sort, filters))
    return render_template(
        "drifts.html",
        list=_list(found, sort),
        unseen=[c for c in lookups.pool_checks(session(), actor()) if c.trouble],
        may_decide=allows(actor(), "drift.decide"),
        drift_word=drift_word,
        field_word=drift_field,
        value_word=drift_value,
    )


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


def _list(found: Any, sort: str) -> dict[str, Any]:
    columns = [
        ("name", _("Machine"), False),
        ("kind", _("Drift"), False),
        ("differences", _("Wanted, and found"), False),
        ("pool", _("Pool"), False),
        ("department", _("Department"), False),
        ("first_seen", _("Since"), True),
        ("end", _("What becomes of it"), False),
    ]
    kinds = [(kind, drift_word(kind)) for kind in ("missing", "unknown", "different")]
    return {
        "id": "drifts",
        "label": _("Drift"),
        "columns": [{"key": k, "label": label, "sortable": s, "numeric": False} for k, label, s in columns],
        "sort": sort,
        "filters": [
            {"name": "kind", "label": _("Drift"), "options": kinds},
            {"name": "open", "label": _("Shown"), "options": [("true", _("Open")), ("false", _("Over"))]},
        ],
        "search": None,
        "page": found,
        "total": None,
        "csv": None,
        "every": None,
        "nothing": {
            "title": _("Everything is as recorded"),
            "advice": _("The sweep looks at every pool some times an hour, and whenever it is asked to."),
            "url": None,
            "action": None,
        },
    }
