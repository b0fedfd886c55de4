"""Reports."""

from dataclasses import asdict

from flask import Response

from controlplane.reports import decisions as report
from controlplane.reports import vpn_usage as vpn_report
from web import present
from web.api.nouns import noun
from web.context import actor, session
from web.published import Decisions, DecisionsQuery, PeriodQuery, VpnUsages

api = noun("reports", "/reports", "Figures over a period")


@api.get("/decisions", responses={200: Decisions})
def decisions(query: DecisionsQuery) -> Response:
    """Show how long decisions took on the requests that were decided in a period

    Hours that a request lay with those who decide: what lay with the asker between a return and the next submission
    does not count.
    """
    found = report.decisions(session(), actor(), query.since, query.until, query.by)
    return present.answer({"items": [asdict(line) for line in found]})


@api.get("/vpn-usage", responses={200: VpnUsages})
def vpn_usage(query: PeriodQuery) -> Response:
    """Show what departments used of the VPN in a period

    Accounts by the ledger; tunnels, hours and GiB by RADIUS accounting. Of a tunnel that was up beyond the period the
    part of its time, and the same part of its bytes.
    """
    found = vpn_report.vpn_usage(session(), actor(), query.since, query.until)
    return present.answer({"items": [asdict(line) for line in found]})
