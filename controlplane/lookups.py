"""Every tenant-scoped read. Reading and permission are one function: what comes back, the actor may see.

Whatever belongs to another tenant is not found, exactly like what does not exist.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, cast, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from controlplane import ipam
from controlplane.actor import Actor
from controlplane.claims import block_of
from controlplane.errors import Invalid, NotFound
from controlplane.models import (
    AuditEvent,
    Claim,
    Department,
    Drift,
    Flavor,
    Image,
    Pool,
    PoolCheck,
    Request,
    Resource,
    Site,
    Subnet,
    System,
)
from controlplane.paging import Listing, Order, Page, paginate
from controlplane.policy import authorize
from quotas import wire

T = TypeVar("T")
Filter = Callable[[str], ColumnElement[bool]]


def department_for(session: Session, actor: Actor, ref: str | UUID, action: str, *, keep: bool = False) -> Department:
    """Return the department with this id or code. With `keep`, nobody closes it before the caller's
    transaction ends. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = _by_ref(Department, ref).where(Department.deleted_at.is_(None))
    if keep:
        statement = statement.with_for_update(read=True, key_share=True)
    department: Department | None = session.scalar(statement)
    if department is None or not actor.sees(department.id):
        raise NotFound(noun="department", name=str(ref))
    return department


class Asking(NamedTuple):
    """A department that asks for something. `lineage` leads from the top of the tree down to it; `now` is the time of
    the transaction."""

    id: UUID
    code: str
    lineage: list[UUID]
    now: datetime


def department_asking(session: Session, actor: Actor, ref: str | UUID) -> Asking:
    """Return the department that an ask is for; nobody closes it before the caller's transaction ends.

    Raises Forbidden, NotFound.
    """
    authorize(actor, "resource.create")
    by_id = _as_uuid(ref)
    row = wire.run(session, _ASKING_BY_ID if by_id else _ASKING_BY_CODE, {"ref": by_id or ref}).fetchone()
    if row is None or not actor.sees(row[0]):
        raise NotFound(noun="department", name=str(ref))
    return Asking(*row)


def system_for(session: Session, actor: Actor, ref: str | UUID, action: str) -> System:
    """Return the system with this id; a code serves too where only one visible system has it. Raises NotFound."""
    authorize(actor, action)
    statement = _in_scope(_by_ref(System, ref), System.department_id, actor).where(System.deleted_at.is_(None))
    found: Sequence[System] = session.scalars(statement.options(joinedload(System.department)).limit(2)).all()
    if len(found) != 1:
        raise NotFound(noun="system", name=str(ref))
    return found[0]


def resource_for(
    session: Session, actor: Actor, kind: str, ref: str | UUID, action: str = "resource.read", *, lock: bool = False
) -> Resource:
    """Return the resource of this kind and id, deleted ones not. With `lock`, its row is the caller's until the end
    of the transaction. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = select(Resource).where(
        Resource.id == _uuid(ref, kind), Resource.kind == kind, Resource.deleted_at.is_(None)
    )
    statement = _in_scope(statement, Resource.department_id, actor)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    else:
        statement = statement.options(*_RESOURCE_PARTS)
    resource = session.scalar(statement)
    if resource is None:
        raise NotFound(noun=kind, name=str(ref))
    return resource


def resources_locked(
    session: Session, actor: Actor, kind: str, refs: Sequence[UUID], action: str
) -> dict[UUID, Resource]:
    """Return those of `refs` that the actor may see, by id; their rows are the caller's until its transaction ends.

    They are locked in id order, in one statement, so two callers never wait for each other. Raises Forbidden.
    """
    authorize(actor, action)
    statement = select(Resource).where(Resource.id.in_(refs), Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = _in_scope(statement, Resource.department_id, actor).order_by(Resource.id).with_for_update()
    return {r.id: r for r in session.scalars(statement.execution_options(populate_existing=True))}


def resources_by_id(session: Session, actor: Actor, kind: str, refs: Sequence[UUID]) -> list[Resource]:
    """Return those of `refs` that the actor may see, with their owners and addresses, in the order of `refs`."""
    authorize(actor, "resource.read")
    statement = select(Resource).where(Resource.id.in_(refs), Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = _in_scope(statement, Resource.department_id, actor).options(*_RESOURCE_PARTS)
    found = {r.id: r for r in session.scalars(statement.execution_options(populate_existing=True))}
    return [found[ref] for ref in dict.fromkeys(refs) if ref in found]


def request_for(session: Session, actor: Actor, ref: str | UUID) -> Request:
    """Return a request by id. Raises Forbidden, NotFound."""
    authorize(actor, "request.read")
    statement = _in_scope(select(Request).where(Request.id == _uuid(ref, "request")), Request.department_id, actor)
    request: Request | None = session.scalar(statement.options(joinedload(Request.department)))
    if request is None:
        raise NotFound(noun="request", name=str(ref))
    return request


def pool_for(session: Session, actor: Actor, ref: str | UUID, action: str = "pool.read") -> Pool:
    """Return a pool by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return _one(session, Pool, "pool", ref)


