"""The overview: the centre at a glance, or one's own department."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from controlplane.policy import allows, authorize
from controlplane.reports import overview as report
from controlplane.reports.bulletin import bulletin
from web.context import actor, session
from web.words import class_word, scale

_ORDER = {"vcpu": 0, "memory_mib": 1, "disk_gib": 2, "vm": 3}


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/", "home", home)
    pages.add_url_rule("/search", "search", search)


def home() -> str:
    """Show the overview"""
    figures: dict[str, Any] | None = None
    if allows(actor(), "centre.read"):
        figures = bulletin(session(), actor(), datetime.now(UTC))
    return render_template(
        "overview.html",
        figures=figures,
        gauges=_gauges(),
        states=report.states(session(), actor()),
        attention=report.attention(session(), actor()),
    )


def _gauges() -> list[dict[str, Any]]:
    found = sorted(report.capacity(session(), actor()), key=lambda g: _ORDER.get(g.resource_class, len(_ORDER)))
    gauges = []
    for gauge in found:
        divisor, unit = scale(gauge.resource_class, gauge.used, gauge.held, gauge.limit)
        gauges.append({"label": class_word(gauge.resource_class), "unit": unit, "divisor": divisor, "gauge": gauge})
    return gauges


def search() -> Response:
    """Find a VM by any part of its name or address"""
    authorize(actor(), "resource.read")
    return redirect(url_for("console.vms", q=request.args.get("q", "").strip() or None))
