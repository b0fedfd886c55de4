"""Coming in with a password. `sign_ins.count` comes first, in a transaction of its own; then this says who it is."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from controlplane import passwords, sign_ins
from controlplane.entrance import Arrival, Entrance, check_network
from controlplane.errors import WrongNetwork
from controlplane.models import SignIn, SignInTry, User
from controlplane.sign_ins import Admitted, Way

_TRIES_KEPT = timedelta(days=1)
_SIGN_INS_KEPT = timedelta(days=180)


def refuse_locked(session: Session, entrance: Entrance, name: str, arrival: Arrival) -> None:
    """Turn a locked name away at once, before its turn to be counted and judged comes. Raises SignInLocked."""
    sign_ins.refuse_locked(session, entrance, name, arrival)


def count(session: Session, entrance: Entrance, name: str, arrival: Arrival) -> None:
    """Count a try under a name. To be committed before `enter`, whatever comes of it. Raises SignInLocked."""
    sign_ins.count(session, entrance, name, arrival)


def enter(session: Session, entrance: Entrance, name: str, password: str, arrival: Arrival) -> Admitted | None:
    """Open a session for the user whose password this is, None where name or password is wrong.

    Whatever comes of it the caller commits: the trail says that it was tried. A session of somebody with a second
    factor may do nothing but show that. Raises WrongNetwork.
    """
    user = session.scalar(select(User).where(User.username == name))
    usable = user is not None and user.disabled_at is None and not user.service
    # An unknown name costs the same time as a known one.
    good = passwords.matches(user.password_hash if user and usable else None, password)
    if user is None:
        sign_ins.said_unknown(session, entrance, name, arrival)
        return None
    if not good:
        sign_ins.said(session, user, arrival, {"with": "password"}, failed=True)
        return None
    try:
        check_network(user.networks, arrival.address)
    except WrongNetwork:
        sign_ins.said(session, user, arrival, {"with": "password", "refused": "network"}, failed=True)
        raise
    if user.totp_enrolled_at is not None:
        sign_ins.forgive(session, entrance, name, arrival, all_of_them=False)
    return sign_ins.admit(session, entrance, user, arrival, Way())


def forget_old(session: Session, now: datetime) -> None:
    """Remove tries of yesterday that lock nobody any more, and sessions of long ago."""
    session.execute(delete(SignInTry).where(SignInTry.last_at < now - _TRIES_KEPT))
    session.execute(delete(SignIn).where(SignIn.last_seen_at < now - _SIGN_INS_KEPT))
