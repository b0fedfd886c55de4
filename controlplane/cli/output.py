"""How commands speak: tables for people, JSON for scripts, one line and an exit code for a refusal."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from controlplane import bootstrap
from controlplane.actor import Actor, system
from controlplane.bootstrap import Installation
from controlplane.db import new_id, transaction
from controlplane.errors import Refusal
from controlplane.reports.trail import cell
from controlplane.settings import settings

EXIT_TROUBLE, EXIT_USAGE, EXIT_REFUSED, EXIT_NOT_FOUND = 1, 2, 3, 4

Row = Mapping[str, Any]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def operator() -> Actor:
    """Return the actor of a command: whoever may run it on the host is its operator."""
    return system("operator", new_id().hex)


@contextmanager
def opened() -> Iterator[Installation]:
    """Give the installation, started where it does not run; refusals end the command with their own exit code."""
    try:
        with bootstrap.installation(settings()) as installation:
            yield installation
    except Refusal as refusal:
        click.echo(f"Refused ({refusal.code}): {refusal.message}", err=True)
        for problem in refusal.numbers().get("problems", ()):
            click.echo(f"  {_problem(problem)}", err=True)
        sys.exit(EXIT_NOT_FOUND if refusal.status == 404 else EXIT_REFUSED)
    except ValidationError as error:
        for wrong in error.errors():
            click.echo(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}", err=True)
        sys.exit(EXIT_USAGE)
    except ProgrammingError as error:
        click.echo(f"The database is not ready: {_first_line(error)}. Run `steppe db upgrade`.", err=True)
        sys.exit(EXIT_TROUBLE)
    except OperationalError as error:
        click.echo(f"The database does not answer: {_first_line(error)}", err=True)
        sys.exit(EXIT_TROUBLE)


@contextmanager
def session() -> Iterator[Session]:
    """Give a session of the installation; its transaction is committed at the end."""
    with opened() as installation, transaction(installation.sessions) as opened_session:
        yield opened_session


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """Hand a command a session of one transaction as its first argument."""

    @wraps(command)
    def run(*args: Any, **values: Any) -> None:
        with session() as given:
            command(given, *args, **values)

    return run


def show_rows(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Print many things: a table of `columns`, or everything as JSON."""
    if as_json:
        click.echo(_dumped(list(rows)))
        return
    if not rows:
        click.echo("nothing")
        return
    table = Table(box=None, pad_edge=False)
    numeric = {c for c in columns if all(isinstance(row.get(c), int | float) for row in rows)}
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    _console().print(table)


def show_csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print many things as CSV that spreadsheets open rightly."""
    # Excel reads UTF-8 only where a byte order mark says so.
    click.echo("\ufeff", nl=False)
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(
        {key: cell(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
    )


def show_one(thing: Row, *, as_json: bool) -> None:
    """Print one thing: a line for each field, or JSON."""
    if as_json:
        click.echo(_dumped(thing))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in thing.items():
        table.add_row(key, _cell(value))
    _console().print(table)


def _console() -> Console:
    # A pipe has no width of its own: never fold what a script may read.
    return Console(width=None if sys.stdout.isatty() else 250)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _problem(problem: Mapping[str, Any]) -> str:
    where = f"row {problem['row']}" if "row" in problem else problem.get("field", "")
    return f"{where}: {problem['detail']}"


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0]
