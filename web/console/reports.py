"""Reports: how long decisions take."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _

from controlplane.errors import Invalid
from controlplane.paging import Listing, Page
from controlplane.policy import authorize
from controlplane.reports import decisions as report
from controlplane.reports.decisions import DecisionTimes
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, arrival, session
from web.days import between
from web.register_words import request_kind
from web.words import role_word

DAYS = 90
_CHARTED = 30


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/reports/decisions", "report_decisions", decisions)
    pages.add_url_rule("/reports/decisions.csv", "report_decisions_csv", export)


def decisions() -> str:
    """Show how long decisions take"""
    authorize(actor(), "centre.read")
    listed = {**shown(_table()), "search": None}
    slowest = sorted((line for line in listed["page"].items if line.decided), key=lambda line: -line.median_hours)
    return render_template("report_decisions.html", list=listed, called=_called, chart=_chart(slowest[:_CHARTED]))


def export() -> Response:
    """Show how long decisions take, as a file"""
    authorize(actor(), "centre.read")
    return file(_table())


def _chart(lines: list[DecisionTimes]) -> dict[str, Any]:
    return {
        "title": _("Times to decision"),
        "unit": _("h"),
        "columns": [_("By"), _("Median"), _("Nine of ten within")],
        "rows": [(_called(line), round(line.median_hours or 0, 1), round(line.p90_hours or 0, 1)) for line in lines],
    }


def _table() -> Table:
    return Table(
        id="decisions",
        label=_("Times to decision"),
        endpoint="console.report_decisions",
        sort="code",
        columns=[
            Column("name", _words()[_by()], _called),
            Column("decided", _("Approvals") if _by() == "role" else _("Requests"), lambda t: t.decided, numeric=True),
            Column("median", _("Median"), lambda t: _hours(t.median_hours), _("h"), numeric=True),
            Column("p90", _("Nine of ten within"), lambda t: _hours(t.p90_hours), _("h"), numeric=True),
            Column("automatic", _("Without an approval"), lambda t: t.automatic, numeric=True),
        ],
        filters=[
            Filter("by", _("By"), list(_words().items())),
            Filter("from", _("From the day"), typed="date"),
            Filter("to", _("To the day"), typed="date"),
        ],
        fetch=_fetch,
        more_filters=(),
        nothing={
            "title": _("Nothing was decided in this time"),
            "advice": _("Without days, these are the requests that were decided in the last %(days)s days.", days=DAYS),
            "url": None,
            "action": None,
        },
    )


def _fetch(_listing: Listing) -> Page[Any]:
    """Read all lines at once; days are days of the site's zone."""
    found = report.decisions(session(), actor(), *between(request.args, arrival().now, DAYS), _by())
    return Page(found, None, None, len(found))


def _by() -> str:
    by = request.args.get("by") or "kind"
    if by not in report.BY:
        raise Invalid(field="by", reason=_("must be one of %(names)s", names=", ".join(report.BY)))
    return by


def _words() -> dict[str, str]:
    return {"kind": _("Kind"), "department": _("Department"), "role": _("Role")}


def _called(line: DecisionTimes) -> str:
    if _by() == "department":
        return line.name
    return role_word(line.code) if _by() == "role" else request_kind(line.code)


def _hours(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 1)
