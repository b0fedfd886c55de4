"""The overview: the centre at a glance, or one's own department."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from controlplane.policy import allows
from controlplane.reports import overview as report
from controlplane.reports.bulletin import bulletin
from web.console.words import class_unit, class_word
from web.context import actor, session


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/", "home", home)
    pages.add_url_rule("/search", "search", search)


def home() -> str:
    """Show the overview"""
    figures: dict[str, Any] | None = None
    if allows(actor(), "centre.read"):
        figures = bulletin(session(), actor(), datetime.now(UTC))
    gauges = [
        {"label": class_word(g.resource_class), "unit": class_unit(g.resource_class), "gauge": g}
        for g in report.capacity(session(), actor())
    ]
    return render_template(
        "overview.html",
        figures=figures,
        gauges=gauges,
        states=report.states(session(), actor()),
        attention=report.attention(session(), actor()),
    )


def search() -> Response:
    """Find a VM by any part of its name or address"""
    return redirect(url_for("console.vms", q=request.args.get("q", "").strip() or None))
