"""Commands on the links under which a request can be followed without an account."""

from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from controlplane import progress_links
from controlplane.cli.output import operator, with_session
from controlplane.secrets import keys
from controlplane.services import progress_links as service
from controlplane.settings import settings


@click.group("progress-link")
def progress_link() -> None:
    """Links under which a request can be followed without an account."""


@progress_link.command()
@click.argument("request")
@click.option("--days", type=click.IntRange(1, service.MOST_DAYS), default=service.DAYS, show_default=True)
@with_session
def make(session: Session, request: str, days: int) -> None:
    """Make a link and print it; the one before is good no longer."""
    link = service.make(session, operator(), request, days, datetime.now(UTC))
    start = (settings().public_url or f"http://{settings().listen}").rstrip("/")
    click.echo(f"{start}/progress/{progress_links.written(keys(settings()), link)}")


@progress_link.command()
@click.argument("request")
@with_session
def revoke(session: Session, request: str) -> None:
    """End the link to a request."""
    service.revoke(session, operator(), request)
    click.echo("revoked")
