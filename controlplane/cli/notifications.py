"""Commands on notifications: what an account was told, and a trial of the mail server."""

from dataclasses import replace
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from controlplane import accounts
from controlplane.actor import Actor
from controlplane.cli.output import EXIT_TROUBLE, as_json, operator, show_rows, with_session
from controlplane.paging import Listing
from controlplane.services import notifications
from controlplane.settings import settings
from controlplane.telling import mail
from controlplane.telling.events import words
from controlplane.telling.mail import Letter, NotSent, Sender

_COLUMNS = ("id", "at", "event", "subject", "read_at")


@click.group()
def notification() -> None:
    """What accounts were told."""


@notification.command("list")
@click.argument("username")
@click.option("--unread", is_flag=True, help="Only what was not read.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@as_json
@with_session
def index(session: Session, username: str, unread: bool, limit: int, **how: object) -> None:
    """List what an account was told, the newest first."""
    listing = Listing(limit, filters={"unread": "true"} if unread else {})
    found = notifications.listed(session, _himself(session, username), listing)
    said = [words(line.event, line.params, how["lang"]) for line in found.items]  # type: ignore[arg-type]
    rows = [
        {"id": n.id, "at": n.at, "event": n.event, "subject": w.subject, "text": w.text, "read_at": n.read_at}
        for n, w in zip(found.items, said, strict=True)
    ]
    show_rows(rows, _COLUMNS, as_json=bool(how["as_json"]))


@notification.command()
@click.argument("username")
@with_session
def read(session: Session, username: str) -> None:
    """Mark all that an account was told as read."""
    marked = notifications.read(session, _himself(session, username), None, datetime.now(UTC))
    click.echo(f"marked {marked}")


@notification.command("try-mail")
@click.argument("address")
def try_mail(address: str) -> None:
    """Send a mail to an address at once, to see whether the mail server is set up rightly."""
    server = mail.mail_server(settings())
    if server is None:
        raise click.ClickException("No mail server is set up: see STEPPE_MAIL_HOST in `steppe settings`.")
    letter = Letter(uuid7(), address, "Steppe", "邮件通知可用。\nMail by Steppe arrives.\n")
    sender = Sender(settings().mail_from, settings().centre_name)
    try:
        with mail.connected(server) as smtp:
            mail.send(smtp, mail.message(sender, letter, datetime.now(UTC)))
    except NotSent as error:
        click.echo(f"Not sent: {error}", err=True)
        raise SystemExit(EXIT_TROUBLE) from error
    click.echo("sent")


def _himself(session: Session, username: str) -> Actor:
    return replace(operator(), user=accounts.user_for(session, operator(), username).id)
