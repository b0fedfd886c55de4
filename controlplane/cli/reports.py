"""Reports for people and spreadsheets."""

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane.cli.output import operator, show_csv, with_session
from controlplane.reports import decisions as decisions_report
from controlplane.reports import usage as usage_report
from controlplane.reports import vpn_usage as vpn_report

_INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def report() -> None:
    """Reports."""


@report.command()
@click.option("--from", "start", type=_INSTANT, required=True, help="First instant, UTC.")
@click.option("--to", "end", type=_INSTANT, required=True, help="First instant after the period, UTC.")
@click.option("--department", help="Code of a department; all where it is left out.")
@click.option("--format", "shape", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@with_session
def usage(session: Session, start: datetime, end: datetime, department: str | None, shape: str) -> None:
    """Unit-hours per department, system and resource in a period."""
    found = usage_report.usage(session, operator(), start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    lines = [asdict(line) for line in found if department in {None, line.department}]
    _print(lines, [f.name for f in fields(usage_report.UsageLine)], shape)


@report.command()
@click.option("--from", "start", type=_INSTANT, required=True, help="First instant, UTC.")
@click.option("--to", "end", type=_INSTANT, required=True, help="First instant after the period, UTC.")
@click.option("--by", type=click.Choice(decisions_report.BY), default="kind", show_default=True)
@click.option("--format", "shape", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@with_session
def decisions(session: Session, start: datetime, end: datetime, by: str, shape: str) -> None:
    """How long decisions took on the requests that were decided in a period, in hours with those who decide."""
    found = decisions_report.decisions(session, operator(), start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), by)
    _print([asdict(line) for line in found], [f.name for f in fields(decisions_report.DecisionTimes)], shape)


@report.command("vpn-usage")
@click.option("--from", "start", type=_INSTANT, required=True, help="First instant, UTC.")
@click.option("--to", "end", type=_INSTANT, required=True, help="First instant after the period, UTC.")
@click.option("--format", "shape", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@with_session
def vpn_usage(session: Session, start: datetime, end: datetime, shape: str) -> None:
    """Account-months, tunnels, hours and GiB of each department's VPN in a period."""
    found = vpn_report.vpn_usage(session, operator(), start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    _print([asdict(line) for line in found], [f.name for f in fields(vpn_report.VpnUsage)], shape)


def _print(lines: list[dict[str, Any]], columns: list[str], shape: str) -> None:
    if shape == "json":
        click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
    else:
        show_csv(lines, columns)
