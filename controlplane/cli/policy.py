"""Printing who may do what."""

import json

import click
from rich.console import Console
from rich.table import Table

from controlplane import policy as rules


@click.group()
def policy() -> None:
    """Which role may do what."""


@policy.command()
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
def show(form: str) -> None:
    """Print the table of roles and actions that everything is decided by."""
    rows = rules.table()
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("action", box=None, pad_edge=False)
    for role in rules.ROLES:
        table.add_column(role.replace("_", "\n"), justify="center")
    for row in rows:
        table.add_row(str(row["action"]), *("yes" if row[role] else "·" for role in rules.ROLES))
    Console(width=110).print(table)
