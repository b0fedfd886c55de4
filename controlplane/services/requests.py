"""The one way in for everything that is allocated: quota, pool, address, record, audit and job in one transaction.

Generic: what an ask means is the kind's to say. Lock order: spread groups, subnets, ledger accounts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from controlplane import audit, claims, jobs, lookups
from controlplane.actor import Actor
from controlplane.capacity import candidates, with_names
from controlplane.conflicts import refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, Contended, Invalid, NoPool, Refusal, RowsRefused
from controlplane.kinds import KINDS, Kind
from controlplane.kinds.contract import Placed, Prepared
from controlplane.models import Department, Request, Resource
from controlplane.placement import Candidate, choose_pools
from quotas import ledger
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand

MAX_ITEMS = 1000
_PLACEMENT_TRIES = 5


@dataclass(frozen=True, slots=True)
class Ask:
    """Things of one kind for one department, all or none. `items` are the kind's specs, or their raw form."""

    kind: str
    department: str | UUID
    items: Sequence[BaseModel | Mapping[str, Any]]


def submit(session: Session, actor: Actor, ask: Ask) -> Request:
    """Allocate everything that `ask` names and set the workers on it; return the request with its resources' ids
    found by `lookups`.

    Raises RowsRefused where rows are bad, OverQuota, NoPool, NoAddress, AlreadyExists; then nothing is taken.
    """
    department = lookups.department_for(session, actor, ask.department, "resource.create", keep=True)
    kind = KINDS[ask.kind]
    items = prepare(session, department, kind, ask.items)
    _refuse_taken_names(session, department, kind, items)
    _lock_spread_groups(session, department, items)
    request = _record_request(session, actor, department, kind, items)
    placed, addresses = _choose_addresses(session, items)
    pools = _place(session, department, kind, items, placed)
    rows = _resources(department, kind, request, items, placed, pools)
    # Somebody may take a name between the look and now; which one, the next look will tell.
    with refusing_duplicates(kind.name, ", ".join(item.name for item in items[:5])):
        session.execute(insert(Resource), rows)
    claims.take(session, addresses)
    _record_acts(session, actor, kind, rows)
    jobs.enqueue(session, [p.id for p in placed], actor.trace)
    return request


def prepare(
    session: Session, department: Department, kind: Kind, items: Sequence[BaseModel | Mapping[str, Any]]
) -> list[Prepared]:
    """Parse and resolve the items of an ask. Raises RowsRefused, or the refusal itself where there is one item."""
    if not 1 <= len(items) <= MAX_ITEMS:
        raise Invalid(field="items", reason=f"one ask takes 1 to {MAX_ITEMS} of them, not {len(items)}")
    try:
        return kind.prepare(session, department, _parse(kind, items))
    except RowsRefused as refusal:
        if len(items) == 1:
            raise refusal.problems[0][1] from None
        raise


def _parse(kind: Kind, items: Sequence[BaseModel | Mapping[str, Any]]) -> list[BaseModel]:
    specs: list[BaseModel] = []
    problems: list[tuple[int, Refusal]] = []
    for row, item in enumerate(items):
        try:
            specs.append(item if isinstance(item, BaseModel) else kind.spec.model_validate(item))
        except ValidationError as error:
            for problem in error.errors():
                where = ".".join(str(part) for part in problem["loc"]) or "item"
                problems.append((row, Invalid(field=where, reason=problem["msg"])))
    if problems:
        raise RowsRefused(problems)
    return specs


def _refuse_taken_names(session: Session, department: Department, kind: Kind, items: Sequence[Prepared]) -> None:
    names = [item.name for item in items]
    repeated = {row: name for row, name in enumerate(names) if name in names[:row]} if len(names) > 1 else {}
    taken = set(
        session.scalars(
            select(Resource.name).where(
                Resource.department_id == department.id,
                Resource.kind == kind.name,
                Resource.name.in_(names),
                Resource.deleted_at.is_(None),
            )
        )
    )
    problems: list[tuple[int, Refusal]] = [
        (row, AlreadyExists(noun=kind.name, name=name))
        for row, name in enumerate(names)
        if name in taken or row in repeated
    ]
    if problems:
        raise problems[0][1] if len(items) == 1 else RowsRefused(problems)


