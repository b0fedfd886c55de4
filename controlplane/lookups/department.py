"""Reads of departments, one of which every ask begins with."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, as_uuid, by_ref, filtered, ids, in_scope, ordered_by
from controlplane.models import Department, Site
from controlplane.models.pieces import contains
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize
from quotas import wire


def department_for(session: Session, actor: Actor, ref: str | UUID, action: str, *, keep: bool = False) -> Department:
    """Return the department with this id or code. With `keep`, nobody closes it before the caller's
    transaction ends. Raises Forbidden, NotFound."""
    authorize(actor, action)
    statement = by_ref(Department, ref).where(Department.deleted_at.is_(None))
    if keep:
        statement = statement.with_for_update(read=True, key_share=True)
    department: Department | None = session.scalar(statement)
    if department is None or not actor.sees(department.id):
        raise NotFound(noun="department", name=str(ref))
    return department


class Asking(NamedTuple):
    """A department that asks for something. `lineage` leads from the top of the tree down to it; `now` is the time of
    the transaction, `rules` are those that say who has to approve what, as they are kept."""

    id: UUID
    code: str
    lineage: list[UUID]
    now: datetime
    rules: list[dict[str, Any]] | None


def department_asking(
    session: Session, actor: Actor, ref: str | UUID, action: str = "resource.create"
) -> Callable[[], Asking]:
    """Keep the department that an ask is for from being closed before the caller's transaction ends; what is returned
    gives it, in a second step, so that in a pipeline the caller can send more before it waits.

    Raises Forbidden; the second step NotFound.
    """
    authorize(actor, action)
    by_id = as_uuid(ref)
    reply = wire.run(session, _ASKING_BY_ID if by_id else _ASKING_BY_CODE, {"ref": by_id or ref})

    def found() -> Asking:
        row = reply.fetchone()
        if row is None or not actor.sees(row[0]):
            raise NotFound(noun="department", name=str(ref))
        return Asking(*row[: len(Asking._fields)])

    return found


def departments(session: Session, actor: Actor, listing: Listing) -> Page[Department]:
    """List departments; filters: q, parent, site."""
    authorize(actor, "department.read")
    statement = select(Department).where(Department.deleted_at.is_(None))
    statement = filtered(session, in_scope(statement, Department.id, actor), listing.filters, _DEPARTMENT_FILTERS)
    statement = statement.options(joinedload(Department.site), joinedload(Department.parent))
    return paginate(session, statement, ordered_by(Department, "code", "name", "created_at"), listing)


def lineage_of(session: Session, department: UUID) -> tuple[UUID, ...]:
    """Return the ids from the top of the tree down to a department that was already read."""
    lineage = session.scalar(select(Department.lineage).where(Department.id == department))
    return tuple(lineage or ())


def subtree_of(session: Session, department: UUID) -> frozenset[UUID]:
    """Return the ids of a department that was already read and of all below it."""
    return frozenset(session.scalars(select(Department.id).where(Department.lineage.contains([department]))))


_DEPARTMENT_FILTERS: dict[str, Filter] = {
    "q": lambda v: contains(v, Department.code, Department.name, Department.name_en),
    "parent": lambda v: Department.parent_id.in_(ids(Department, v)),
    "site": lambda v: Department.site_id.in_(ids(Site, v)),
}

# What an ask sends after this are always the same few statements, which look up a few rows by their keys: planning them
# anew for each value takes longer than carrying them out, and a plan that was made and kept while a table was small, be
# it for a foreign key, must not read all of it once it has grown. What it costs to have none but that plan is made so
# high that servers before PostgreSQL 18 would compile it.
_ASKING: LiteralString = """
    SELECT id, code, lineage, now(),
           (SELECT json_agg(json_build_object('name', name, 'applies', applies, 'steps', steps) ORDER BY code)
            FROM routing_rules WHERE enabled),
           set_config('plan_cache_mode', 'force_generic_plan', true),
           set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)
    FROM departments WHERE deleted_at IS NULL AND
"""

_ASKING_BY_ID = _ASKING + " id = %(ref)s FOR KEY SHARE"

_ASKING_BY_CODE = _ASKING + " code = %(ref)s FOR KEY SHARE"
