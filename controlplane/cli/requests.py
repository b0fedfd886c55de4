"""Commands on requests. The host's operator asks and decides as a system administrator, but not on what he asked."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane import lookups, vpn_rows
from controlplane.cli.listing import listing, more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.models import Request
from controlplane.secrets import keys
from controlplane.services import asking, deciding
from controlplane.services.asking import Drafted
from controlplane.services.deciding import Decision, Verdict
from controlplane.settings import settings

_COLUMNS = ("number", "state", "department", "kind", "title", "asked_by", "submitted", "id")
_STEPS = ("round", "stage", "role", "state", "due", "decided_by", "comment")


@click.group()
def request() -> None:
    """What departments ask for, and decisions on it."""


@request.command("list")
@click.option("--department", help="Code of a department.")
@click.option("--state", help="One or more states, separated by commas.")
@click.option("--kind", help="A kind of resource, quota or mixed.")
@click.option("--number", type=int)
@click.option("--sort", type=click.Choice(["created_at", "-created_at"]))
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--cursor", help="The cursor that the page before gave.")
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: Any) -> None:
    """List requests, the newest first."""
    found = lookups.requests(session, operator(), listing(asked))
    show_rows([_row(r) for r in found.items], _COLUMNS, as_json=as_json)
    more(found.next)


@request.command()
@click.argument("request_id", type=click.UUID)
@as_json
@with_session
def show(session: Session, request_id: UUID, as_json: bool) -> None:
    """Show a request with what it asks for and its approvals."""
    found = lookups.request_for(session, operator(), request_id)
    if as_json:
        show_one(_row(found) | {"items": found.items, "steps": [_step(s) for s in found.steps]}, as_json=True)
        return
    show_one(_row(found) | {"reason": found.reason, "items": found.items}, as_json=False)
    show_rows([_step(s) for s in found.steps], _STEPS, as_json=False)


@request.command()
@click.argument("items", type=click.File("r"))
@click.option("--department", required=True)
@click.option("--title", required=True)
@click.option("--reason", default="")
@click.option("--submit", "hand_in", is_flag=True, help="Hand it in at once.")
@with_session
def create(session: Session, items: IO[str], hand_in: bool, department: str, title: str, reason: str) -> None:
    """Draft a request of what the JSON file ITEMS lists (- reads it from the input)."""
    try:
        wanted = json.load(items)
    except ValueError as error:
        raise click.BadParameter(f"is no JSON: {error}", param_hint="ITEMS") from error
    if not isinstance(wanted, list):
        raise click.BadParameter("must be a list of items", param_hint="ITEMS")
    wanted = vpn_rows.sealed_items(session, operator(), keys(settings()), department, wanted)
    drafted = asking.draft(session, operator(), department, Drafted(title, reason, wanted))
    if hand_in:
        asking.submit(session, operator(), drafted.id, _now())
    click.echo(f"request {drafted.number} is {drafted.state}: {drafted.id}")


@request.command()
@click.argument("request_id", type=click.UUID)
@with_session
def submit(session: Session, request_id: UUID) -> None:
    """Hand in a request that was drafted here."""
    _say(asking.submit(session, operator(), request_id, _now()))


@request.command()
@click.argument("request_id", type=click.UUID)
@with_session
def withdraw(session: Session, request_id: UUID) -> None:
    """Take back a request that was made here."""
    _say(asking.withdraw(session, operator(), request_id, _now()))


@request.command()
@click.argument("request_id", type=click.UUID)
@as_json
@with_session
def impact(session: Session, request_id: UUID, as_json: bool) -> None:
    """Show what granting it would do now; nothing is done."""
    seen = deciding.impact(session, operator(), request_id)
    before = {b.resource_class: b for b in seen.before}
    rows = [
        {
            "class": b.resource_class,
            "limit": b.limit,
            "used_before": before[b.resource_class].used,
            "used_after": b.used,
        }
        for b in seen.after
        if b.resource_class in before
    ]
    show_rows(rows, ("class", "limit", "used_before", "used_after"), as_json=as_json)
    if seen.problem:
        click.echo(f"It does not fit ({seen.problem.code}): {seen.problem.message}", err=True)


@request.command()
@click.argument("request_id", type=click.UUID)
@click.argument("body")
@with_session
def comment(session: Session, request_id: UUID, body: str) -> None:
    """Say something of it."""
    asking.comment(session, operator(), request_id, body)


def _verdict(name: Verdict, words: str) -> Callable[..., None]:
    @request.command(name, help=words)
    @click.argument("request_id", type=click.UUID)
    @click.option("--comment", default="", help="Why; a return or a refusal needs it.")
    @click.option("--version", type=int, help="Refuse if it has changed since this version.")
    @with_session
    def decide(session: Session, request_id: UUID, comment: str, version: int | None) -> None:
        _say(deciding.decide(session, operator(), request_id, Decision(name, comment, version), _now()))

    return decide


approve = _verdict("approve", "Approve it; the last approval carries it out.")
give_back = _verdict("return", "Return it to be changed.")
refuse = _verdict("refuse", "Refuse it for good.")


def _say(changed: Request) -> None:
    click.echo(f"request {changed.number} is {changed.state}")


def _row(r: Request) -> dict[str, Any]:
    return {
        "number": r.number,
        "state": r.state,
        "department": r.department.code,
        "kind": r.kind,
        "title": r.title,
        "asked_by": r.asked_by_name,
        "submitted": _at(r.submitted_at),
        "id": r.id,
    }


def _step(s: Any) -> dict[str, Any]:
    return {
        "round": s.round,
        "stage": s.stage,
        "role": s.role,
        "state": s.state,
        "due": _at(s.due_at),
        "decided_by": s.decided_by_name,
        "comment": s.comment,
    }


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _now() -> datetime:
    return datetime.now(UTC)
