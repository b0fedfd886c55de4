"""Reads of systems."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, by_ref, filtered, ids, in_scope, number, ordered_by
from controlplane.models import Department, System
from controlplane.models.pieces import contains
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def system_for(session: Session, actor: Actor, ref: str | UUID, action: str) -> System:
    """Return the system with this id; a code serves too where only one visible system has it. Raises NotFound."""
    authorize(actor, action)
    statement = in_scope(by_ref(System, ref), System.department_id, actor).where(System.deleted_at.is_(None))
    found: Sequence[System] = session.scalars(statement.options(joinedload(System.department)).limit(2)).all()
    if len(found) != 1:
        raise NotFound(noun="system", name=str(ref))
    return found[0]


def system_of(session: Session, actor: Actor, department: UUID, code: str) -> System:
    """Return the system of a department with this code; it stays open until the caller's transaction ends.

    Raises Forbidden, NotFound.
    """
    authorize(actor, "system.read")
    statement = select(System).where(System.department_id == department, System.code == code)
    statement = in_scope(statement.where(System.deleted_at.is_(None)), System.department_id, actor)
    found = session.scalar(statement.with_for_update(read=True, key_share=True))
    if found is None:
        raise NotFound(noun="system", name=code)
    return found


def systems(session: Session, actor: Actor, listing: Listing) -> Page[System]:
    """List systems; filters: q, department, mlps_level."""
    authorize(actor, "system.read")
    statement = in_scope(select(System).where(System.deleted_at.is_(None)), System.department_id, actor)
    statement = filtered(session, statement, listing.filters, _SYSTEM_FILTERS).options(joinedload(System.department))
    return paginate(session, statement, ordered_by(System, "code", "name", "mlps_level", "created_at"), listing)


_SYSTEM_FILTERS: dict[str, Filter] = {
    "q": lambda v: contains(v, System.code, System.name, System.name_en),
    "department": lambda v: System.department_id.in_(ids(Department, v)),
    "mlps_level": lambda v: System.mlps_level == number("mlps_level", v),
}