def flavor_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Flavor:
    """Return a flavor by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return _one(session, Flavor, "flavor", ref)


def image_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Image:
    """Return an image by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return _one(session, Image, "image", ref)


def subnet_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Subnet:
    """Return a subnet by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return _one(session, Subnet, "subnet", ref)


def site_for(session: Session, actor: Actor, ref: str | UUID, action: str = "catalogue.read") -> Site:
    """Return a site by id or code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    return _one(session, Site, "site", ref)


def drift_for(session: Session, actor: Actor, ref: str | UUID, action: str = "drift.read") -> Drift:
    """Return a finding by id. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = select(Drift).where(Drift.id == _uuid(ref, "drift")).options(*_DRIFT_PARTS)
    drift: Drift | None = session.scalar(statement)
    if drift is None:
        raise NotFound(noun="drift", name=str(ref))
    return drift


def may_decide_drift(actor: Actor) -> None:
    """Raise Forbidden unless the actor may decide on the drift of the whole centre."""
    authorize(actor, "drift.decide")


def drifts(session: Session, actor: Actor, listing: Listing) -> Page[Drift]:
    """List findings; filters: pool, kind, open."""
    authorize(actor, "drift.read")
    statement = _filtered(select(Drift), listing.filters, _DRIFT_FILTERS).options(*_DRIFT_PARTS)
    return paginate(session, statement, _order(Drift, "first_seen", default="-first_seen"), listing)


def pool_checks(session: Session, actor: Actor) -> Sequence[PoolCheck]:
    """Return when each pool was last looked at for drift, by the pool's code."""
    authorize(actor, "drift.read")
    statement = select(PoolCheck).join(Pool).options(contains_eager(PoolCheck.pool)).order_by(Pool.code)
    return session.scalars(statement.limit(_MOST_POOLS)).all()


def departments(session: Session, actor: Actor, listing: Listing) -> Page[Department]:
    """List departments; filters: q, parent, site."""
    authorize(actor, "department.read")
    statement = select(Department).where(Department.deleted_at.is_(None))
    statement = _filtered(_in_scope(statement, Department.id, actor), listing.filters, _DEPARTMENT_FILTERS)
    statement = statement.options(joinedload(Department.site), joinedload(Department.parent))
    return paginate(session, statement, _order(Department, "code", "name", "created_at"), listing)


def systems(session: Session, actor: Actor, listing: Listing) -> Page[System]:
    """List systems; filters: q, department, mlps_level."""
    authorize(actor, "system.read")
    statement = _in_scope(select(System).where(System.deleted_at.is_(None)), System.department_id, actor)
    statement = _filtered(statement, listing.filters, _SYSTEM_FILTERS).options(joinedload(System.department))
    return paginate(session, statement, _order(System, "code", "name", "mlps_level", "created_at"), listing)


def resources(session: Session, actor: Actor, kind: str, listing: Listing) -> Page[Resource]:
    """List resources of a kind; filters: q (name or address, any part), state, department, system, pool, request."""
    authorize(actor, "resource.read")
    statement = select(Resource).where(Resource.kind == kind, Resource.deleted_at.is_(None))
    statement = _filtered(_in_scope(statement, Resource.department_id, actor), listing.filters, _RESOURCE_FILTERS)
    order = _order(Resource, "name", "created_at", "state", default="-created_at")
    return paginate(session, statement.options(*_RESOURCE_PARTS), order, listing)


