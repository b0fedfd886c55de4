"""What can be done to a resource that exists. Each verb only records what is wanted next; workers make it so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.orm import Session

from controlplane import audit, changes, jobs, lookups
from controlplane.actor import Actor
from controlplane.asks import admission
from controlplane.errors import Invalid, NotFound, Refusal, RowsRefused, Stale
from controlplane.kinds import KINDS
from controlplane.models import Resource

MAX_AT_ONCE = 1000


_OPERATING = frozenset({"start", "stop", "reboot", "retry"})
_ADMIT: Mapping[str, Callable[[Session, Actor, Resource, Any], None]] = {
    "resize": admission.admit_resize,
    "float": admission.admit_float,
    "snapshot": admission.admit_snapshot,
}
"""Verbs that somebody may have to approve."""


@dataclass(frozen=True, slots=True)
class Order:
    """One verb for one resource. `version`: refuse if the resource is no longer at it. `body`: what the verb needs."""

    kind: str
    ref: str | UUID
    verb: str
    body: BaseModel | Mapping[str, Any] | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """One verb, or `delete`, for many resources of a kind: all of them or none. Repeated ids count once."""

    kind: str
    refs: Sequence[UUID]
    verb: str


def action_for(verb: str) -> str:
    """Return the action that a verb is in the policy: operating a machine changes nothing of what it is."""
    if verb == "delete":
        return "resource.delete"
    return "resource.operate" if verb in _OPERATING else "resource.change"


def act(session: Session, actor: Actor, order: Order) -> Resource:
    """Record that a resource is wanted otherwise. Growth is taken at once; what shrinks is given back when it is done.

    Raises NotFound, NotNow, Stale, Invalid, ApprovalNeeded, OverQuota (of the department, or of the pool of it).
    """
    resource = lookups.resource_for(session, actor, order.kind, order.ref, action_for(order.verb), lock=True)
    _check_version(resource, order.version)
    admit = _ADMIT.get(order.verb)
    if admit:
        admit(session, actor, resource, order.body)
    done = changes.do(session, resource, order.verb, order.body)
    audit.record(session, actor, [done])
    jobs.enqueue(session, [resource.id], actor.trace)
    session.flush()
    return resource


def delete(session: Session, actor: Actor, kind: str, ref: str | UUID, version: int | None = None) -> Resource:
    """Record that a resource is to go. Quota and addresses are given back when it is confirmed gone.

    Raises NotFound, Stale, ApprovalNeeded.
    """
    resource = lookups.resource_for(session, actor, kind, ref, "resource.delete", lock=True)
    _check_version(resource, version)
    admission.admit_release(session, actor, [resource])
    audit.record(session, actor, changes.remove(resource))
    jobs.enqueue(session, [resource.id], actor.trace)
    session.flush()
    return resource


def act_many(session: Session, actor: Actor, order: BulkOrder) -> list[UUID]:
    """Record one verb that needs no body for many resources, all or none; return their ids, each once.

    Raises RowsRefused, naming each resource that is not there or not in a state for it by its place in `refs`.
    """
    known = KINDS[order.kind].verbs.get(order.verb)
    if known is None or known.body is not None:
        raise NotFound(noun="action", name=order.verb)
    return _many(session, actor, order, action_for(order.verb), lambda r: [changes.do(session, r, order.verb, None)])


def delete_many(session: Session, actor: Actor, kind: str, refs: Sequence[UUID]) -> list[UUID]:
    """Record that many resources are to go, all or none; return their ids, each once.

    Raises RowsRefused, ApprovalNeeded.
    """
    return _many(session, actor, BulkOrder(kind, refs, "delete"), "resource.delete", changes.remove)


def possible(resource: Resource) -> dict[str, bool]:
    """Return every verb of a resource's kind that suits it, and `delete`, with whether it is possible now."""
    return {verb: not obstacle for verb, obstacle in obstacles(resource).items()}


def obstacles(resource: Resource) -> dict[str, str]:
    """Return every verb of a resource's kind that suits it, and `delete`, with what stands in its way: `hold`,
    `quarantine`, `state`; nothing where it is possible now."""
    present = resource.desired == "present"
    suiting = {name: verb for name, verb in KINDS[resource.kind].verbs.items() if verb.suits(resource)}
    verbs = {name: present and resource.state in verb.possible_in for name, verb in suiting.items()}
    verbs["delete"] = present or resource.state == "faulted"
    forbidden = changes.forbidden(resource)
    return {name: forbidden.get(name, "" if possible else "state") for name, possible in verbs.items()}


def _many(
    session: Session, actor: Actor, order: BulkOrder, action: str, do: Callable[[Resource], list[audit.Act]]
) -> list[UUID]:
    refs = list(dict.fromkeys(order.refs))
    if not 1 <= len(refs) <= MAX_AT_ONCE:
        raise Invalid(field="ids", reason=f"one order takes 1 to {MAX_AT_ONCE} of them, not {len(refs)}")
    found = lookups.resources_locked(session, actor, order.kind, refs, action)
    if order.verb == "delete":
        admission.admit_release(session, actor, list(found.values()))
    done: list[audit.Act] = []
    problems: list[tuple[int, Refusal]] = []
    for row, ref in enumerate(refs):
        try:
            if ref not in found:
                raise NotFound(noun=order.kind, name=str(ref))
            done += do(found[ref])
        except Refusal as refusal:
            problems.append((row, refusal))
    if problems:
        raise RowsRefused(problems)
    audit.record(session, actor, done)
    jobs.enqueue(session, refs, actor.trace)
    session.flush()
    return refs


def _check_version(resource: Resource, version: int | None) -> None:
    if version is not None and version != resource.version:
        raise Stale
