"""Commands on the installation itself: doctor, settings, database."""

import sys
from typing import Any

import click

from controlplane import bootstrap, schema
from controlplane.cli.output import EXIT_TROUBLE, as_json, opened, show_rows
from controlplane.doctor import examine
from controlplane.settings import Settings, settings

_SECRET = {"secret_key", "sealing_keys", "database_url", "oidc_client_secret", "mail_password"}
_SIGNS = {"good": "ok", "warning": "look", "bad": "BAD"}


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Say in plain words what is wrong with this installation."""
    with opened() as installation:
        findings = list(examine(installation))
    rows = [{"": _SIGNS[f.verdict], "check": f.check, "found": f.found, "advice": f.advice} for f in findings]
    show_rows(rows, ("", "check", "found", "advice"), as_json=as_json)
    if any(f.verdict == "bad" for f in findings):
        sys.exit(EXIT_TROUBLE)


@click.command("settings")
@as_json
def settings_table(as_json: bool) -> None:
    """List every setting with its environment variable, value and meaning."""
    current: dict[str, Any] = settings().model_dump()
    rows = [
        {
            "variable": f"STEPPE_{name.upper()}",
            "value": "(set)" if name in _SECRET and current[name] else current[name],
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    show_rows(rows, ("variable", "value", "meaning"), as_json=as_json)


@click.group()
def db() -> None:
    """The database."""


@db.command()
def upgrade() -> None:
    """Bring the schema up to date."""
    with bootstrap.database(settings()) as url:
        schema.upgrade(url)
    click.echo("The schema is up to date.")


@db.command()
def current() -> None:
    """Print the schema's revision and the one that this version needs."""
    with opened() as installation:
        at, needed = schema.revisions(installation.engine)
    click.echo(f"at {at or 'nothing'}, needs {needed}")
    if at != needed:
        sys.exit(EXIT_TROUBLE)
