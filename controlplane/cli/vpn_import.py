"""The command that imports VPN accounts from a table, by the operator of the host: checked and made at once, or not."""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from controlplane.allocation import Submitted
from controlplane.cli.output import EXIT_REFUSED, opened, operator
from controlplane.cli.progress import telling
from controlplane.secrets import keys
from controlplane.services import requests
from controlplane.vpn_import.attempt import Means, Table, attempt
from controlplane.vpn_import.problems import MOST_KEPT, Faulty
from controlplane.vpn_sheets import MIB, MOST_MIB


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--department", required=True, help="Code of the department that they are for.")
@click.option("--dry-run", is_flag=True, help="Only say what would be made, or what is wrong.")
def import_accounts(file: Path, department: str, dry_run: bool) -> None:
    """Import VPN accounts from a CSV or XLSX file, all or none."""
    with file.open("rb") as source:
        table = Table(department, file.name, source.read(MOST_MIB * MIB + 1))
    try:
        submitted = _imported(table, dry_run=dry_run)
    except Faulty as faulty:
        for one in faulty.problems[:MOST_KEPT]:
            where = f"line {one.line}: " if one.line else ""
            click.echo(f"{where}{one.column + ': ' if one.column else ''}{one.detail}", err=True)
        click.echo(f"nothing was imported; wrong in all: {len(faulty.problems)}", err=True)
        sys.exit(EXIT_REFUSED)
    count = len(submitted.resources)
    click.echo(f"{count} accounts can be imported" if dry_run else f"imported {count} accounts by {submitted.id}")


def _imported(table: Table, *, dry_run: bool) -> Submitted:
    with opened() as installation, installation.sessions() as session, telling() as tell:
        zone = ZoneInfo(installation.settings.time_zone)
        ask = requests.rehearse if dry_run else requests.submit
        submitted = attempt(session, operator(), Means(keys(installation.settings), zone, tell, ask), table)
        if not dry_run:
            session.commit()
        return submitted
