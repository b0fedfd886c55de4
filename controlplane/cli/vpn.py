"""Commands on VPN accounts, and on what departments have at VPN gateways."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups, persons, vpn_rows, vpn_slips
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.paging import Listing
from controlplane.persons import Person
from controlplane.secrets import keys
from controlplane.services import requests, resources, vpn_credentials, vpn_groups, vpn_moves, vpn_orders
from controlplane.services.vpn_credentials import Which
from controlplane.settings import settings
from controlplane.vpn_slips import FIELDS, LEAST_PASSPHRASE

KIND = "vpn_account"
_WORDS = dict(zip(FIELDS, FIELDS, strict=True))


@click.group()
def vpn() -> None:
    """VPN accounts, and groups at gateways."""


@vpn.command("list")
@click.option("--department", help="Code of a department.")
@click.option("--system", help="Code of a system.")
@click.option("--pool", help="Code of a gateway.")
@click.option("--state", help="One or more states, separated by commas.")
@click.option("--confirm", type=click.Choice(["due"]), help="Those that their department has to confirm.")
@list_options
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List accounts; --search finds any part of a user name."""
    found = lookups.vpn_accounts(session, operator(), listing(asked))
    rows = [_row(r) for r in found.items]
    show_rows(rows, ("username", "state", "department", "system", "gateway", "lease_until", "id"), as_json=as_json)
    more(found.next)


@vpn.command()
@click.argument("account_id", type=click.UUID)
@as_json
@with_session
def show(session: Session, account_id: Any, as_json: bool) -> None:
    """Show an account and whose it is."""
    found = lookups.resource_for(session, operator(), KIND, account_id)
    aside = lookups.vpn_accounts_of(session, operator(), [found.id])[found.id]
    person = persons.opened(keys(settings()), aside.person).model_dump(exclude_none=True)
    shown = {**_row(found), "person": person, "issued_at": _stamp(aside.issued_at)}
    show_one({**shown, "last_login_at": _stamp(aside.last_login_at)}, as_json=as_json)


@vpn.command()
@click.option("--department", required=True)
@click.option("--username", help="Left out where the department has a rule that makes it.")
@click.option("--name", required=True, help="Of the person.")
@click.option("--number", required=True, help="What the department knows the person by.")
@click.option("--phone")
@click.option("--mail")
@click.option("--system", help="The one system that it reaches; without one, all of the department.")
@click.option("--gateway")
@click.option("--max-sessions", type=click.IntRange(1, 10))
@click.option("--lease-until", help="RFC 3339, like 2027-01-01T00:00:00Z.")
@with_session
def create(session: Session, department: str, **values: Any) -> None:
    """Ask for one account."""
    said = {key: value for key, value in values.items() if value is not None}
    person = {key: said.pop(key) for key in ("name", "number", "phone", "mail") if key in said}
    row = vpn_rows.VpnAccountRow.model_validate({**said, "person": Person.model_validate(person)})
    specs = vpn_rows.specs(session, operator(), keys(settings()), department, [row])
    submitted = requests.submit(session, operator(), requests.Ask(KIND, department, specs))
    click.echo(f"{submitted.resources[0].prepared.name} {submitted.resources[0].id}")


def _order(name: str, description: str, *options: Any) -> None:
    @click.option("--department", required=True)
    @click.option("--state", help="Only those in one of these states, separated by commas.")
    @click.option("--system", help="Only those of this system.")
    @click.option("--unused-since", type=click.DateTime(["%Y-%m-%d"]), help="Only those that nobody used since.")
    @click.argument("account_ids", type=click.UUID, nargs=-1)
    @with_session
    def run(session: Session, department: str, account_ids: Any, until: Any = None, **chosen: Any) -> None:
        since = chosen.pop("unused_since")
        which = vpn_orders.Which(department, account_ids, **chosen, unused_since=since and since.astimezone())
        done = vpn_orders.act(session, operator(), vpn_orders.Order(name, which, until and until.astimezone()))
        click.echo(f"{name}: {len(done)} accounts")

    for option in options:
        run = option(run)
    vpn.command(name, help=f"{description} All of a department that fit, or those named by id.")(run)


_order("suspend", "Keep accounts out until they are resumed; their tunnels end.")
_order("resume", "Let suspended accounts in again.")
_order("revoke", "Take accounts away for good.")
_order("confirm", "Say that accounts are still needed.")
_order(
    "extend",
    "Let accounts be good for longer.",
    click.option("--until", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), required=True),
)


