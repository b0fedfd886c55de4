"""One's own inbox, and what one wants by mail: whoever asks sees and changes what is his own alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from controlplane import accounts, audit
from controlplane.actor import Actor
from controlplane.errors import Invalid, NotFound
from controlplane.models import MailChoice, Notification, User
from controlplane.paging import Listing, Order, Page, paginate
from controlplane.policy import authorize
from controlplane.telling.events import CATEGORIES

COUNTED_UP_TO = 100


def listed(session: Session, actor: Actor, listing: Listing) -> Page[Notification]:
    """List the own notifications, the newest first; filter: unread. Raises Forbidden."""
    statement = _own(actor)
    if listing.filters.get("unread") == "true":
        statement = statement.where(Notification.read_at.is_(None))
    return paginate(session, statement, Order({"at": Notification.at}, Notification.id, "-at"), listing)


def unread(session: Session, actor: Actor) -> int:
    """Return how many of the own notifications were not read, counted up to COUNTED_UP_TO; 0 for who has no account."""
    if actor.user is None:
        return 0
    those = _own(actor).where(Notification.read_at.is_(None)).with_only_columns(Notification.id).limit(COUNTED_UP_TO)
    return session.scalar(select(func.count()).select_from(those.subquery())) or 0


def read(session: Session, actor: Actor, ids: Sequence[int] | None, now: datetime) -> int:
    """Mark own notifications as read, all where no `ids` are named; return how many were not. Raises Forbidden."""
    authorize(actor, "account.own")
    marking = update(Notification).where(Notification.user_id == actor.user, Notification.read_at.is_(None))
    if ids is not None:
        marking = marking.where(Notification.id.in_(ids))
    return len(session.scalars(marking.values(read_at=now).returning(Notification.id)).all())


def wanted(session: Session, actor: Actor) -> dict[str, bool]:
    """Return for each category of events whether mail is wanted. Raises Forbidden."""
    authorize(actor, "account.own")
    rows = session.execute(select(MailChoice.category, MailChoice.mail).where(MailChoice.user_id == actor.user))
    chosen = {row.category: row.mail for row in rows}
    return {category: chosen.get(category, True) for category in CATEGORIES}


def want(session: Session, actor: Actor, choices: Mapping[str, bool]) -> None:
    """Say for some categories whether mail is wanted. Raises Forbidden, Invalid, NotFound for who has no account."""
    authorize(actor, "account.own")
    unknown = sorted(set(choices) - set(CATEGORIES))
    if unknown:
        raise Invalid(field="mail", reason=f"{', '.join(unknown)}: no such category; there are {', '.join(CATEGORIES)}")
    if not choices:
        return
    user = _account(session, actor)
    rows = [{"user_id": user.id, "category": category, "mail": mail} for category, mail in choices.items()]
    made = insert(MailChoice).values(rows)
    session.execute(
        made.on_conflict_do_update(index_elements=["user_id", "category"], set_={"mail": made.excluded.mail})
    )


def set_address(session: Session, actor: Actor, address: str | None) -> None:
    """Set the own e-mail address, or with None have none.

    Raises Forbidden, Invalid, NotFound for who has no account.
    """
    authorize(actor, "account.own")
    user = _account(session, actor)
    user.email = accounts.checked_address(address)
    user.version += 1
    session.flush()
    # The trail lasts longer than addresses may be kept: it says that there is another one, not which.
    act = audit.Act("user.set_address", "user", user.id, user.username, user.department_id, {"set": bool(address)})
    audit.record(session, actor, [act])


def address(session: Session, actor: Actor) -> str | None:
    """Return the own e-mail address. Raises Forbidden."""
    authorize(actor, "account.own")
    return session.scalar(select(User.email).where(User.id == actor.user))


def _own(actor: Actor) -> Select[Any]:
    authorize(actor, "account.own")
    return select(Notification).where(Notification.user_id == actor.user)


def _account(session: Session, actor: Actor) -> User:
    user = session.scalar(select(User).where(User.id == actor.user).with_for_update())
    if user is None:
        raise NotFound(noun="user", name=actor.name)
    return user