def requests(session: Session, actor: Actor, listing: Listing) -> Page[Request]:
    """List requests; filters: department."""
    authorize(actor, "request.read")
    statement = _in_scope(select(Request), Request.department_id, actor)
    filters: dict[str, Filter] = {"department": lambda v: Request.department_id.in_(_department_ids(v))}
    statement = _filtered(statement, listing.filters, filters).options(joinedload(Request.department))
    return paginate(session, statement, _order(Request, "created_at", default="-created_at"), listing)


def pools(session: Session, actor: Actor, listing: Listing) -> Page[Pool]:
    """List pools; filters: kind, site."""
    authorize(actor, "pool.read")
    filters: dict[str, Filter] = {
        "kind": lambda v: Pool.kind == v,
        "site": lambda v: Pool.site_id.in_(_ids(Site, v)),
    }
    statement = _filtered(select(Pool), listing.filters, filters)
    statement = statement.options(joinedload(Pool.site), selectinload(Pool.capacity))
    return paginate(session, statement, _order(Pool, "code", "name"), listing)


def sites(session: Session, actor: Actor, listing: Listing) -> Page[Site]:
    """List sites; filters: q, level, parent."""
    authorize(actor, "catalogue.read")
    filters: dict[str, Filter] = {
        "level": lambda v: Site.level == v,
        "parent": lambda v: Site.parent_id.in_(_ids(Site, v)),
    }
    statement = select(Site).options(joinedload(Site.parent))
    return _catalogue(session, Site, statement, listing, filters)


def flavors(session: Session, actor: Actor, listing: Listing) -> Page[Flavor]:
    """List flavors; filter: q."""
    authorize(actor, "catalogue.read")
    return _catalogue(session, Flavor, select(Flavor), listing, {})


def images(session: Session, actor: Actor, listing: Listing) -> Page[Image]:
    """List images; filter: q."""
    authorize(actor, "catalogue.read")
    return _catalogue(session, Image, select(Image), listing, {})


def subnets(session: Session, actor: Actor, listing: Listing) -> Page[Subnet]:
    """List subnets; filter: q."""
    authorize(actor, "catalogue.read")
    return _catalogue(session, Subnet, select(Subnet).options(joinedload(Subnet.site)), listing, {})


def addresses(session: Session, subnet: Subnet) -> dict[str, int]:
    """Return how many addresses a subnet that was already read can give in all, and has given."""
    claimed = session.scalar(select(func.count()).where(Claim.subnet_id == subnet.id)) or 0
    return {"usable": ipam.size(block_of(subnet)), "claimed": claimed}


def _catalogue(
    session: Session, model: Any, statement: Select[Any], listing: Listing, filters: Mapping[str, Filter]
) -> Page[Any]:
    by_name: dict[str, Filter] = {"q": lambda v: or_(_contains(model.code, v), _contains(model.name, v))}
    statement = _filtered(statement, listing.filters, {**by_name, **filters})
    return paginate(session, statement, _order(model, "code", "name"), listing)


def history(session: Session, actor: Actor, target: UUID, limit: int = 100) -> Sequence[AuditEvent]:
    """Return the newest events about a thing that the actor was just shown, newest first. Raises Forbidden."""
    authorize(actor, "resource.history")
    statement = select(AuditEvent).where(AuditEvent.target_id == target).order_by(AuditEvent.id.desc()).limit(limit)
    if actor.scope is not None:
        statement = statement.where(AuditEvent.department_id.in_(actor.scope))
    return session.scalars(statement).all()


