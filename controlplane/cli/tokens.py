"""Commands on API tokens."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.entrance import rules
from controlplane.services import api_tokens
from controlplane.services.api_tokens import NewToken
from controlplane.settings import settings

_COLUMNS = ("id", "name", "user", "department", "actions", "expires_at", "last_used_at", "revoked_at")


@click.group()
def token() -> None:
    """API tokens: each stands for an account."""


@token.command("create")
@click.argument("name")
@click.option("--user", "owner", required=True, help="User name of the account that it stands for.")
@click.option("--department", help="Code of a department that it is narrowed to.")
@click.option("--action", "actions", multiple=True, help="An action that it is narrowed to; may be repeated.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Days until it expires.")
@click.option("--quiet", is_flag=True, help="Print the secret alone.")
@as_json
@with_session
def create(session: Session, name: str, days: int, quiet: bool, as_json: bool, **narrow: object) -> None:
    """Create a token and print its secret: it is shown this once."""
    now = datetime.now(UTC)
    new = NewToken(
        name,
        str(narrow["owner"]),
        narrow["department"],  # type: ignore[arg-type]
        narrow["actions"] or None,  # type: ignore[arg-type]
        now + timedelta(days=days),
    )
    made, secret = api_tokens.create(session, operator(), rules(settings()), new, now)
    if quiet:
        click.echo(secret)
    else:
        shown = {"id": made.id, "name": name, "user": made.user.username, "expires_at": made.expires_at}
        show_one({**shown, "secret": secret}, as_json=as_json)


@token.command("list")
@as_json
@with_session
def index(session: Session, as_json: bool) -> None:
    """List the newest 500 tokens."""
    rows = [
        {
            "id": t.id,
            "name": t.name,
            "user": t.user.username,
            "department": t.department.code if t.department else None,
            "actions": t.actions,
            "expires_at": t.expires_at,
            "last_used_at": t.last_used_at,
            "revoked_at": t.revoked_at,
        }
        for t in api_tokens.tokens(session, operator())
    ]
    show_rows(rows, _COLUMNS, as_json=as_json)


@token.command()
@click.argument("token_id", type=click.UUID)
@with_session
def revoke(session: Session, token_id: UUID) -> None:
    """End a token at once."""
    api_tokens.revoke(session, operator(), token_id, datetime.now(UTC))
    click.echo("revoked")
