"""Commands on departments and quotas."""

from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.errors import Invalid
from controlplane.reports import quota as report
from controlplane.services import departments as service


@click.group()
def department() -> None:
    """Departments: the tenants."""


@department.command("list")
@list_options
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List departments."""
    found = lookups.departments(session, operator(), listing(asked))
    rows = [
        {"code": d.code, "name": d.name, "name_en": d.name_en, "site": d.site.code, "id": d.id} for d in found.items
    ]
    show_rows(rows, ("code", "name", "name_en", "site"), as_json=as_json)
    more(found.next)


@department.command()
@click.argument("code")
@click.option("--name", required=True)
@click.option("--name-en", required=True)
@click.option("--site", required=True, help="Code of its site.")
@click.option("--parent", help="Code of the department above it.")
@with_session
def create(session: Session, code: str, name: str, name_en: str, site: str, parent: str | None) -> None:
    """Create a department; give it a quota with `steppe quota set`."""
    made = service.create(session, operator(), service.NewDepartment(code, name, name_en, site, parent))
    click.echo(f"created {made.code} {made.id}")


@department.command()
@click.argument("ref")
@with_session
def delete(session: Session, ref: str) -> None:
    """Close a department that holds nothing."""
    service.delete(session, operator(), ref)
    click.echo("closed")


@click.group()
def quota() -> None:
    """Quotas: what a department may hold."""


@quota.command()
@click.argument("department_ref", metavar="DEPARTMENT")
@as_json
@with_session
def show(session: Session, department_ref: str, as_json: bool) -> None:
    """Show limits, use and holds of a department."""
    found = lookups.department_for(session, operator(), department_ref, "quota.read")
    _show(session, found, as_json=as_json)


@quota.command("set")
@click.argument("department_ref", metavar="DEPARTMENT")
@click.argument("limits", nargs=-1, required=True, metavar="CLASS=LIMIT...")
@as_json
@with_session
def set_limits(session: Session, department_ref: str, limits: tuple[str, ...], as_json: bool) -> None:
    """Set limits, like `vcpu=64 memory_mib=131072 vm=none`."""
    changed = service.set_quota(session, operator(), department_ref, dict(_limit(text) for text in limits))
    _show(session, changed, as_json=as_json)


def _limit(text: str) -> tuple[str, int | None]:
    resource_class, _, value = text.partition("=")
    if value == "none":
        return resource_class, None
    if not value.isdigit():
        raise Invalid(field=resource_class, reason="say CLASS=NUMBER, or CLASS=none for no limit")
    return resource_class, int(value)


def _show(session: Session, found: Any, *, as_json: bool) -> None:
    balances = report.of_departments(session, operator(), [found.id]).get(found.id, [])
    rows = [
        {"class": b.resource_class, "limit": b.limit, "used": b.used, "held": b.held, "left": b.left} for b in balances
    ]
    if as_json:
        show_one({"department": found.code, "classes": rows}, as_json=True)
    else:
        show_rows(rows, ("class", "limit", "used", "held", "left"), as_json=False)