def progress(session: Session, requests: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return how many resources of each request are in each state."""
    rows = session.execute(
        select(Resource.request_id, Resource.state, func.count())
        .where(Resource.request_id.in_(requests))
        .group_by(Resource.request_id, Resource.state)
    )
    found: dict[UUID, dict[str, int]] = {request: {} for request in requests}
    for request, state, count in rows:
        found[request][state] = count
    return found


def lineage_of(session: Session, department: UUID) -> tuple[UUID, ...]:
    """Return the ids from the top of the tree down to a department that was already read."""
    lineage = session.scalar(select(Department.lineage).where(Department.id == department))
    return tuple(lineage or ())


def subtree_of(session: Session, department: UUID) -> frozenset[UUID]:
    """Return the ids of a department that was already read and of all below it."""
    return frozenset(session.scalars(select(Department.id).where(Department.lineage.contains([department]))))


_RESOURCE_PARTS = (
    joinedload(Resource.department),
    joinedload(Resource.system),
    joinedload(Resource.pool),
    selectinload(Resource.claims).joinedload(Claim.subnet),
)


_DRIFT_PARTS = (
    joinedload(Drift.pool),
    joinedload(Drift.resource).options(joinedload(Resource.department), joinedload(Resource.pool)),
)
_MOST_POOLS = 2000

_ASKING_BY_ID = """
    SELECT id, code, lineage, now() FROM departments WHERE id = %(ref)s AND deleted_at IS NULL FOR KEY SHARE
"""

_ASKING_BY_CODE = """
    SELECT id, code, lineage, now() FROM departments WHERE code = %(ref)s AND deleted_at IS NULL FOR KEY SHARE
"""


def _by_ref(model: Any, ref: str | UUID) -> Select[Any]:
    by_id = _as_uuid(ref)
    return select(model).where(model.id == by_id if by_id else model.code == ref)


def _as_uuid(ref: str | UUID) -> UUID | None:
    try:
        return ref if isinstance(ref, UUID) else UUID(ref)
    except ValueError:
        return None


def _one(session: Session, model: type[T], noun: str, ref: str | UUID) -> T:
    found: T | None = session.scalar(_by_ref(model, ref))
    if found is None:
        raise NotFound(noun=noun, name=str(ref))
    return found


def _uuid(ref: str | UUID, noun: str) -> UUID:
    by_id = _as_uuid(ref)
    if by_id is None:
        raise NotFound(noun=noun, name=str(ref))
    return by_id


def _in_scope(statement: Select[Any], department: Any, actor: Actor) -> Select[Any]:
    return statement if actor.scope is None else statement.where(department.in_(actor.scope))


def _order(model: Any, *columns: str, default: str | None = None) -> Order:
    return Order({name: getattr(model, name) for name in columns}, model.id, default or columns[0])


def _filtered(statement: Select[Any], asked: Mapping[str, str], known: Mapping[str, Filter]) -> Select[Any]:
    for name, value in asked.items():
        if name not in known:
            raise Invalid(field=name, reason=f"is no filter of this list; there are {', '.join(sorted(known))}")
        statement = statement.where(known[name](value))
    return statement


def _contains(column: Any, part: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.icontains(part, autoescape=True)
    return found


def _ids(model: Any, ref: str) -> Select[Any]:
    return _by_ref(model, ref).with_only_columns(model.id)


def _department_ids(ref: str) -> Select[Any]:
    return _ids(Department, ref)


def _number(field: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Invalid(field=field, reason="must be a number") from None


def _address_contains(part: str) -> ColumnElement[bool]:
    text = func.host(Claim.address)
    return Resource.id.in_(select(Claim.resource_id).where(cast(text, String).contains(part, autoescape=True)))


_DEPARTMENT_FILTERS: dict[str, Filter] = {
    "q": lambda v: or_(_contains(Department.code, v), _contains(Department.name, v), _contains(Department.name_en, v)),
    "parent": lambda v: Department.parent_id.in_(_department_ids(v)),
    "site": lambda v: Department.site_id.in_(_ids(Site, v)),
}

_DRIFT_FILTERS: dict[str, Filter] = {
    "pool": lambda v: Drift.pool_id.in_(_ids(Pool, v)),
    "kind": lambda v: Drift.kind == v,
    "open": lambda v: Drift.closed_at.is_(None) if v == "true" else Drift.closed_at.is_not(None),
}

_SYSTEM_FILTERS: dict[str, Filter] = {
    "q": lambda v: or_(_contains(System.code, v), _contains(System.name, v), _contains(System.name_en, v)),
    "department": lambda v: System.department_id.in_(_department_ids(v)),
    "mlps_level": lambda v: System.mlps_level == _number("mlps_level", v),
}

_RESOURCE_FILTERS: dict[str, Filter] = {
    "q": lambda v: or_(_contains(Resource.name, v), _address_contains(v)),
    "state": lambda v: Resource.state.in_(v.split(",")),
    "department": lambda v: Resource.department_id.in_(_department_ids(v)),
    "system": lambda v: Resource.system_id.in_(_ids(System, v)),
    "pool": lambda v: Resource.pool_id.in_(_ids(Pool, v)),
    "request": lambda v: Resource.request_id == _uuid(v, "request"),
}
