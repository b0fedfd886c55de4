"""Deciding what becomes of drift: make it as recorded, record it as it is, or take over a machine that nobody recorded.

Each decision locks the resource before the finding, as a look does, and refuses where the resource was wanted otherwise
since the finding was seen: nobody decides on what is out of date. Lock order then: department and system, subnets,
ledger accounts.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit, claims, findings, jobs, lifecycle, lookups
from controlplane.actor import Actor
from controlplane.capacity import with_names
from controlplane.changes import take, want, want_gone
from controlplane.conflicts import refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import (
    DriftOver,
    Invalid,
    LivesElsewhere,
    NotFound,
    NothingToAccept,
    NothingToAdopt,
    NotOurs,
    OthersProject,
    Stale,
    WasOurs,
)
from controlplane.kinds import FOUND
from controlplane.kinds.contract import Adopted
from controlplane.models import Department, Drift, Project, Request, Resource
from quotas import ledger
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand


def check(session: Session, actor: Actor, pool: str | UUID | None = None) -> int:
    """Ask a worker to check one pool, or all; return the job's id. Raises NotFound."""
    only = lookups.pool_for(session, actor, pool, "drift.decide").id if pool else None
    if only is None:
        lookups.may_decide_drift(actor)
    return jobs.enqueue_check(session, only, actor.trace)


def repair(session: Session, actor: Actor, ref: str | UUID, version: int | None = None) -> Drift:
    """Have a look make it as recorded: a machine whose record says it is deleted is removed.

    Raises NotFound, DriftOver, Stale; NotOurs or LivesElsewhere for a machine that is not ours to remove.
    """
    drift = _open(session, actor, ref, version)
    resource = drift.resource
    if drift.kind == "quota":
        return _repair_quota(session, actor, drift)
    if resource is None:
        raise NotOurs(name=drift.name)
    if drift.kind == "unknown" and (resource.deleted_at is None or resource.pool_id != drift.pool_id):
        raise LivesElsewhere(name=drift.name, pool=resource.pool.code)
    findings.decide(actor, drift, "repair")
    audit.record(session, actor, [findings.act(drift, "drift_repair")])
    jobs.enqueue(session, [resource.id], actor.trace)
    session.flush()
    return drift


def _repair_quota(session: Session, actor: Actor, drift: Drift) -> Drift:
    findings.decide(actor, drift, "repair")
    audit.record(session, actor, [findings.act(drift, "drift_repair")])
    jobs.enqueue_check(session, drift.pool_id, actor.trace)
    session.flush()
    return drift


def accept(session: Session, actor: Actor, ref: str | UUID, version: int | None = None) -> Drift:
    """Make the record as it was found. What grew must fit quota and capacity; what is missing is recorded as deleted
    and gives back all that it had; of what is there in part, the rest is cleared away.

    Raises NotFound, DriftOver, Stale, OverQuota; NothingToAccept where what was found cannot be a record.
    """
    drift = _open(session, actor, ref, version)
    resource = drift.resource
    if resource is None or drift.kind == "unknown":
        raise NothingToAccept(name=drift.name)
    if resource.deleted_at or resource.desired == "absent" or resource.generation != drift.generation:
        raise Stale
    if drift.kind == "different":
        details = _record_as_found(session, actor, resource, _observed(drift))
    elif _observed(drift)["existence"] == "absent":
        details = _record_as_gone(session, actor, resource)
    else:
        want_gone(resource)
        jobs.enqueue(session, [resource.id], actor.trace)
        details = {}
    findings.decide(actor, drift, "accept")
    findings.close(session, actor, [(drift, "accepted")], generation=resource.generation, **details)
    return drift


def adopt(
    session: Session,
    actor: Actor,
    ref: str | UUID,
    body: BaseModel | Mapping[str, Any],
    version: int | None = None,
) -> Resource:
    """Make a machine that nobody recorded a resource of a department, with the sizes that were found: quota,
    capacity, addresses, record and audit event in this transaction. Its id is the machine's own.

    Raises NotFound, DriftOver, Stale, Invalid, OverQuota, AlreadyExists, AddressTaken; WasOurs, LivesElsewhere or
    NothingToAdopt where it is no stranger; OthersProject where another department's project holds it.
    """
    drift = _open(session, actor, ref, version)
    _must_be_a_stranger(drift)
    kind = drift.pool.kind
    ask = _parsed(FOUND[kind].adoption, body)
    department = lookups.department_for(session, actor, ask.department, "resource.create", keep=True)  # type: ignore[attr-defined]
    _must_not_be_anothers(session, drift, department)
    found = FOUND[kind].adopt(session, department, ask, drift.external_id, {**_observed(drift), "name": drift.name})
    if found.mlps_level > drift.pool.mlps_level:
        reason = f"needs MLPS level {found.mlps_level}, pool {drift.pool.code} has {drift.pool.mlps_level}"
        raise Invalid(field="system", reason=reason)
    addresses = claims.choose_these(session, found.addresses, department.lineage)
    _allocate(session, department, drift, found)
    resource = _make_record(session, actor, department, drift, found)
    claims.take(session, [(subnet, address, resource.id) for subnet, address in addresses])
    drift.resource_id = resource.id
    findings.decide(actor, drift, "adopt")
    details = {"demand": dict(found.demand), "addresses": dict(found.addresses), "drift": str(drift.id)}
    act = audit.Act(f"{kind}.adopt", kind, resource.id, resource.name, department.id, details)
    audit.record(session, actor, [act])
    session.refresh(drift, ["resource"])
    findings.close(session, actor, [(drift, "adopted")])
    jobs.enqueue(session, [resource.id], actor.trace)
    return resource


