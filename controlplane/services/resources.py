"""What can be done to a resource that exists. Each verb only records what is wanted next; workers make it so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.changes import take, want, want_gone
from controlplane.errors import Invalid, NotFound, NotNow, Stale
from controlplane.kinds import KINDS
from controlplane.kinds.contract import Verb
from controlplane.models import Resource
from quotas import ledger
from quotas.amounts import difference, positive


@dataclass(frozen=True, slots=True)
class Order:
    """One verb for one resource. `version`: refuse if the resource is no longer at it. `body`: what the verb needs."""

    kind: str
    ref: str | UUID
    verb: str
    body: BaseModel | Mapping[str, Any] | None = None
    version: int | None = None


def act(session: Session, actor: Actor, order: Order) -> Resource:
    """Record that a resource is wanted otherwise. Growth is taken at once; what shrinks is given back when it is done.

    Raises NotFound, NotNow, Stale, Invalid, OverQuota (of the department, or of the pool that it lives in).
    """
    resource = lookups.resource_for(session, actor, order.kind, order.ref, "resource.change", lock=True)
    verb = KINDS[order.kind].verbs.get(order.verb)
    if verb is None:
        raise NotFound(noun="action", name=order.verb)
    _check_version(resource, order.version)
    if resource.desired == "absent":
        raise NotNow(name=resource.name, state="to be deleted", verb=order.verb, when="kept; delete it again to go on")
    if resource.state not in verb.possible_in:
        when = " or ".join(sorted(verb.possible_in))
        raise NotNow(name=resource.name, state=resource.state, verb=order.verb, when=when)
    change = verb.apply(session, resource, _body(verb, order.body))
    if positive(difference(change.demand, resource.demand)):
        # What exists may be larger than what was last asked: a change that failed has given nothing back.
        take(session, resource, change.demand, ledger.grow)
    details = {"generation": resource.generation + 1, "before": _shown(resource.wanted), "after": _shown(change.wanted)}
    want(resource, change)
    audit.record(session, actor, [_said(resource, order.verb, details)])
    jobs.enqueue(session, [resource.id], actor.trace)
    session.flush()
    return resource


def delete(session: Session, actor: Actor, kind: str, ref: str | UUID, version: int | None = None) -> Resource:
    """Record that a resource is to go. Quota and addresses are given back when it is confirmed gone."""
    resource = lookups.resource_for(session, actor, kind, ref, "resource.delete", lock=True)
    _check_version(resource, version)
    if resource.desired == "present" or resource.state == "faulted":
        want_gone(resource)
        audit.record(session, actor, [_said(resource, "delete", {"generation": resource.generation})])
    jobs.enqueue(session, [resource.id], actor.trace)
    session.flush()
    return resource


def possible(resource: Resource) -> dict[str, bool]:
    """Return every verb of a resource's kind, and `delete`, with whether it is possible in its present state."""
    present = resource.desired == "present"
    verbs = {name: present and resource.state in verb.possible_in for name, verb in KINDS[resource.kind].verbs.items()}
    return verbs | {"delete": present or resource.state == "faulted"}


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
