"""Carrying out what was granted, all of it or nothing, in one transaction.

It is done as the centre: those whose approval was needed have given it, and none of them need be able to do it alone.
Lock order: resources, spread groups, subnets, the tree of departments, accounts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import allocation, audit, binding, changes, jobs, leases, limits, lookups
from controlplane.actor import Actor, system
from controlplane.allocation import Allocated, Granted
from controlplane.ask import Ask, read
from controlplane.asks import items as asked
from controlplane.asks.items import Create, Extend, Item, Quota, Release, Resize, Transfer
from controlplane.conflicts import refusing_duplicates
from controlplane.errors import Invalid, NotNow, OnHold
from controlplane.kinds.contract import Change, Prepared
from controlplane.lifecycle import SETTLED
from controlplane.models import Claim, Department, Request, Resource, Subnet
from quotas import ledger

Acts = list[audit.Act]


def carrier(request: Request, trace: str | None) -> Actor:
    """Return who carries out what was granted, as the trail names it."""
    return system(f"request {request.number}", trace)


def fulfil(session: Session, request: Request, trace: str | None) -> list[Allocated]:
    """Carry out a request that was granted and give up its hold; return what was made, in the order of the items.

    Raises what allocating and changing raise (OverQuota, NoPool, NoAddress, AlreadyExists, NotNow, NotFound ...) where
    it no longer fits.
    """
    actor = carrier(request, trace)
    items = asked.parse(request.items)
    with binding.as_centre(session):
        resources = lookups.resources_of(session, actor, request.department_id, asked.named(items), lock=True)
        _raise_limits(session, actor, request, items)
        made = _create(session, actor, request, items)
        if not made and request.held:
            ledger.void(session, [request.id])
        _change(session, actor, items, resources)
    request.held = False
    return made


def changed(request: Request) -> bool:
    """Tell whether carrying out a request sets workers on resources that exist already."""
    return any(isinstance(item, Resize | Transfer | Release) for item in asked.parse(request.items))


def _raise_limits(session: Session, actor: Actor, request: Request, items: Sequence[Item]) -> None:
    by = asked.raises(items)
    kinds = asked.specs(items)
    # What is locked before accounts is locked for all kinds, before the first of them or a raise locks any.
    if by or len(kinds) > 1:
        for kind, wanted in kinds.items():
            department, prepared = _read(session, actor, request, kind, wanted)
            allocation.keep(session, department, prepared)
    if not by:
        return
    raised = limits.raise_limits(session, request.department_id, by)
    name = request.department.name
    details = {"limits": raised, "request": str(request.id)}
    of = request.department_id
    audit.record(session, actor, [audit.Act("department.set_quota", "department", of, name, of, details)])


def _create(session: Session, actor: Actor, request: Request, items: Sequence[Item]) -> list[Allocated]:
    made: dict[int, Allocated] = {}
    holds = request.held
    for kind, wanted in asked.specs(items).items():
        ask = Ask(kind, request.department_id, [spec for _, spec in wanted])
        done = allocation.allocate(session, actor, ask, granted=Granted(request.id, holds))
        made |= {place: one for (place, _), one in zip(wanted, done.resources, strict=True)}
        holds = False
    return [made[place] for place in sorted(made)]


def _read(
    session: Session, actor: Actor, request: Request, kind: str, wanted: Sequence[tuple[int, dict[str, Any]]]
) -> tuple[lookups.Asking, list[Prepared]]:
    return read(session, actor, Ask(kind, request.department_id, [spec for _, spec in wanted]))


def _change(session: Session, actor: Actor, items: Sequence[Item], resources: Mapping[UUID, Resource]) -> None:
    acts: Acts = []
    for item in items:
        if not isinstance(item, Create | Quota):
            resource = asked.resource_in(resources, item.resource)
            acts += _DONE[type(item)](session, actor, resource, item)
    if acts:
        audit.record(session, actor, acts)
        jobs.enqueue(session, [resource.id for resource in resources.values()], actor.trace)
        session.flush()


def _resize(session: Session, _actor: Actor, resource: Resource, item: Resize) -> Acts:
    return [changes.do(session, resource, "resize", item.size)]


def _extend(session: Session, actor: Actor, resource: Resource, item: Extend) -> Acts:
    if item.until <= session.execute(select(func.now())).scalar_one():
        raise Invalid(field="until", reason="has passed while this waited for its approval")
    return leases.extend(session, resource, item.until)


def _release(_session: Session, _actor: Actor, resource: Resource, _item: Release) -> Acts:
    return changes.remove(resource)


def _transfer(session: Session, actor: Actor, resource: Resource, item: Transfer) -> Acts:
    """Hand a resource to another department. Its addresses stay; it is the new department's on every account."""
    if resource.hold_at is not None:
        raise OnHold(name=resource.name)
    if resource.desired == "absent" or resource.state not in SETTLED:
        raise NotNow(name=resource.name, state=resource.state, verb="transfer", when=" or ".join(sorted(SETTLED)))
    department = lookups.department_for(session, actor, item.department, "resource.create", keep=True)
    target = lookups.system_of(session, actor, department.id, item.system)
    if target.mlps_level > resource.pool.mlps_level:
        level = resource.pool.mlps_level
        raise Invalid(field="system", reason=f"it is of level {target.mlps_level}, the resource's pool of {level}")
    _must_keep_its_addresses(session, resource, department)
    before = resource.department_id
    resource.department_id, resource.system_id = department.id, target.id
    wanted = {**resource.wanted, "department": department.code, "system": target.code}
    changes.take(session, resource, resource.demand, ledger.settle)
    changes.want(resource, Change({**resource.spec, "system": target.code}, wanted, resource.demand))
    with refusing_duplicates(resource.kind, resource.name):
        session.flush()
    details = {"from": str(before), "to": str(department.id), "generation": resource.generation}
    said = changes.said(resource, "transfer", details)
    return [said, audit.Act(said.action, said.target_kind, said.target_id, said.target_name, before, details)]


def _must_keep_its_addresses(session: Session, resource: Resource, department: Department) -> None:
    of = Subnet.department_id
    others = select(Subnet.code).join(Claim).where(Claim.resource_id == resource.id, of.not_in(department.lineage))
    code = session.scalar(others.limit(1))
    if code:
        reason = f"it has an address of subnet {code}, which is another department's own"
        raise Invalid(field="department", reason=reason)


_DONE: Mapping[type[Item], Callable[[Session, Actor, Resource, Any], Acts]] = {
    Resize: _resize,
    Extend: _extend,
    Release: _release,
    Transfer: _transfer,
}
