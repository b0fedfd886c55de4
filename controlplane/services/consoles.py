"""Consoles of virtual machines: who may open one, by a ticket that is worth a single opening.

The browser shows its ticket to the console proxy, which knows no sessions and no cookies: a ticket is all that lets
somebody in, so it is random, short-lived, used up by its first use, and good only for the page that asked for it.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from controlplane import audit, lookups
from controlplane.actor import Actor
from controlplane.db import new_id
from controlplane.errors import ConsoleRefused, NotNow
from controlplane.models import ConsoleTicket, Resource

KIND = "vm"
SECONDS = 60
"""A ticket is good for so long."""
_KEPT_FOR = timedelta(days=1)
OPEN_IN = frozenset({"running", "changing", "faulted"})
"""States in which a machine may be on: what is in trouble is what people want to look at."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a console session went. `received` and `sent` are bytes from and to the browser."""

    kind: str
    reason: str
    seconds: float
    received: int
    sent: int


def issue(session: Session, actor: Actor, ref: str | UUID, origin: str | None, now: datetime | None = None) -> str:
    """Return the secret of a new ticket for the console of a VM, good for SECONDS. Raises NotFound, NotNow, Forbidden.

    `origin` is the site of the page that asks, None where no browser does.
    """
    vm = watched(session, actor, ref)
    now = now or datetime.now(UTC)
    session.execute(delete(ConsoleTicket).where(ConsoleTicket.expires_at < now - _KEPT_FOR))
    secret = secrets.token_urlsafe(32)
    ticket = ConsoleTicket(
        id=new_id(),
        secret_hash=_digest(secret),
        actor_id=actor.id,
        actor_kind=actor.kind,
        resource_id=vm.id,
        origin=origin,
        expires_at=now + timedelta(seconds=SECONDS),
    )
    session.add(ticket)
    session.flush()
    return secret


def redeem(session: Session, secret: str, origin: str | None, now: datetime | None = None) -> ConsoleTicket:
    """Use a ticket up and return it. Raises ConsoleRefused where it is unknown, used, too old, or from elsewhere."""
    now = now or datetime.now(UTC)
    ticket = session.scalar(select(ConsoleTicket).where(ConsoleTicket.secret_hash == _digest(secret)).with_for_update())
    good = ticket is not None and ticket.redeemed_at is None and now < ticket.expires_at and ticket.origin == origin
    if ticket is None or not good:
        raise ConsoleRefused
    ticket.redeemed_at = now
    session.flush()
    return ticket


def watched(session: Session, actor: Actor, ref: str | UUID) -> Resource:
    """Return a VM whose console the actor may see and use now. Raises NotFound, Forbidden, NotNow."""
    vm = lookups.resource_for(session, actor, KIND, ref, "resource.change")
    if vm.desired == "absent" or vm.state not in OPEN_IN:
        raise NotNow(name=vm.name, state=vm.state, verb="console", when="running")
    return vm


def said_opened(session: Session, actor: Actor, vm: Resource, kind: str) -> None:
    """Put into the trail that a console was opened."""
    _said(session, actor, vm, "console", {"console": kind})


def said_ended(session: Session, actor: Actor, machine: UUID, ending: Ending) -> None:
    """Put into the trail that a console session ended, why, and how much went through; the VM may be gone by then."""
    vm = session.get_one(Resource, machine)
    details = {
        "console": ending.kind,
        "reason": ending.reason,
        "seconds": round(ending.seconds, 1),
        "received": ending.received,
        "sent": ending.sent,
    }
    _said(session, actor, vm, "console_ended", details)


def _said(session: Session, actor: Actor, vm: Resource, verb: str, details: dict[str, Any]) -> None:
    audit.record(session, actor, [audit.Act(f"{KIND}.{verb}", KIND, vm.id, vm.name, vm.department_id, details)])


def _digest(secret: str) -> bytes:
    # 256 random bits need no slow hash: nobody can try them all.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
