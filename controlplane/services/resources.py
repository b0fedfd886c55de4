"""What can be done to a resource that exists. Each verb only records what is wanted next; workers make it so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.changes import take, want, want_gone
from controlplane.errors import Invalid, NotFound, NotNow, Refusal, RowsRefused, Stale
from controlplane.kinds import KINDS
from controlplane.kinds.contract import Verb
from controlplane.models import Resource
from quotas import ledger
from quotas.amounts import difference, positive

MAX_AT_ONCE = 1000


_OPERATING = frozenset({"start", "stop", "reboot", "retry"})


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

    Raises NotFound, NotNow, Stale, Invalid, OverQuota (of the department, or of the pool that it lives in).
    """
    resource = lookups.resource_for(session, actor, order.kind, order.ref, action_for(order.verb), lock=True)
    _check_version(resource, order.version)
    done = _change(session, resource, order.verb, order.body)
    audit.record(session, actor, [done])
    jobs.enqueue(session, [resource.id], actor.trace)
    session.flush()
    return resource


def delete(session: Session, actor: Actor, kind: str, ref: str | UUID, version: int | None = None) -> Resource:
    """Record that a resource is to go. Quota and addresses are given back when it is confirmed gone."""
    resource = lookups.resource_for(session, actor, kind, ref, "resource.delete", lock=True)
    _check_version(resource, version)
    audit.record(session, actor, _remove(resource))
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
    return _many(session, actor, order, action_for(order.verb), lambda r: [_change(session, r, order.verb, None)])


def delete_many(session: Session, actor: Actor, kind: str, refs: Sequence[UUID]) -> list[UUID]:
    """Record that many resources are to go, all or none; return their ids, each once. Raises RowsRefused."""
    return _many(session, actor, BulkOrder(kind, refs, "delete"), "resource.delete", _remove)


def possible(resource: Resource) -> dict[str, bool]:
    """Return every verb of a resource's kind, and `delete`, with whether it is possible in its present state."""
    present = resource.desired == "present"
    verbs = {name: present and resource.state in verb.possible_in for name, verb in KINDS[resource.kind].verbs.items()}
    return verbs | {"delete": present or resource.state == "faulted"}


def _many(
    session: Session, actor: Actor, order: BulkOrder, action: str, do: Callable[[Resource], list[audit.Act]]
) -> list[UUID]:
    refs = list(dict.fromkeys(order.refs))
    if not 1 <= len(refs) <= MAX_AT_ONCE:
        raise Invalid(field="ids", reason=f"one order takes 1 to {MAX_AT_ONCE} of them, not {len(refs)}")
    found = lookups.resources_locked(session, actor, order.kind, refs, action)
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


def _change(session: Session, resource: Resource, name: str, body: BaseModel | Mapping[str, Any] | None) -> audit.Act:
    verb = KINDS[resource.kind].verbs.get(name)
    if verb is None:
        raise NotFound(noun="action", name=name)
    if resource.desired == "absent":
        raise NotNow(name=resource.name, state="to be deleted", verb=name, when="kept; delete it again to go on")
    if resource.state not in verb.possible_in:
        raise NotNow(name=resource.name, state=resource.state, verb=name, when=" or ".join(sorted(verb.possible_in)))
    change = verb.apply(session, resource, _body(verb, body))
    if positive(difference(change.demand, resource.demand)):
        # What exists may be larger than what was last asked: a change that failed has given nothing back.
        take(session, resource, change.demand, ledger.grow)
    details = {"generation": resource.generation + 1, "before": _shown(resource.wanted), "after": _shown(change.wanted)}
    want(resource, change)
    return _said(resource, name, details)


def _remove(resource: Resource) -> list[audit.Act]:
    """Want it gone; one that is going already and has not failed needs no new order."""
    if resource.desired == "absent" and resource.state != "faulted":
        return []
    want_gone(resource)
    return [_said(resource, "delete", {"generation": resource.generation})]


def _check_version(resource: Resource, version: int | None) -> None:
    if version is not None and version != resource.version:
        raise Stale


def _body(verb: Verb, body: BaseModel | Mapping[str, Any] | None) -> BaseModel | None:
    if verb.body is None:
        if body:
            raise Invalid(field="body", reason="this action takes none")
        return None
    try:
        return body if isinstance(body, verb.body) else verb.body.model_validate(body or {})
    except ValidationError as error:
        problem = error.errors()[0]
        raise Invalid(field=".".join(map(str, problem["loc"])) or "body", reason=problem["msg"]) from error


def _shown(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may stand in the audit trail: sizes and states, never keys or user data."""
    return {
        k: wanted[k] for k in ("vcpu", "memory_mib", "disk_gib", "image", "power", "boots", "builds") if k in wanted
    }


def _said(resource: Resource, verb: str, details: dict[str, Any]) -> audit.Act:
    return audit.Act(
        f"{resource.kind}.{verb}", resource.kind, resource.id, resource.name, resource.department_id, details
    )
