"""Commands on API tokens."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
from sqlalchemy.orm import Session

from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.services import identity


@click.group()
def token() -> None:
    """API tokens of departments and administrators."""


@token.command("create")
@click.argument("name")
@click.option("--department", help="Code of the department; without it the token is an administrator's.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Days until it expires.")
@click.option("--quiet", is_flag=True, help="Print the secret alone.")
@as_json
@with_session
def create(session: Session, name: str, department: str | None, days: int, quiet: bool, as_json: bool) -> None:
    """Create a token and print its secret: it is shown this once."""
    expires = datetime.now(UTC) + timedelta(days=days)
    made, secret = identity.create_token(session, operator(), name, department, expires)
    if quiet:
        click.echo(secret)
    else:
        shown = {"id": made.id, "name": name, "role": made.role, "expires_at": expires, "secret": secret}
        show_one(shown, as_json=as_json)


@token.command("list")
@as_json
@with_session
def index(session: Session, as_json: bool) -> None:
    """List the newest 500 tokens."""
    rows = [
        {
            "id": t.id,
            "name": t.name,
            "role": t.role,
            "department": t.department.code if t.department else None,
            "expires_at": t.expires_at,
            "revoked_at": t.revoked_at,
        }
        for t in identity.tokens(session, operator())
    ]
    show_rows(rows, ("id", "name", "role", "department", "expires_at", "revoked_at"), as_json=as_json)


@token.command()
@click.argument("token_id", type=click.UUID)
@with_session
def revoke(session: Session, token_id: UUID) -> None:
    """End a token at once."""
    identity.revoke_token(session, operator(), token_id)
    click.echo("revoked")
