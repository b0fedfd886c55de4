"""Commands on webhooks: programs that are told what happens."""

from datetime import UTC, datetime
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane import lookups, secrets
from controlplane.cli.listing import list_options, listing, more
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.models import Webhook
from controlplane.services import webhooks
from controlplane.services.webhooks import NewWebhook
from controlplane.settings import settings
from controlplane.telling.targets import Allowed

_COLUMNS = ("id", "name", "department", "url", "events", "enabled", "disabled_reason", "failures")
_LOG = ("id", "event", "state", "attempts", "made_at", "last_try_at", "status", "answer", "error")


@click.group()
def webhook() -> None:
    """Webhooks: programs that are told by a signed POST what happens."""


@webhook.command()
@click.argument("name")
@click.argument("url")
@click.option("--department", help="Code of the department whose events it is told of; all of the centre without one.")
@click.option("--event", "events", multiple=True, help="An event that it is told of; may be repeated; all without one.")
@click.option("--quiet", is_flag=True, help="Print the secret alone.")
@as_json
@with_session
def create(session: Session, name: str, url: str, quiet: bool, as_json: bool, **of: object) -> None:
    """Make a webhook and print the secret that it signs with: it is shown this once."""
    new = NewWebhook(name, url, of["department"], of["events"])  # type: ignore[arg-type]
    made, secret = webhooks.create(session, operator(), secrets.keys(settings()), _allowed(), new)
    _show(made, secret, quiet=quiet, as_json=as_json)


@webhook.command("list")
@list_options
@click.option("--department", help="Code or id.")
@as_json
@with_session
def index(session: Session, as_json: bool, **asked: object) -> None:
    """List webhooks, the newest first."""
    found = lookups.webhooks(session, operator(), listing(asked))
    show_rows([_row(one) for one in found.items], _COLUMNS, as_json=as_json)
    more(found.next)


@webhook.command()
@click.argument("webhook_id", type=click.UUID)
@with_session
def enable(session: Session, webhook_id: UUID) -> None:
    """Enable a webhook again; what was held back goes out."""
    webhooks.change(session, operator(), _allowed(), webhook_id, {"enabled": True})
    click.echo("enabled")


@webhook.command()
@click.argument("webhook_id", type=click.UUID)
@with_session
def disable(session: Session, webhook_id: UUID) -> None:
    """Disable a webhook; what waits is held back."""
    webhooks.change(session, operator(), _allowed(), webhook_id, {"enabled": False})
    click.echo("disabled")


@webhook.command()
@click.argument("webhook_id", type=click.UUID)
@click.option("--quiet", is_flag=True, help="Print the secret alone.")
@as_json
@with_session
def rotate(session: Session, webhook_id: UUID, quiet: bool, as_json: bool) -> None:
    """Give a webhook another secret and print it, this once; the one before signs too for a day."""
    keys = secrets.keys(settings())
    changed, secret = webhooks.rotate(session, operator(), keys, webhook_id, datetime.now(UTC))
    _show(changed, secret, quiet=quiet, as_json=as_json)


@webhook.command()
@click.argument("webhook_id", type=click.UUID)
@with_session
def delete(session: Session, webhook_id: UUID) -> None:
    """Delete a webhook with its log."""
    webhooks.remove(session, operator(), webhook_id)
    click.echo("deleted")


@webhook.command()
@click.argument("webhook_id", type=click.UUID)
@click.option("--state", type=click.Choice(["waiting", "held", "delivered", "failed", "dropped"]))
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--cursor", help="The cursor that the page before gave.")
@as_json
@with_session
def deliveries(session: Session, webhook_id: UUID, as_json: bool, **asked: object) -> None:
    """List what was delivered or is to be, the newest first, and what was answered."""
    lookups.webhook_for(session, operator(), webhook_id)
    found = lookups.deliveries(session, operator(), listing({"webhook": webhook_id, "sort": None, **asked}))
    rows = [
        {
            **{name: getattr(one, name) for name in _LOG if name not in {"id", "error"}},
            "id": one.id,
            "error": one.last_error,
        }
        for one in found.items
    ]
    show_rows(rows, _LOG, as_json=as_json)
    more(found.next)


@webhook.command()
@click.argument("webhook_id", type=click.UUID)
@click.argument("delivery_id", type=click.UUID)
@with_session
def replay(session: Session, webhook_id: UUID, delivery_id: UUID) -> None:
    """Have something delivered once more, under an id of its own, which is printed."""
    click.echo(webhooks.replay(session, operator(), webhook_id, delivery_id).id)


def _allowed() -> Allowed:
    return Allowed.of(settings().webhook_allowed)


def _show(of: Webhook, secret: str, *, quiet: bool, as_json: bool) -> None:
    if quiet:
        click.echo(secret)
    else:
        show_one({"id": of.id, "name": of.name, "url": of.url, "secret": secret}, as_json=as_json)


def _row(one: Webhook) -> dict[str, object]:
    department = one.department.code if one.department else None
    return {**{name: getattr(one, name) for name in _COLUMNS if name != "department"}, "department": department}
