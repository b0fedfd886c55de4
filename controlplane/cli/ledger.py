"""Commands on the ledger."""

import sys
from dataclasses import asdict

import click
from sqlalchemy.orm import Session

from controlplane.cli.output import EXIT_TROUBLE, as_json, show_rows, with_session
from quotas.verify import verify as recompute


@click.group()
def ledger() -> None:
    """The ledger of limits, holds and use."""


@ledger.command()
@as_json
@with_session
def verify(session: Session, as_json: bool) -> None:
    """Recompute every balance from the postings; exit 1 if one differs."""
    wrong = [asdict(d) for d in recompute(session)]
    if wrong:
        show_rows(wrong, ("what", "owner", "resource_class", "recorded", "posted"), as_json=as_json)
        sys.exit(EXIT_TROUBLE)
    if as_json:
        click.echo("[]")
    else:
        click.echo("ledger: every balance is the sum of its postings, every limit the last one recorded")
