"""The overview: the centre at a glance, or one's own department."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane.policy import allows, authorize
from controlplane.reports import overview as report
from controlplane.reports import pool_catalogue
from controlplane.reports.bulletin import bulletin
from web.console import desk
from web.context import actor, session
from web.words import called, class_word, scale

_RANKED = 10
_ORDER = {"vcpu": 0, "memory_mib": 1, "disk_gib": 2, "vm": 3}


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/", "home", home)


def home() -> str | Redirect:
    """Show the overview; whoever sees no resources gets the own account"""
    if not allows(actor(), "resource.read"):
        authorize(actor(), "account.own")
        return redirect(url_for("console.account"))
    of_centre = allows(actor(), "centre.read")
    own = actor().department
    pools = report.pools(session(), actor(), "vm") if allows(actor(), "pool.read") else []
    return render_template(
        "overview.html",
        figures=bulletin(session(), actor(), datetime.now(UTC)) if of_centre else None,
        gauges=_gauges(),
        pools=pools,
        lacking=pool_catalogue.unusable(session(), actor(), [p.pool.id for p in pools]) if pools else {},
        ranking=_ranking() if of_centre else [],
        states=report.states(session(), actor(), "vm"),
        attention=report.attention(session(), actor()),
        own=url_for("console.department", ref=own) if own else None,
        may_ask=allows(actor(), "resource.create"),
        waiting=desk.waiting() if allows(actor(), "request.decide") else None,
        open_requests=desk.open_requests(own) if own and allows(actor(), "request.read") else None,
    )


def _ranking() -> dict[str, Any]:
    """Return the departments that take most processors, as the chart and its table want it."""
    found = report.largest(session(), actor(), "vcpu", _RANKED)
    return {
        "title": _("Departments that use the most vCPU"),
        "unit": _("cores"),
        "columns": [_("Department"), _("Used"), _("Held")],
        "rows": [(called(department), used, held) for department, used, held in found],
    }


def _gauges() -> list[dict[str, Any]]:
    found = sorted(report.capacity(session(), actor()), key=lambda g: _ORDER.get(g.resource_class, len(_ORDER)))
    gauges = []
    for gauge in found:
        divisor, unit = scale(gauge.resource_class, gauge.used, gauge.held, gauge.limit)
        gauges.append({"label": class_word(gauge.resource_class), "unit": unit, "divisor": divisor, "gauge": gauge})
    return gauges
