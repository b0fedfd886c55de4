"""What departments used of the VPN: a list for the month that is to be charged, and as a file."""

from functools import partial
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _

from controlplane.paging import Listing, Page
from controlplane.policy import authorize
from controlplane.reports import vpn_usage as report
from controlplane.reports.vpn_usage import VpnUsage
from web.console.lists import Column, Filter, Table, file, shown
from web.context import actor, arrival, session
from web.days import between

DAYS = 30


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-usage", "vpn_usage", index)
    pages.add_url_rule("/vpn-usage.csv", "vpn_usage_csv", export)


def index() -> str:
    """Show what departments used of the VPN"""
    authorize(actor(), "centre.read")
    listed = {**shown(_table()), "search": None}
    units = {name: unit for name, (_title, unit) in _figures().items()}
    return render_template("vpn/usage.html", list=listed, figure=_figure, units=units)


def export() -> Response:
    """Show what departments used of the VPN, as a file"""
    authorize(actor(), "centre.read")
    return file(_table())


def _figures() -> dict[str, tuple[str, str]]:
    """Return title and unit of each figure of a line."""
    return {
        "account_months": (_("Account-months"), ""),
        "people": (_("Accounts that came in"), ""),
        "tunnels": (_("Tunnels"), ""),
        "hours": (_("Time in tunnels"), _("h")),
        "gib_sent": (_("Sent by the user"), "GiB"),
        "gib_received": (_("Received by the user"), "GiB"),
    }


def _figure(line: VpnUsage, name: str) -> float:
    figure: float = getattr(line, name)
    return round(figure, 2)


def _table() -> Table:
    return Table(
        id="vpn-usage",
        label=_("VPN usage"),
        endpoint="console.vpn_usage",
        sort="department",
        columns=[
            Column("department", _("Department"), lambda line: line.department_name),
            *(
                Column(name, title, partial(_figure, name=name), unit, numeric=True)
                for name, (title, unit) in _figures().items()
            ),
        ],
        filters=[
            Filter("from", _("From the day"), typed="date"),
            Filter("to", _("To the day"), typed="date"),
        ],
        fetch=_fetch,
        more_filters=(),
        nothing={
            "title": _("Nobody used the VPN in this time"),
            "advice": _("Without days, this is what was used in the last %(days)s days.", days=DAYS),
            "url": None,
            "action": None,
        },
    )


def _fetch(_listing: Listing) -> Page[Any]:
    """Read all lines at once; days are days of the site's zone."""
    found = report.vpn_usage(session(), actor(), *between(request.args, arrival().now, DAYS))
    return Page(found, None, None, len(found))
