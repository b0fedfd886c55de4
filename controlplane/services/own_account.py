"""What somebody does to the own account: another password, and an end of sessions elsewhere."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import accounts, audit, passwords, sign_ins
from controlplane.actor import Actor
from controlplane.entrance import Arrival, Entrance
from controlplane.errors import WrongCredentials
from controlplane.models import User
from controlplane.passwords import Wish
from controlplane.policy import authorize


def account(session: Session, actor: Actor) -> User:
    """Return the actor's own account. Raises Forbidden."""
    authorize(actor, "account.own")
    return session.scalars(select(User).where(User.id == actor.user)).one()


def change_password(
    session: Session, entrance: Entrance, actor: Actor, sign_in: UUID, change: tuple[str, str], now: datetime
) -> None:
    """Replace one's own password, `change` being the present and the new one; every other session ends. A try is to be
    counted before.

    Raises WrongCredentials, or what a rule for passwords says.
    """
    authorize(actor, "account.own")
    present, wanted = change
    statement = select(User).where(User.id == actor.user).with_for_update()
    user = session.scalars(statement.execution_options(populate_existing=True)).one()
    if not passwords.matches(user.password_hash, present):
        raise WrongCredentials
    before = [user.password_hash or "", *user.previous_hashes]
    passwords.check(
        Wish(wanted, (user.username, user.name), tuple(before[: max(1, entrance.rules.password_history)])),
        entrance.rules.password_length,
    )
    user.password_hash, user.password_changed_at = passwords.hashed(wanted), now
    user.previous_hashes = before[: entrance.rules.password_history]
    user.must_change_password = False
    sign_ins.forgive(session, entrance, user.username, Arrival(now=now), all_of_them=False)
    user.version += 1
    ended = accounts.end_sign_ins(session, user.id, "changed", now, but=sign_in)
    details = {"sessions_ended": ended}
    act = audit.Act("user.change_password", "user", user.id, user.username, user.department_id, details)
    audit.record(session, actor, [act])