def _lock_spread_groups(session: Session, department: Department, items: Sequence[Prepared]) -> None:
    """Members of one group must see each other's pools, so asks for the same group go one after the other."""
    for group in sorted({item.need.spread_group for item in items if item.need.spread_group}):
        key = func.hashtextextended(f"{department.id}/{group}", 0)
        session.execute(select(func.pg_advisory_xact_lock(key)))


def _record_request(
    session: Session, actor: Actor, department: Department, kind: Kind, items: Sequence[Prepared]
) -> Request:
    request = Request(
        id=new_id(),
        kind=kind.name,
        department_id=department.id,
        state="approved",
        items=[item.spec for item in items],
        asked_by=actor.id,
        asked_by_name=actor.name,
    )
    request.department = department
    session.add(request)
    session.flush()
    return request


def _choose_addresses(session: Session, items: Sequence[Prepared]) -> tuple[list[Placed], list[tuple[UUID, str, UUID]]]:
    counts: dict[UUID, int] = defaultdict(int)
    for item in items:
        for subnet in item.subnets:
            counts[subnet] += 1
    free = {subnet: iter(addresses) for subnet, addresses in claims.choose(session, counts).items()} if counts else {}
    placed = [Placed(new_id(), {subnet: next(free[subnet]) for subnet in item.subnets}) for item in items]
    rows = [(subnet, address, p.id) for p in placed for subnet, address in p.addresses.items()]
    return placed, rows


def _place(
    session: Session, department: Department, kind: Kind, items: Sequence[Prepared], placed: Sequence[Placed]
) -> list[Candidate]:
    """Choose pools and post the demand; where a pool filled up between the look and the lock, look again.

    What runs short is told of the department first: a full pool is no news to one whose quota is spent.
    """
    above = tuple(d for d in department.lineage if d != department.id)
    groups = {item.need.spread_group for item in items if item.need.spread_group}
    needs = [item.need for item in items]
    for _ in range(_PLACEMENT_TRIES):
        try:
            pools = choose_pools(candidates(session, kind.name, department.id, groups), needs)
        except NoPool:
            _refuse_over_quota(session, department, items, placed)
            raise
        demands = [
            Demand(p.id, department.id, item.demand, above, pool.id)
            for p, item, pool in zip(placed, items, pools, strict=True)
        ]
        try:
            with session.begin_nested():
                ledger.allocate(session, demands)
        except QuotaExceeded as error:
            if any(s.owner_kind == "department" for s in error.shortages):
                raise with_names(session, error, "department") from error
        else:
            return pools
    raise Contended(times=_PLACEMENT_TRIES)


def _refuse_over_quota(
    session: Session, department: Department, items: Sequence[Prepared], placed: Sequence[Placed]
) -> None:
    """Raise OverQuota if the department's own limits would have refused this too; post nothing either way."""
    above = tuple(d for d in department.lineage if d != department.id)
    demands = [Demand(p.id, department.id, i.demand, above) for p, i in zip(placed, items, strict=True)]
    savepoint = session.begin_nested()
    try:
        ledger.hold(session, demands)
    except QuotaExceeded as error:
        savepoint.rollback()
        raise with_names(session, error, "department") from error
    savepoint.rollback()


def _resources(
    department: Department,
    kind: Kind,
    request: Request,
    items: Sequence[Prepared],
    placed: Sequence[Placed],
    pools: Sequence[Candidate],
) -> list[dict[str, Any]]:
    return [
        {
            "id": p.id,
            "kind": kind.name,
            "name": item.name,
            "department_id": department.id,
            "system_id": item.system_id,
            "pool_id": pool.id,
            "request_id": request.id,
            "spread_group": item.need.spread_group,
            "state": "building",
            "spec": item.spec,
            "wanted": item.wanted(p),
            "demand": dict(item.demand),
            "lease_until": item.lease_until,
        }
        for p, item, pool in zip(placed, items, pools, strict=True)
    ]


def _record_acts(session: Session, actor: Actor, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> None:
    acts = [
        audit.Act(
            f"{kind.name}.create",
            kind.name,
            row["id"],
            row["name"],
            row["department_id"],
            {"request": str(row["request_id"]), "pool": str(row["pool_id"]), "demand": row["demand"]},
        )
        for row in rows
    ]
    audit.record(session, actor, acts)
