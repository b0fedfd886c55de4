"""Commands on pools."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import more
from controlplane.cli.output import as_json, operator, show_csv, show_one, show_rows, with_session
from controlplane.errors import Invalid
from controlplane.paging import Listing
from controlplane.pool_secrets import sealed
from controlplane.reports import pool_catalogue
from controlplane.reports import quota as report
from controlplane.reports.pool_catalogue import PoolCatalogueReport
from controlplane.secrets import keys
from controlplane.services import pools as service
from controlplane.settings import settings


@click.group()
def pool() -> None:
    """Pools: what resources are allocated from."""


@pool.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor")
@as_json
@with_session
def index(session: Session, limit: int, cursor: str | None, as_json: bool) -> None:
    """List pools with what they have left."""
    found = lookups.pools(session, operator(), Listing(limit, cursor))
    left = report.of_pools(session, operator(), [p.id for p in found.items])
    rows = [
        {
            "code": p.code,
            "name": p.name,
            "site": p.site.code,
            "mlps_level": p.mlps_level,
            "driver": p.driver,
            "accepting": p.accepting,
            **{f"{b.resource_class} left": b.left for b in left.get(p.id, ())},
            "id": p.id,
        }
        for p in found.items
    ]
    columns = ("code", "name", "site", "mlps_level", "driver", "accepting")
    classes = sorted({key for row in rows for key in row if key.endswith(" left")})
    show_rows(rows, (*columns, *classes), as_json=as_json)
    more(found.next)


@pool.command()
@click.argument("ref")
@as_json
@with_session
def show(session: Session, ref: str, as_json: bool) -> None:
    """Show a pool."""
    found = lookups.pool_for(session, operator(), ref)
    balances = report.of_pools(session, operator(), [found.id]).get(found.id, [])
    shown: dict[str, Any] = {"code": found.code, "name": found.name, "driver": found.driver, "id": found.id}
    for b in balances:
        shown[b.resource_class] = {"limit": b.limit, "used": b.used, "held": b.held, "left": b.left}
    show_one(shown, as_json=as_json)


_MATCH = ("kind", "code", "name", "matched_by", "found", "found_name", "trouble", "amount")


@pool.command()
@click.argument("ref")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@with_session
def catalogue(session: Session, ref: str, form: str) -> None:
    """Show what the catalogue's images and sizes are in a pool, as the last sweep found it.

    Rows of the kind `other` are images there that no offered image stands for.
    """
    found = pool_catalogue.of_pool(session, operator(), ref)
    rows = [dict.fromkeys(_MATCH) | row for row in _matches(found)]
    if form == "csv":
        show_csv(rows, _MATCH)
    else:
        show_rows(rows, _MATCH, as_json=form == "json")
    at = found.checked_at
    more = found.others_count - len(found.others)
    click.echo(f"looked at {at.isoformat(timespec='seconds')}" if at else "no sweep has told of it yet", err=True)
    if more:
        click.echo(f"{more} more of the kind other", err=True)


def _matches(found: PoolCatalogueReport) -> Iterator[dict[str, Any]]:
    for image in found.images:
        match = asdict(image.match)
        there = {"matched_by": match.pop("by"), "found": match.pop("id"), "found_name": match.pop("name")}
        yield {"kind": "image", "name": image.name, **match, **there}
    for flavor in found.flavors:
        size = flavor.match
        yield {"kind": "flavor", "code": size.code, "name": flavor.name, "found": size.id, "found_name": size.name}
    for name in found.others:
        yield {"kind": "other", "found_name": name}


_CONNECTION = 'JSON, for libvirt like {"uri": "qemu:///system"}; better @FILE or @- where a secret is in it.'


@pool.command()
@click.argument("code")
@click.option("--name", required=True)
@click.option("--kind", default="vm", show_default=True)
@click.option("--site", required=True)
@click.option("--mlps-level", type=click.IntRange(1, 4), default=3, show_default=True)
@click.option("--driver", default="libvirt", show_default=True)
@click.option("--connection", required=True, help=_CONNECTION)
@click.option("--capacity", multiple=True, required=True, metavar="CLASS=TOTAL[-RESERVED][*RATIO]")
@with_session
def create(session: Session, connection: str, capacity: tuple[str, ...], **values: Any) -> None:
    """Create a pool, like: --capacity vcpu=64*4 --capacity memory_mib=262144-8192 --capacity vm=none ..."""
    given = dict(_capacity(text) for text in capacity)
    made = service.create(session, operator(), service.NewPool(**values, connection=_read(connection), capacity=given))
    click.echo(f"created {made.code} {made.id}")


@pool.command()
@click.argument("ref")
@click.option("--accepting/--closed", default=None, help="Whether it takes new resources.")
@click.option("--drift", "drift_policy", type=click.Choice(["repair", "report"]), help="What the sweep does about it.")
@click.option("--connection", help=_CONNECTION)
@click.option(
    "--capacity-follows/--capacity-fixed", default=None, help="Whether the sweep reads from the pool how much it has."
)
@click.option("--capacity", multiple=True, metavar="CLASS=TOTAL[-RESERVED][*RATIO]")
@with_session
def update(session: Session, ref: str, capacity: tuple[str, ...], connection: str | None, **given: Any) -> None:
    """Open or close a pool, say what is done about its drift, give it another connection, or change what it has."""
    given["connection"] = _read(connection) if connection else None
    values = {name: value for name, value in given.items() if value is not None}
    changed = service.update(session, operator(), ref, values)
    if capacity:
        service.set_capacity(session, operator(), changed, dict(_capacity(text) for text in capacity))
    click.echo("changed")


def _read(connection: str) -> dict[str, Any]:
    try:
        if connection.startswith("@"):
            with click.open_file(connection[1:]) as file:
                connection = file.read()
        parsed = json.loads(connection)
    except (OSError, ValueError) as error:
        raise Invalid(field="connection", reason=f"is no JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise Invalid(field="connection", reason="is no JSON object")
    return sealed(keys(settings()), parsed)


def _capacity(text: str) -> tuple[str, service.Capacity]:
    resource_class, _, value = text.partition("=")
    if value == "none":
        return resource_class, service.Capacity(None)
    amounts, _, ratio = value.partition("*")
    total, _, reserved = amounts.partition("-")
    try:
        return resource_class, service.Capacity(int(total), int(reserved or 0), Decimal(ratio or 1))
    except (ValueError, InvalidOperation):
        raise Invalid(field=resource_class, reason="say CLASS=TOTAL[-RESERVED][*RATIO] or CLASS=none") from None
