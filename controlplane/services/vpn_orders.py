"""One order for many VPN accounts at once: those that are named, or all of a department that fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from controlplane import audit, changes, jobs, leases, lookups
from controlplane.actor import Actor
from controlplane.asks import admission
from controlplane.errors import Invalid, NotFound, NothingFits, Refusal, RowsRefused
from controlplane.kinds import KINDS
from controlplane.models import Resource, System, VpnAccount

KIND = "vpn_account"
VERBS = ("suspend", "resume", "revoke", "extend", "confirm")
_CHANGES = {"suspend": "stop", "resume": "start"}
_ACTIONS = {
    "suspend": "resource.operate",
    "resume": "resource.operate",
    "revoke": "resource.delete",
    "extend": "lease.write",
    "confirm": "lease.keep",
}


@dataclass(frozen=True, slots=True)
class Which:
    """Accounts of a department: these `ids`; without, all in `state`, of `system`, that nobody came in under since
    `unused_since`, of whichever is said."""

    department: str | UUID
    ids: Sequence[UUID] = ()
    state: str | None = None
    system: str | None = None
    unused_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to them: one of VERBS. `until` goes with `extend`; `confirm` says that they are needed."""

    verb: str
    which: Which
    until: datetime | None = None


def act(session: Session, actor: Actor, order: Order) -> list[UUID]:
    """Record one order for many accounts, all or none; return their ids. Their gateways are looked at once each.

    Raises NotFound, Invalid, ApprovalNeeded; RowsRefused, naming each account that it is not possible for by its place.
    """
    if order.verb not in VERBS:
        raise NotFound(noun="action", name=order.verb)
    if (order.verb == "extend") != (order.until is not None):
        raise Invalid(field="until", reason="goes with extend, and with nothing else")
    action = _ACTIONS[order.verb]
    department = lookups.department_for(session, actor, order.which.department, action)
    refs = chosen(session, department.id, order.which, order.verb)
    found = lookups.resources_locked(session, actor, KIND, refs, action)
    if order.verb == "revoke":
        admission.admit_release(session, actor, list(found.values()))
    done = for_each(refs, found, department.id, lambda account: _do(session, account, order))
    if order.verb == "confirm":
        session.execute(_CONFIRMED, {"ids": refs})
    audit.record(session, actor, done)
    session.flush()
    jobs.enqueue_pools(session, {one.pool_id for one in found.values()}, actor.trace)
    return refs


def for_each(
    refs: Sequence[UUID],
    found: Mapping[UUID, Resource],
    department: UUID,
    do: Callable[[Resource], list[audit.Act]],
) -> list[audit.Act]:
    """Do something to each account of a department that was found; return what to say of it. Raises RowsRefused."""
    done: list[audit.Act] = []
    problems: list[tuple[int, Refusal]] = []
    for place, ref in enumerate(refs):
        try:
            if ref not in found or found[ref].department_id != department:
                raise NotFound(noun=KIND, name=str(ref))
            done += do(found[ref])
        except Refusal as refusal:
            problems.append((place, refusal))
    if problems:
        raise RowsRefused(problems)
    return done


def _do(session: Session, account: Resource, order: Order) -> list[audit.Act]:
    if order.verb == "revoke":
        return changes.remove(account)
    if order.verb == "confirm":
        return [changes.said(account, "confirm", {})]
    if order.until is not None:
        return leases.extend(session, account, order.until, tell=False)
    return [changes.do(session, account, _CHANGES[order.verb], None)]


def chosen(session: Session, department: UUID, which: Which, verb: str) -> list[UUID]:
    """Return the ids of the accounts that a verb is ordered for. Raises NothingFits, Invalid."""
    most = KINDS[KIND].most_at_once
    refs = list(dict.fromkeys(which.ids)) if which.ids else _fitting(session, department, which, verb, most + 1)
    if not refs:
        raise NothingFits(noun="VPN account", verb=verb)
    if len(refs) > most:
        raise Invalid(field="ids", reason=f"one order takes {most} accounts; say which")
    return refs


def _fitting(session: Session, department: UUID, which: Which, verb: str, limit: int) -> list[UUID]:
    """Return those that were not named: of them whatever the verb is not possible for now is passed over."""
    of = select(Resource.id).where(
        Resource.department_id == department,
        Resource.kind == KIND,
        Resource.deleted_at.is_(None),
        Resource.desired == "present",
    )
    changed = KINDS[KIND].verbs.get(_CHANGES.get(verb, verb))
    if changed:
        of = of.where(Resource.state.in_(changed.possible_in))
    if which.state:
        of = of.where(Resource.state.in_(which.state.split(",")))
    if which.system:
        system = select(System.id).where(System.department_id == department, System.code == which.system)
        of = of.where(Resource.system_id.in_(system))
    if which.unused_since:
        seen = select(VpnAccount.resource_id).where(VpnAccount.last_login_at >= which.unused_since)
        of = of.where(Resource.id.not_in(seen), Resource.created_at < which.unused_since)
    return list(session.scalars(of.order_by(Resource.id).limit(limit)))


_CONFIRMED = text("""
    UPDATE vpn_accounts SET confirmed_at = now(), confirm_told_at = NULL WHERE resource_id = ANY(:ids)
""")
