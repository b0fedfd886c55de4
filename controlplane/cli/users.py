"""Commands on people who sign in."""

from typing import get_args

import click
from sqlalchemy.orm import Session

from controlplane.actor import Role
from controlplane.cli.output import as_json, operator, show_one, with_session
from controlplane.services import identity


@click.group()
def user() -> None:
    """People who sign in at the console."""


@user.command()
@click.argument("username")
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", type=click.Choice(get_args(Role)), required=True)
@click.option("--department", help="Code of the department, for department roles.")
@as_json
@with_session
def create(session: Session, username: str, name: str, role: Role, department: str | None, as_json: bool) -> None:
    """Create a user and print the first password: it is shown this once."""
    made, password = identity.create_user(session, operator(), identity.NewUser(username, name, role, department))
    show_one({"username": made.username, "role": made.role, "password": password}, as_json=as_json)
