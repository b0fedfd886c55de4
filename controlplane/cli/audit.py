"""Commands on the audit trail."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.cli.listing import more
from controlplane.cli.output import as_json, opened, operator, show_rows, with_session
from controlplane.db import transaction
from controlplane.paging import Listing
from controlplane.reports import trail as report
from controlplane.services import trail as service

_INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_COLUMNS = ("at", "actor", "role", "action", "outcome", "kind", "target", "details")
_FILTERS = (
    click.option("--from", "from", type=_INSTANT, help="First instant, UTC."),
    click.option("--to", "to", type=_INSTANT, help="First instant after, UTC."),
    click.option("--actor", help="User name (with its tokens), id, or a name such as worker."),
    click.option("--action", help="Like user.disable."),
    click.option("--target", help="Id or exact name of what it was done to."),
    click.option("--department", help="Code of a department."),
    click.option("--outcome", type=click.Choice(["success", "failure"])),
)


@click.group()
def audit() -> None:
    """The audit trail: what was done, by whom, to what."""


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@audit.command("list")
@_filtered
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--cursor", help="The cursor that the page before gave.")
@as_json
@with_session
def index(session: Session, limit: int, cursor: str | None, as_json: bool, **asked: Any) -> None:
    """List events, newest first."""
    found = lookups.audit_events(session, operator(), Listing(limit, cursor, None, _filters(asked)))
    rows = [
        {
            "id": e.id,
            "at": e.at.astimezone(UTC).isoformat(timespec="seconds"),
            "actor": e.actor_name,
            "role": e.actor_role,
            "action": e.action,
            "outcome": e.outcome,
            "kind": e.target_kind,
            "target": e.target_name,
            "target_id": e.target_id,
            "request_id": e.trace,
            "details": e.details,
        }
        for e in found.items
    ]
    show_rows(rows, _COLUMNS, as_json=as_json)
    more(found.next)


@audit.command()
@_filtered
@click.option("--format", "form", type=click.Choice(service.FORMATS), default="jsonl", show_default=True)
def export(form: str, **asked: Any) -> None:
    """Print the events, oldest first; that they were taken out is in the trail itself."""
    filters, actor = _filters(asked), operator()
    with opened() as installation:
        with transaction(installation.sessions) as session:
            service.export(session, actor, filters, form)
        with transaction(installation.sessions) as session:
            for part in report.file(session, actor, filters, form):
                click.echo(part, nl=False)


def _filters(asked: dict[str, Any]) -> dict[str, str]:
    given = {name: value for name, value in asked.items() if value is not None}
    return {
        name: value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in given.items()
    }
