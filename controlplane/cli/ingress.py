"""Commands on what departments let in to their machines."""

from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_rows, with_session
from controlplane.ingress import PROTOCOLS
from controlplane.services import ingress as service

_COLUMNS = ("department", "protocol", "ports", "source", "note", "id")


@click.group()
def ingress() -> None:
    """What departments let in to their machines. Only pools that keep departments apart (OpenStack) enforce it."""


@ingress.command("list")
@click.option("--department", help="Code or id.")
@list_options
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List ingress rules."""
    found = lookups.ingress_rules(session, operator(), listing(asked))
    rows = [
        {
            "department": one.department.code,
            "protocol": one.protocol,
            "ports": one.says.ports,
            "source": one.source,
            "note": one.note,
            "id": one.id,
        }
        for one in found.items
    ]
    show_rows(rows, _COLUMNS, as_json=as_json)
    more(found.next)


@ingress.command()
@click.argument("department")
@click.argument("protocol", type=click.Choice(list(PROTOCOLS)))
@click.option("--ports", help="Of tcp and udp: one or a range, like 443 or 8000-8080; all without it.")
@click.option("--source", required=True, help="Network that it may come from, like 10.1.0.0/16.")
@click.option("--note", default="", help="What it is for.")
@with_session
def add(session: Session, **values: Any) -> None:
    """Let something in to all machines of a department."""
    made = service.create(session, operator(), service.NewRule(**values))
    click.echo(f"added {made.says} {made.id}")


@ingress.command()
@click.argument("rule", type=click.UUID)
@with_session
def remove(session: Session, rule: UUID) -> None:
    """Let something in no longer."""
    service.delete(session, operator(), rule)
    click.echo("removed")