def _open(session: Session, actor: Actor, ref: str | UUID, version: int | None) -> Drift:
    """Return an open finding with its resource, both locked in the order in which a look locks them."""
    known = lookups.drift_for(session, actor, ref, "drift.decide")
    if known.resource_id:
        resource = select(Resource).where(Resource.id == known.resource_id).with_for_update()
        session.scalar(resource.execution_options(populate_existing=True))
    statement = select(Drift).where(Drift.id == known.id).with_for_update()
    drift = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if drift is None:
        raise NotFound(noun="drift", name=str(ref))
    if drift.closed_at:
        raise DriftOver(outcome=drift.outcome)
    if version is not None and version != drift.version:
        raise Stale
    return drift


def _observed(drift: Drift) -> dict[str, Any]:
    return {field: both["observed"] for field, both in drift.differences.items()}


def _record_as_found(session: Session, actor: Actor, resource: Resource, observed: dict[str, Any]) -> dict[str, Any]:
    if not observed.keys() <= FOUND[resource.kind].acceptable:
        raise NothingToAccept(name=resource.name)
    change = FOUND[resource.kind].accept(resource, observed)
    if change.demand != resource.demand:
        take(session, resource, change.demand, ledger.settle)
    want(resource, change)
    jobs.enqueue(session, [resource.id], actor.trace)
    return {"demand": dict(change.demand)}


def _record_as_gone(session: Session, actor: Actor, resource: Resource) -> dict[str, Any]:
    want_gone(resource)
    addresses = claims.release(session, resource.id)
    ledger.release(session, [resource.id])
    resource.state = lifecycle.move(resource.state, "gone")
    resource.deleted_at = resource.observed_at = datetime.now(UTC)
    resource.observed_generation = resource.generation
    details = {"addresses": addresses, "demand": resource.demand}
    act = audit.Act(
        f"{resource.kind}.deleted", resource.kind, resource.id, resource.name, resource.department_id, details
    )
    audit.record(session, actor, [act])
    return {}


def _must_be_a_stranger(drift: Drift) -> None:
    resource = drift.resource
    if drift.kind != "unknown" or (resource is None and _observed(drift)["existence"] != "present"):
        raise NothingToAdopt(name=drift.name)
    if resource is not None and resource.deleted_at:
        raise WasOurs(name=drift.name)
    if resource is not None:
        raise LivesElsewhere(name=drift.name, pool=resource.pool.code)


def _must_not_be_anothers(session: Session, drift: Drift, department: Department) -> None:
    """Refuse a machine that was found in the project of another department that has one in the pool."""
    guessed = _observed(drift).get("department")
    of = select(Department.code).join(Project, Project.department_id == Department.id)
    theirs = session.scalar(of.where(Project.pool_id == drift.pool_id, Department.code == guessed))
    if theirs is not None and theirs != department.code:
        raise OthersProject(name=drift.name, department=theirs)


def _parsed(model: type[BaseModel], body: BaseModel | Mapping[str, Any]) -> BaseModel:
    try:
        return body if isinstance(body, model) else model.model_validate(body)
    except ValidationError as error:
        problem = error.errors()[0]
        raise Invalid(field=".".join(map(str, problem["loc"])) or "body", reason=problem["msg"]) from error


def _allocate(session: Session, department: Department, drift: Drift, found: Adopted) -> None:
    above = tuple(d for d in department.lineage if d != department.id)
    try:
        ledger.allocate(session, [Demand(drift.external_id, department.id, found.demand, above, drift.pool_id)])
    except QuotaExceeded as error:
        raise with_names(session, error) from error


def _make_record(session: Session, actor: Actor, department: Department, drift: Drift, found: Adopted) -> Resource:
    """The request is there because every resource has one: it says who wanted it."""
    request = Request(
        id=new_id(),
        kind=drift.pool.kind,
        department_id=department.id,
        state="done",
        items=[{"do": "create", "kind": drift.pool.kind, "spec": found.spec}],
        asked_by=actor.id,
        asked_by_name=actor.name,
        asked_for=actor.user,
    )
    resource = Resource(
        id=drift.external_id,
        kind=drift.pool.kind,
        name=found.name,
        department_id=department.id,
        system_id=found.system_id,
        pool_id=drift.pool_id,
        request_id=request.id,
        state="changing",
        spec=found.spec,
        wanted=found.wanted,
        demand=dict(found.demand),
    )
    session.add(request)
    session.flush()
    session.add(resource)
    with refusing_duplicates(drift.pool.kind, found.name):
        session.flush()
    return resource
