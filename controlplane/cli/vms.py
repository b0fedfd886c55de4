"""Commands on virtual machines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, opened, operator, show_one, show_rows, with_session
from controlplane.cli.waiting import until_settled
from controlplane.db import transaction
from controlplane.services import requests, resources

KIND = "vm"


@click.group()
def vm() -> None:
    """Virtual machines."""


@vm.command("list")
@click.option("--department", help="Code of a department.")
@click.option("--system", help="Code of a system.")
@click.option("--pool", help="Code of a pool.")
@click.option("--subnet", help="Code of a subnet: those with an address of it.")
@click.option("--state", help="One or more states, separated by commas.")
@list_options
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List VMs; --search finds any part of a name or an address."""
    found = lookups.resources(session, operator(), KIND, listing(asked))
    rows = [_row(v) for v in found.items]
    show_rows(rows, ("name", "state", "department", "system", "vcpu", "memory_mib", "addresses", "id"), as_json=as_json)
    more(found.next)


@vm.command()
@click.argument("vm_id", type=click.UUID)
@as_json
@with_session
def show(session: Session, vm_id: UUID, as_json: bool) -> None:
    """Show a VM."""
    show_one(_row(lookups.resource_for(session, operator(), KIND, vm_id)), as_json=as_json)


@vm.command()
@click.argument("name")
@click.option("--department", required=True)
@click.option("--system", required=True)
@click.option("--flavor")
@click.option("--vcpu", type=int)
@click.option("--memory-mib", type=int)
@click.option("--disk-gib", type=int)
@click.option("--data-disk", "data_disks", type=int, multiple=True, help="GiB of a further disk; may be repeated.")
@click.option("--image", required=True)
@click.option("--subnet", "subnets", multiple=True, required=True, help="May be given twice: IPv4 and IPv6.")
@click.option("--floating-subnet", help="A subnet of floating addresses: by one it is reached from other networks.")
@click.option("--ssh-key", "ssh_keys", multiple=True)
@click.option("--user-data", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A cloud-init file.")
@click.option("--anti-affinity")
@click.option("--lease-until", help="RFC 3339, like 2027-01-01T00:00:00Z.")
@click.option("--count", type=click.IntRange(1, 1000), default=1, help="Make NAME-1, NAME-2 ..., all or none.")
@click.option("--wait", is_flag=True, help="Until it runs, or is faulted.")
@as_json
def create(department: str, count: int, wait: bool, as_json: bool, **values: Any) -> None:
    """Ask for one VM or many."""
    items = list(_items(values, count))
    with opened() as installation:
        with transaction(installation.sessions) as session:
            submitted = requests.submit(session, operator(), requests.Ask(KIND, department, items))
            ids = [made.id for made in submitted.resources]
        if wait:
            until_settled(installation.sessions, ids)
        with transaction(installation.sessions) as session:
            rows = [_row(lookups.resource_for(session, operator(), KIND, i)) for i in ids]
    if len(rows) == 1:
        show_one(rows[0], as_json=as_json)
    else:
        show_rows(rows, ("name", "state", "addresses", "pool", "id"), as_json=as_json)


@vm.command()
@click.argument("vm_id", type=click.UUID)
@click.option("--wait", is_flag=True, help="Until it is gone, or faulted.")
def delete(vm_id: UUID, wait: bool) -> None:
    """Delete a VM and everything on its disks."""
    with opened() as installation:
        with transaction(installation.sessions) as session:
            resources.delete(session, operator(), KIND, vm_id)
        if wait:
            until_settled(installation.sessions, [vm_id])
    click.echo("deleted" if wait else "deleting")


def _verb(name: str, description: str, *options: Any) -> None:
    @click.argument("vm_id", type=click.UUID)
    @click.option("--wait", is_flag=True, help="Until it is done.")
    def run(vm_id: UUID, wait: bool, **values: Any) -> None:
        body = _given(values)
        with opened() as installation:
            with transaction(installation.sessions) as session:
                resources.act(session, operator(), resources.Order(KIND, vm_id, name.replace("-", "_"), body))
            if wait:
                until_settled(installation.sessions, [vm_id])
            with transaction(installation.sessions) as session:
                state = lookups.resource_for(session, operator(), KIND, vm_id).state
        click.echo(state)

    for option in options:
        run = option(run)
    vm.command(name, help=description)(run)


_verb("start", "Power on.")
_verb("stop", "Power off.")
_verb("reboot", "Restart.")
_verb("retry", "Try a faulted VM again.")
_verb(
    "rebuild",
    "Start again from an image; what is on the disk is lost, data disks keep theirs.",
    click.option("--image"),
)
_verb(
    "float",
    "Give it a floating address, by which others reach it from outside its network.",
    click.option("--subnet", required=True, help="A subnet of floating addresses, by code."),
)
_verb("unfloat", "Take its floating address away.")
_verb(
    "snapshot",
    "Keep what is on its disk under a name; data disks are not in it.",
    click.option("--name", required=True, help="Unique among its snapshots."),
)
_OF_SNAPSHOT = click.option("--snapshot", required=True, help="Name of the snapshot.")
_verb("restore", "Put its disk back to what a snapshot holds; what is on the disk is lost.", _OF_SNAPSHOT)
_verb("drop-snapshot", "Delete one of its snapshots.", _OF_SNAPSHOT)
_verb(
    "resize",
    "Give it another size; it is restarted for it.",
    click.option("--flavor"),
    click.option("--vcpu", type=int),
    click.option("--memory-mib", type=int),
    click.option("--disk-gib", type=int),
    click.option(
        "--data-disk",
        "data_disks",
        type=int,
        multiple=True,
        help="GiB of each data disk in order, those that it has first; without it they stay as they are.",
    ),
)


def _items(values: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    user_data = values.pop("user_data")
    item = _given(values)
    if user_data:
        item["user_data"] = user_data.read_text()
    if count == 1:
        yield item
    else:
        for number in range(1, count + 1):
            yield {**item, "name": f"{item['name']}-{number}"}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items() if v not in {None, ()}}


def _row(v: Any) -> dict[str, Any]:
    return {
        "id": str(v.id),
        "name": v.name,
        "state": v.state,
        "department": v.department.code,
        "system": v.system.code,
        "vcpu": v.wanted["vcpu"],
        "memory_mib": v.wanted["memory_mib"],
        "disk_gib": v.wanted["disk_gib"],
        "data_disks": v.wanted.get("data_disks", []),
        "image": v.wanted["image"],
        "addresses": [str(c.address) for c in v.claims if not c.subnet.floating],
        "floating_address": (v.wanted.get("floating") or {}).get("address"),
        "snapshots": [snapshot["name"] for snapshot in v.wanted.get("snapshots", [])],
        "pool": v.pool.code,
        "fault": v.fault_detail,
        "waiting": v.waiting_reason,
        "next_try_at": v.next_try_at.isoformat() if v.next_try_at else None,
    }