@vpn.command()
@click.option("--department", required=True)
@click.option("--state", help="Only those in one of these states, separated by commas.")
@click.option("--system", help="Only those of this system.")
@click.option("--to-gateway", "gateway", help="Code of the gateway that they are to be at.")
@click.option("--to-system", help="The one system that they are to reach.")
@click.option("--to-department", "whole", is_flag=True, help="They are to reach all of the department.")
@click.argument("account_ids", type=click.UUID, nargs=-1)
@with_session
def move(session: Session, department: str, account_ids: Any, **said: Any) -> None:
    """Move accounts to another gateway or group; passwords stay good. All of a department that fit, or those named by
    id."""
    which = vpn_orders.Which(department, account_ids, said["state"], said["system"])
    target = vpn_moves.Target(said["gateway"], said["to_system"], said["whole"])
    click.echo(f"move: {len(vpn_moves.move(session, operator(), which, target))} accounts")


@vpn.command()
@click.argument("account_id", type=click.UUID)
@with_session
def delete(session: Session, account_id: Any) -> None:
    """Revoke one account."""
    resources.delete(session, operator(), KIND, account_id)
    click.echo("deleting")


@vpn.command("hand-out")
@click.option("--department", required=True)
@click.option("--form", type=click.Choice(["csv", "pdf"]), default="csv", show_default=True)
@click.option("--file", "path", type=click.Path(exists=False, dir_okay=False, path_type=Path), required=True)
@click.option("--passphrase", prompt=True, hide_input=True, confirmation_prompt=True, help="What opens the file.")
@click.argument("account_ids", type=click.UUID, nargs=-1)
@with_session
def hand_out(
    session: Session, department: str, form: vpn_slips.Form, path: Path, passphrase: str, account_ids: Any
) -> None:
    """Make new passwords, told this once, in a ZIP file that only the passphrase opens: of all accounts that have none,
    or of those named by id."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise click.UsageError(f"a passphrase takes {LEAST_PASSPHRASE} characters or more")
    issued = vpn_credentials.issue(session, operator(), keys(settings()), Which(department, account_ids))
    with path.open("xb") as file:
        file.write(vpn_slips.packed([vpn_slips.slip(_WORDS, one.values()) for one in issued], form, passphrase))
    click.echo(f"{len(issued)} passwords in {path}")


@vpn.command("radius-keys")
def radius_keys() -> None:
    """Print the key ring of a RADIUS server: what it opens the secrets of second factors with. Keep it to that host."""
    click.echo(keys(settings()).radius.file(), nl=False)


@vpn.command()
@click.option("--department", help="Code of a department.")
@click.option("--gateway", help="Code of a gateway.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor")
@as_json
@with_session
def groups(session: Session, limit: int, cursor: str | None, as_json: bool, **asked: Any) -> None:
    """List groups."""
    filters = {key: value for key, value in asked.items() if value}
    found = lookups.vpn_groups(session, operator(), Listing(limit, cursor, None, filters))
    rows = [
        {
            **{
                name: getattr(g, name) for name in ("name", "cidr", "networks", "down_kbit", "up_kbit", "second_factor")
            },
            "gateway": g.pool.code,
            "id": str(g.id),
        }
        for g in found.items
    ]
    show_rows(rows, ("gateway", "name", "cidr", "networks", "down_kbit", "up_kbit", "id"), as_json=as_json)
    more(found.next)


@vpn.command("open-group")
@click.argument("gateway")
@click.option("--department", required=True)
@click.option("--system", help="For accounts that reach this system alone.")
@click.option("--prefix", type=click.IntRange(8, 126), default=24, show_default=True)
@click.option("--network", "networks", multiple=True, help="What its tunnels reach, in CIDR form; may be repeated.")
@click.option("--username-rule", help="Makes user names: {department}, {number}.")
@click.option("--second-factor", is_flag=True)
@click.option("--down-kbit", type=click.IntRange(8, 10_000_000))
@click.option("--up-kbit", type=click.IntRange(8, 10_000_000))
@with_session
def open_group(session: Session, networks: tuple[str, ...], **said: Any) -> None:
    """Give a department, or one of its systems, a group at a GATEWAY."""
    place = {name: said.pop(name) for name in ("gateway", "department", "system", "prefix")}
    made = vpn_groups.create(session, operator(), vpn_groups.NewGroup(**place, networks=networks, more=said))
    click.echo(f"{made.name} {made.cidr} {made.id}")


@vpn.command("close-group")
@click.argument("group_id", type=click.UUID)
@with_session
def close_group(session: Session, group_id: Any) -> None:
    """Take a group that carries no accounts from its gateway."""
    vpn_groups.delete(session, operator(), group_id)
    click.echo("closed")


def _row(r: Any) -> dict[str, Any]:
    return {
        "id": str(r.id),
        "username": r.name,
        "state": r.state,
        "department": r.department.code,
        "system": r.system.code if r.system else None,
        "gateway": r.pool.code,
        "max_sessions": r.wanted["max_sessions"],
        "lease_until": _stamp(r.lease_until),
        "fault": r.fault_detail,
        "waiting": r.waiting_reason,
    }


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
