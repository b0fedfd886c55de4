"""Commands on leases: what ends when, what seems unused, legal holds, and the policy."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane import lease_sweep, lookups, unused
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.lease_stages import STAGES
from controlplane.options import LeasePolicy
from controlplane.paging import Page
from controlplane.services import leases
from controlplane.services.leases import Which

KIND = "vm"
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])
_COLUMNS = ("name", "state", "department", "lease_until", "stage", "contract_end", "held", "id")
_ONE = click.argument("vm_id", type=click.UUID)


@click.group()
def lease() -> None:
    """Until when resources are granted."""


@lease.command("list")
@click.option("--within", type=click.IntRange(0, 36_500), help="Ends within so many days, or has ended.")
@click.option("--department", help="Code of a department.")
@click.option("--stage", help=f"One or more of {', '.join(STAGES)}, separated by commas.")
@list_options
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List what has a lease, what ends first first."""
    _show(lookups.leases(session, operator(), listing(asked), datetime.now(UTC)), _COLUMNS, as_json=as_json)


@lease.command("unused")
@click.option("--department", help="Code of a department.")
@click.option("--reason", type=click.Choice(["stopped", "ownerless"]))
@list_options
@as_json
@with_session
def list_unused(session: Session, as_json: bool, **asked: Any) -> None:
    """List what was stopped for long or serves no system, the longest first."""
    found = lookups.unused(session, operator(), listing(asked), datetime.now(UTC))
    columns = ("name", "state", "state_since", "department", "answer_by", "kept_until", "id")
    _show(found, columns, as_json=as_json)


@lease.command("holds")
@list_options
@as_json
@with_session
def list_holds(session: Session, as_json: bool, **asked: Any) -> None:
    """List what is on legal hold, the newest first."""
    found = lookups.holds(session, operator(), listing(asked))
    _show(found, ("name", "department", "reason", "held_by", "held", "id"), as_json=as_json)


@lease.command("set")
@_ONE
@click.option("--until", type=_MOMENT, help="When it is to be given back, in UTC, like 2027-01-01T00:00:00Z.")
@click.option("--forever", is_flag=True, help="It need not be given back.")
@click.option("--contract-end", type=_MOMENT, help="When what it is for ends; it is told, and nothing more.")
@as_json
@with_session
def set_ends(session: Session, vm_id: UUID, until: Any, forever: bool, contract_end: Any, as_json: bool) -> None:
    """Set the end of a lease; what the end before it had done is undone."""
    if until and forever:
        raise click.UsageError("--until and --forever exclude each other")
    ends = {"lease_until": until, "contract_end": contract_end}
    given = {name: moment.replace(tzinfo=UTC) for name, moment in ends.items() if moment}
    asked = given | ({"lease_until": None} if forever else {})
    show_one(_row(leases.set_lease(session, operator(), Which(KIND, vm_id), asked, datetime.now(UTC))), as_json=as_json)


@lease.command()
@_ONE
@with_session
def keep(session: Session, vm_id: UUID) -> None:
    """Answer that what seems unused is still needed."""
    kept = leases.keep(session, operator(), Which(KIND, vm_id), datetime.now(UTC))
    click.echo(f"{kept.name} is kept until {kept.kept_until}")


@lease.command()
@_ONE
@click.option("--reason", required=True)
@with_session
def hold(session: Session, vm_id: UUID, reason: str) -> None:
    """Put it on legal hold: nothing of it is stopped, rebuilt or deleted."""
    click.echo(f"{leases.hold(session, operator(), Which(KIND, vm_id), reason, datetime.now(UTC)).name} is on hold")


@lease.command()
@_ONE
@with_session
def lift(session: Session, vm_id: UUID) -> None:
    """Lift a legal hold; the stage that an ended lease stands in begins anew."""
    click.echo(f"{leases.lift(session, operator(), Which(KIND, vm_id), datetime.now(UTC)).name} is on hold no more")


@lease.command("policy")
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@as_json
@with_session
def policy(session: Session, changes: tuple[str, ...], as_json: bool) -> None:
    """Show the policy of leases, or change some of it: warn_days=30,7,1 stop_days=0 delete_days=off ..."""
    known = leases.policy(session, operator())
    if changes:
        asked = dict(one.partition("=")[::2] for one in changes)
        given = {name: _value(name, text) for name, text in asked.items()}
        known = leases.set_policy(session, operator(), LeasePolicy.model_validate(known.model_dump() | given))
    show_one(known.model_dump(), as_json=as_json)


@lease.command("sweep")
@with_session
def sweep(session: Session) -> None:
    """Take every step that is due now; the worker does so every five minutes."""
    now = datetime.now(UTC)
    followed = unused.follow(session, operator(), now)
    swept = lease_sweep.sweep(session, operator(), now)
    click.echo(f"{swept.warned} warned, {swept.ended} ended, {swept.stopped} stopped")
    click.echo(f"{swept.quarantined} quarantined, {swept.deleted} to be deleted")
    click.echo(f"{followed.asked} asked about, {followed.ended} ended for want of an answer")


def _value(name: str, text: str) -> object:
    if name == "warn_days":
        return [day for day in text.split(",") if day]
    return None if text == "off" else text


def _show(found: Page[Any], columns: tuple[str, ...], *, as_json: bool) -> None:
    show_rows([_row(resource) for resource in found.items], columns, as_json=as_json)
    more(found.next)


def _row(r: Any) -> dict[str, Any]:
    moments = {
        "lease_until": r.lease_until,
        "contract_end": r.contract_end,
        "state_since": r.state_since,
        "answer_by": r.unused_answer_by,
        "kept_until": r.kept_until,
        "held": r.hold_at,
    }
    return {
        "id": str(r.id),
        "name": r.name,
        "state": r.state,
        "department": r.department.code,
        "stage": r.lease_stage,
        "reason": r.hold_reason,
        "held_by": r.hold_by,
        **{name: moment.isoformat(timespec="seconds") if moment else None for name, moment in moments.items()},
    }
