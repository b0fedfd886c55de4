"""Reports for people and spreadsheets."""

import csv
import json
import sys
from dataclasses import asdict, fields
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from controlplane.cli.output import operator, with_session
from controlplane.reports import usage as usage_report

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
    if shape == "json":
        click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
        return
    # Excel reads UTF-8 only where a byte order mark says so.
    click.echo("\ufeff", nl=False)
    writer = csv.DictWriter(sys.stdout, [f.name for f in fields(usage_report.UsageLine)], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
