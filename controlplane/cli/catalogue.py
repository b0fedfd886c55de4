"""Commands on what departments choose from."""

from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.models import Department
from controlplane.services import catalogue as service

_COLUMNS = {
    "site": ("code", "name", "name_en", "level"),
    "flavor": ("code", "name", "vcpu", "memory_mib", "disk_gib", "offered"),
    "image": ("code", "name", "os", "min_disk_gib", "source", "offered"),
    "subnet": ("code", "name", "cidr", "gateway", "network", "department", "floating"),
}
_LISTS = {
    "site": lookups.sites,
    "flavor": lookups.flavors,
    "image": lookups.images,
    "subnet": lookups.subnets,
}


def _group(noun: str, description: str) -> click.Group:
    """Return the group of a noun with its list."""
    group = click.Group(noun, help=description)

    @group.command("list")
    @list_options
    @as_json
    @with_session
    def index(session: Session, as_json: bool, **asked: Any) -> None:
        """List them."""
        found: Any = _LISTS[noun](session, operator(), listing(asked))
        rows = [_row(item, *_COLUMNS[noun], "id") for item in found.items]
        show_rows(rows, _COLUMNS[noun], as_json=as_json)
        more(found.next)

    return group


def _row(item: Any, *columns: str) -> dict[str, Any]:
    """Return a thing's columns; of a department its code."""
    values = {column: getattr(item, column) for column in columns}
    return {column: v.code if isinstance(v, Department) else v for column, v in values.items()}


site = _group("site", "Places on the network.")
flavor = _group("flavor", "Sizes that have a name.")
image = _group("image", "Operating systems to start from.")
subnet = _group("subnet", "Addresses to give out.")


@site.command("create")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--name-en", required=True)
@click.option("--level", type=click.Choice(["region", "prefecture", "county"]), required=True)
@click.option("--parent", help="Code of the site above it.")
@with_session
def create_site(session: Session, **values: Any) -> None:
    """Create a site."""
    click.echo(f"created {service.create_site(session, operator(), values).id}")


@flavor.command("create")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--vcpu", type=click.IntRange(1), required=True)
@click.option("--memory-mib", type=click.IntRange(1), required=True)
@click.option("--disk-gib", type=click.IntRange(1), required=True)
@with_session
def create_flavor(session: Session, **values: Any) -> None:
    """Create a flavor."""
    click.echo(f"created {service.create_flavor(session, operator(), values).id}")


@image.command("create")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--os", required=True)
@click.option("--min-disk-gib", type=click.IntRange(1), required=True)
@click.option("--source", help="Path that the hypervisor hosts can read.")
@with_session
def create_image(session: Session, **values: Any) -> None:
    """Create an image."""
    click.echo(f"created {service.create_image(session, operator(), values).id}")


@subnet.command("create")
@click.argument("code")
@click.option("--name", required=True)
@click.option("--site", required=True)
@click.option("--cidr", required=True)
@click.option("--gateway")
@click.option("--network", required=True)
@click.option("--department", help="Whose own it is, by code: it and those below it alone get addresses of it.")
@click.option("--dns", multiple=True)
@click.option("--reserved", multiple=True, help="The centre's own use: a, a-b or CIDR; may be repeated.")
@click.option("--excluded", multiple=True, help="Never used: a, a-b or CIDR; may be repeated.")
@click.option("--floating", is_flag=True, help="By its addresses VMs on other networks are reached from --network.")
@with_session
def create_subnet(session: Session, **values: Any) -> None:
    """Create a subnet."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    click.echo(f"created {service.create_subnet(session, operator(), plain).id}")


@subnet.command("delete")
@click.argument("ref")
@with_session
def delete_subnet(session: Session, ref: str) -> None:
    """Remove a subnet of which no address is given; a network that was made for it goes as well."""
    service.delete_subnet(session, operator(), ref)
    click.echo(f"deleted {ref}")


@subnet.command("show")
@click.argument("ref")
@as_json
@with_session
def show_subnet(session: Session, ref: str, as_json: bool) -> None:
    """Show a subnet with how many addresses it can give and has given."""
    found = lookups.subnet_for(session, operator(), ref)
    shown = _row(found, *_COLUMNS["subnet"], "reserved", "excluded", "dns")
    show_one({**shown, **lookups.addresses(session, found)}, as_json=as_json)
