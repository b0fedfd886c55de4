"""Commands on the register of decided requests."""

from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.options import Register
from controlplane.paging import Listing
from controlplane.services import register as service

_INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_COLUMNS = ("number", "department", "kind", "title", "submitted_at", "decided_at", "outcome", "days")


@click.group()
def register() -> None:
    """The register of decided requests (办件公示)."""


@register.command("list")
@click.option("--from", "from", type=_INSTANT, help="First instant of the decision, UTC.")
@click.option("--to", "to", type=_INSTANT, help="First instant after, UTC.")
@click.option("--department", help="Code, id or a part of the name of a department.")
@click.option("--kind", help="vm, quota or mixed.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--cursor", help="The cursor that the page before gave.")
@as_json
@with_session
def index(session: Session, limit: int, cursor: str | None, as_json: bool, **asked: Any) -> None:
    """List decided requests, the newest first."""
    given = {name: value for name, value in asked.items() if value is not None}
    filters = {n: v.replace(tzinfo=UTC).isoformat() if isinstance(v, datetime) else v for n, v in given.items()}
    found = lookups.register(session, operator(), Listing(limit, cursor, None, filters))
    rows = [{**{name: getattr(e, name) for name in _COLUMNS}, "department": e.department.code} for e in found.items]
    show_rows(rows, _COLUMNS, as_json=as_json)
    more(found.next)


@register.command()
@as_json
@with_session
def show(session: Session, as_json: bool) -> None:
    """Show whether it is public, and whether it has titles."""
    show_one(service.shown(session, operator()).model_dump(), as_json=as_json)


@register.command("set")
@click.option("--public/--closed", required=True, help="Whether everybody can read it without an account.")
@click.option("--titles/--no-titles", default=False, show_default=True, help="Whether it shows titles.")
@with_session
def change(session: Session, public: bool, titles: bool) -> None:
    """Open it to everybody, or close it."""
    service.change(session, operator(), Register(public=public, titles=titles))
    click.echo("public" if public else "closed")
