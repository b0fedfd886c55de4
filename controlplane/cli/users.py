"""Commands on accounts: of people who sign in, and of programs."""

from typing import get_args

import click
from sqlalchemy.orm import Session

from controlplane import accounts
from controlplane.accounts import Identity
from controlplane.actor import Role
from controlplane.cli.identity_provider import identity_provider
from controlplane.cli.output import as_json, operator, show_one, show_rows, with_session
from controlplane.entrance import Entrance
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.services import leavers, pools, second_factor, users, vpn_credentials, webhooks
from controlplane.services.users import NewUser
from controlplane.settings import settings

_COLUMNS = ("username", "name", "role", "department", "service", "second_factor", "last_sign_in_at", "disabled")


@click.group()
def user() -> None:
    """Accounts of people, who sign in at the console, and of programs, which have tokens."""


@user.command()
@as_json
@with_session
def bootstrap(session: Session, as_json: bool) -> None:
    """Create the first system, security and audit administrator and print their first passwords, this once.

    Each must set up a second factor and choose a password at the first sign-in. Refused where there are administrators.
    """
    made = users.bootstrap(session, operator())
    rows = [{"username": u.username, "role": u.role, "password": password} for u, password in made]
    show_rows(rows, ("username", "role", "password"), as_json=as_json)


@user.command()
@click.argument("username")
@click.option("--name", required=True, help="The person's name, or what the program is.")
@click.option("--role", type=click.Choice(get_args(Role)), required=True)
@click.option("--department", help="Code of the department, for department roles.")
@click.option("--service", is_flag=True, help="Of a program: no password and no sign-in, tokens alone.")
@click.option("--email", help="Address that notifications go to.")
@click.option("--login", help="User name at the identity provider: comes in there, and has no password here.")
@as_json
@with_session
def create(session: Session, as_json: bool, login: str | None, **values: object) -> None:
    """Create an account and print the first password of a person: it is shown this once."""
    identity = Identity(_issuer(), login=login) if login else None
    made, password = users.create(session, operator(), NewUser(**values, identity=identity))  # type: ignore[arg-type]
    show_one({"username": made.username, "role": made.role, "password": password}, as_json=as_json)


@user.command("list")
@click.option("--search", help="Any part of user name or name.")
@click.option("--role", type=click.Choice(get_args(Role)))
@as_json
@with_session
def index(session: Session, search: str | None, role: str | None, as_json: bool) -> None:
    """List the first 500 accounts by user name."""
    filters = {key: value for key, value in (("q", search), ("role", role)) if value}
    found = accounts.users(session, operator(), Listing(MAX_LIMIT, filters=filters))
    rows = [
        {
            "username": u.username,
            "name": u.name,
            "role": u.role,
            "department": u.department.code if u.department else None,
            "service": u.service,
            "second_factor": u.totp_enrolled_at is not None,
            "last_sign_in_at": u.last_sign_in_at,
            "disabled": u.disabled_reason,
        }
        for u in found.items
    ]
    show_rows(rows, _COLUMNS, as_json=as_json)


@user.command()
@click.argument("username")
@click.argument("address", required=False)
@with_session
def email(session: Session, username: str, address: str | None) -> None:
    """Set the address that somebody's notifications go to; without one, they are in the inbox alone."""
    users.update(session, operator(), username, {"email": address})
    click.echo("set" if address else "removed")


@user.command()
@click.argument("username")
@with_session
def disable(session: Session, username: str) -> None:
    """Keep an account out, with its tokens, until it is enabled again."""
    leavers.disable(session, operator(), username)
    click.echo("disabled")


@user.command()
@click.argument("username")
@with_session
def enable(session: Session, username: str) -> None:
    """Let an account in again."""
    leavers.enable(session, operator(), username)
    click.echo("enabled")


@user.command()
@click.argument("username")
@with_session
def remove(session: Session, username: str) -> None:
    """Take everything from somebody who leaves, for good: sessions, tokens, password, second factor."""
    leavers.remove_leaver(session, operator(), username)
    click.echo("removed")


@user.command("reset-password")
@click.argument("username")
@as_json
@with_session
def reset_password(session: Session, username: str, as_json: bool) -> None:
    """Give somebody a new first password, print it this once, and unlock the name."""
    found, password = users.reset_password(session, operator(), Entrance.of(settings()), username)
    show_one({"username": found.username, "password": password}, as_json=as_json)


@user.command("reset-second-factor")
@click.argument("username")
@with_session
def reset_second_factor(session: Session, username: str) -> None:
    """Forget somebody's second factor, say because a telephone was lost."""
    users.reset_second_factor(session, operator(), username)
    click.echo("reset")


@user.command()
@click.argument("username")
@click.option("--subject", help="What the provider knows somebody for good by (sub).")
@click.option("--login", help="User name at the provider; it is asked at the first sign-in alone.")
@with_session
def link(session: Session, username: str, subject: str | None, login: str | None) -> None:
    """Let somebody come in under an account through the identity provider; its sessions end."""
    if bool(subject) == bool(login):
        raise click.UsageError("say one of --subject and --login")
    users.link(session, operator(), username, Identity(_issuer(), subject or None, login or None))
    click.echo("linked")


@user.command()
@click.argument("username")
@with_session
def unlink(session: Session, username: str) -> None:
    """Let nobody come in under an account through the identity provider any more; its sessions end."""
    users.unlink(session, operator(), username)
    click.echo("unlinked")


@user.command()
@with_session
def reseal(session: Session) -> None:
    """Seal all second factors, the secrets of webhooks and pools, and what is secret of VPN accounts, with the newest
    of STEPPE_SEALING_KEYS, so that the older keys can be dropped. RADIUS servers need their new key ring before:
    `steppe vpn radius-keys`."""
    entrance = Entrance.of(settings())
    factors = second_factor.reseal(session, operator(), entrance)
    hooks = webhooks.reseal(session, operator(), entrance.keys)
    clouds = pools.reseal(session, operator(), entrance.keys)
    accounts = vpn_credentials.reseal(session, operator(), entrance.keys)
    secrets = (
        f"{factors} second factors and the secrets of {hooks} webhooks, {clouds} pools and {accounts} VPN accounts"
    )
    click.echo(f"sealed {secrets}")


def _issuer() -> str:
    known = identity_provider(settings())
    if known is None:
        raise click.ClickException("No identity provider is set up: see STEPPE_OIDC_ISSUER in `steppe settings`.")
    return known.issuer
