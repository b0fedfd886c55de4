"""Commands on the model centre."""

import json
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from controlplane.centre.data_files import models
from controlplane.centre.loader import Load, is_loaded
from controlplane.cli.output import as_json, opened, operator, with_session
from controlplane.cli.progress import load_with_progress
from controlplane.db import transaction
from controlplane.kinds import KINDS
from controlplane.reports import bulletin as report
from controlplane.secrets import keys


@click.group()
def centre() -> None:
    """The model centre."""


@centre.command()
@click.argument("name", type=click.Choice(models()))
@click.option("--scale", type=click.IntRange(1, 200), default=1, show_default=True, help="Number of copies.")
@click.option("--only", type=click.Choice(sorted(KINDS)), help="Resources of this kind alone.")
def load(name: str, scale: int, only: str | None) -> None:
    """Load a model centre; a load that was cut off is taken up where it stopped."""
    with opened() as installation:
        with transaction(installation.sessions) as session:
            loaded = is_loaded(session, name)
        if loaded and scale == 1:
            click.echo(f"{name} was loaded before; nothing to do")
            return
        kinds = frozenset({only} if only else KINDS)
        load_with_progress(installation.sessions, Load(name, keys(installation.settings), scale, kinds))


@centre.command()
@click.option("--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="As of this instant, UTC.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@as_json
@with_session
def bulletin(session: Session, at: datetime | None, language: str, as_json: bool) -> None:
    """Print the centre's headline figures as the newspaper did, from live data."""
    instant = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    figures = report.bulletin(session, operator(), instant)
    click.echo(json.dumps(figures, ensure_ascii=False) if as_json else report.paragraph(figures, language))
