"""Commands on business systems."""

from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_rows, with_session
from controlplane.services import systems as service


@click.group()
def system() -> None:
    """Business systems of departments."""


@system.command("list")
@click.option("--department", help="Code of a department.")
@click.option("--mlps-level", type=click.IntRange(1, 4))
@list_options
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List systems."""
    found = lookups.systems(session, operator(), listing(asked))
    rows = [
        {
            "code": s.code,
            "name": s.name,
            "name_en": s.name_en,
            "department": s.department.code,
            "mlps_level": s.mlps_level,
            "contact": s.contact_name,
            "id": s.id,
        }
        for s in found.items
    ]
    show_rows(rows, ("code", "name", "department", "mlps_level", "contact"), as_json=as_json)
    more(found.next)


@system.command()
@click.argument("code")
@click.option("--department", required=True)
@click.option("--name", required=True)
@click.option("--name-en", required=True)
@click.option("--mlps-level", type=click.IntRange(1, 4), required=True)
@click.option("--contact-name", required=True)
@click.option("--contact-phone", required=True)
@click.option("--contact-email", required=True)
@with_session
def create(session: Session, **values: Any) -> None:
    """Register a system."""
    made = service.create(session, operator(), service.NewSystem(**values))
    click.echo(f"created {made.code} {made.id}")


@system.command()
@click.argument("ref")
@with_session
def delete(session: Session, ref: str) -> None:
    """Close a system that nothing serves any more."""
    service.delete(session, operator(), ref)
    click.echo("closed")
