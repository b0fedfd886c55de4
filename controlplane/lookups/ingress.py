"""Reads of what departments let in to their machines."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, filtered, ids, in_scope, ordered_by, uuid_of
from controlplane.models import Department, IngressRule
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize

_NOUN = "ingress rule"


def ingress_rule_for(
    session: Session, actor: Actor, ref: str | UUID, action: str = "ingress.read", *, lock: bool = False
) -> IngressRule:
    """Return the rule with this id; with `lock`, nobody else removes it before the caller's transaction ends.

    Raises Forbidden, NotFound.
    """
    authorize(actor, action)
    statement = _seen(actor).where(IngressRule.id == uuid_of(ref, _NOUN))
    if lock:
        statement = statement.with_for_update(of=IngressRule).execution_options(populate_existing=True)
    found: IngressRule | None = session.scalar(statement)
    if found is None:
        raise NotFound(noun=_NOUN, name=str(ref))
    return found


def ingress_rules(session: Session, actor: Actor, listing: Listing) -> Page[IngressRule]:
    """List what departments let in; filters: department. Raises Forbidden."""
    authorize(actor, "ingress.read")
    statement = filtered(session, _seen(actor), listing.filters, _FILTERS)
    return paginate(session, statement, ordered_by(IngressRule, "created_at"), listing)


def _seen(actor: Actor) -> Select[Any]:
    return in_scope(select(IngressRule).options(joinedload(IngressRule.department)), IngressRule.department_id, actor)


_FILTERS: dict[str, Filter] = {"department": lambda v: IngressRule.department_id.in_(ids(Department, v))}
