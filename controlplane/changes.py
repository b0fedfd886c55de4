"""Wanting a resource otherwise: what orders, granted requests and decisions on drift have in common."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from controlplane import audit, claims, lifecycle, lookups
from controlplane.capacity import with_names
from controlplane.errors import InQuarantine, Invalid, NotFound, NotNow, OnHold, TooLate
from controlplane.kinds import KINDS
from controlplane.kinds.contract import Change, Verb
from controlplane.models import Resource
from quotas import ledger, wire
from quotas.amounts import QuotaExceeded, difference, positive
from quotas.ledger import Demand

Post = Callable[[Session, Sequence[Demand]], None]

_PRESERVED_FROM: frozenset[str] = frozenset({"stop", "rebuild", "restore", "drop_snapshot"})
"""Verbs that a legal hold forbids, besides the deletion."""
_IN_QUARANTINE: frozenset[str] = frozenset({"stop", "retry"})
"""All that may be done to what is in quarantine."""
_POWER: frozenset[str] = frozenset({"start", "stop", "reboot"})


def take(session: Session, resource: Resource, amounts: Mapping[str, int], post: Post) -> None:
    """Post what a resource is to have by one of the ledger's verbs. Raises OverQuota, with the owners' names."""
    department = lookups.lineage_of(session, resource.department_id)
    demand = Demand(
        resource.id,
        resource.department_id,
        amounts,
        tuple(d for d in department if d != resource.department_id),
        resource.pool_id,
    )
    try:
        post(session, [demand])
    except QuotaExceeded as error:
        raise with_names(session, error) from error


def want(resource: Resource, change: Change) -> None:
    """Record what is wanted next, as a new generation."""
    resource.generation += 1
    resource.version += 1
    resource.spec = dict(change.spec)
    resource.wanted = {**change.wanted, "generation": resource.generation}
    resource.demand = dict(change.demand)
    resource.state = lifecycle.move(resource.state, "change")
    resource.fault_code = resource.fault_detail = None


def want_gone(resource: Resource) -> None:
    """Record that a resource is to go, as a new generation. Raises OnHold."""
    if resource.hold_at is not None:
        raise OnHold(name=resource.name)
    resource.desired = "absent"
    resource.state = lifecycle.move(resource.state, "remove")
    resource.fault_code = resource.fault_detail = None
    resource.generation += 1
    resource.version += 1


def want_kept(resource: Resource) -> None:
    """Take back that a resource is to go, as a new generation. Raises TooLate where a driver may have begun with it."""
    if resource.removal_began_at is not None:
        raise TooLate(name=resource.name)
    resource.desired = "present"
    resource.generation += 1
    resource.version += 1
    resource.wanted = {**resource.wanted, "generation": resource.generation}
    resource.state = lifecycle.move(resource.state, "keep")
    resource.fault_code = resource.fault_detail = None


def want_running(session: Session, resource: Resource) -> None:
    """Start again what was stopped, even while that stop is under way, as a new generation."""
    want(resource, KINDS[resource.kind].verbs["start"].apply(session, resource, None))


def do(session: Session, resource: Resource, name: str, body: BaseModel | Mapping[str, Any] | None) -> audit.Act:
    """Record what a verb of its kind makes of a resource that the caller has locked; return what to say of it.

    Growth is taken at once; what shrinks is given back when it is done.

    Raises NotFound, NotNow, OnHold, InQuarantine, Invalid, OverQuota, or what else the verb does.
    """
    change = planned(session, resource, name, body)
    if positive(difference(change.demand, resource.demand)):
        # What exists may be larger than what was last asked: a change that failed has given nothing back.
        take(session, resource, change.demand, ledger.grow)
    details = {"generation": resource.generation + 1, "before": _shown(resource.wanted), "after": _shown(change.wanted)}
    want(resource, change)
    if change.addresses:
        taken = [(subnet, address, resource.id) for subnet, address in change.addresses.items()]
        wire.write(session, claims.taking(taken))
        session.expire(resource, ["claims"])
    if name in _POWER:
        # Whether it runs is its people's doing from here on, not the end of its lease.
        resource.lease_stopped = False
    return said(resource, name, details)


def planned(session: Session, resource: Resource, name: str, body: BaseModel | Mapping[str, Any] | None) -> Change:
    """Return what a verb would make of a resource. Raises NotFound, NotNow, OnHold, InQuarantine, Invalid."""
    verb = KINDS[resource.kind].verbs.get(name)
    if verb is None:
        raise NotFound(noun="action", name=name)
    if resource.desired == "absent":
        raise NotNow(name=resource.name, state="to be deleted", verb=name, when="kept; delete it again to go on")
    if resource.hold_at is not None and name in _PRESERVED_FROM:
        raise OnHold(name=resource.name)
    if resource.lease_stage == "quarantined" and name not in _IN_QUARANTINE:
        raise InQuarantine(name=resource.name)
    if resource.state not in verb.possible_in:
        raise NotNow(name=resource.name, state=resource.state, verb=name, when=" or ".join(sorted(verb.possible_in)))
    return verb.apply(session, resource, _body(verb, body))


def forbidden(resource: Resource) -> dict[str, str]:
    """Return the verbs, `delete` among them, that are forbidden whatever the state: by a `hold` or a `quarantine`."""
    found: dict[str, str] = {}
    if resource.lease_stage == "quarantined":
        found |= dict.fromkeys(KINDS[resource.kind].verbs.keys() - _IN_QUARANTINE, "quarantine")
    if resource.hold_at is not None:
        found |= dict.fromkeys((*_PRESERVED_FROM, "delete"), "hold")
    return found


def remove(resource: Resource) -> list[audit.Act]:
    """Want it gone; return what to say of it. One that is going already and has not failed needs no new order.
    Raises OnHold."""
    if resource.desired == "absent" and resource.state != "faulted":
        return []
    want_gone(resource)
    return [said(resource, "delete", {"generation": resource.generation})]


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
    sizes = ("vcpu", "memory_mib", "disk_gib", "data_disks")
    fields = (*sizes, "image", "power", "boots", "builds", "floating", "snapshots", "restored")
    return {k: wanted[k] for k in fields if k in wanted and wanted[k] not in ([], None)}


def said(resource: Resource, verb: str, details: dict[str, Any]) -> audit.Act:
    """Return what the trail says of something that was done to a resource."""
    return audit.Act(
        f"{resource.kind}.{verb}", resource.kind, resource.id, resource.name, resource.department_id, details
    )
