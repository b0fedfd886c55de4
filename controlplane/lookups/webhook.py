"""Reads of webhooks and of what was delivered to them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.lookups.reading import Filter, filtered, ids, in_scope, ordered_by, uuid_of
from controlplane.models import Delivery, Department, Webhook
from controlplane.paging import Listing, Page, paginate
from controlplane.policy import authorize


def webhook_for(
    session: Session, actor: Actor, ref: str | UUID, action: str = "webhook.read", *, lock: bool = False
) -> Webhook:
    """Return the webhook with this id; with `lock`, nobody else changes it before the caller's transaction ends.

    Raises Forbidden, NotFound.
    """
    authorize(actor, action)
    statement = _seen(actor).where(Webhook.id == uuid_of(ref, "webhook"))
    if lock:
        statement = statement.with_for_update(of=Webhook).execution_options(populate_existing=True)
    found: Webhook | None = session.scalar(statement)
    if found is None:
        raise NotFound(noun="webhook", name=str(ref))
    return found


def webhooks(session: Session, actor: Actor, listing: Listing) -> Page[Webhook]:
    """List webhooks; filters: department, enabled. Raises Forbidden."""
    authorize(actor, "webhook.read")
    statement = filtered(session, _seen(actor), listing.filters, _FILTERS)
    return paginate(session, statement, ordered_by(Webhook, "created_at", default="-created_at"), listing)


def deliveries(session: Session, actor: Actor, listing: Listing) -> Page[Delivery]:
    """List what was or is to be delivered to webhooks; filters: webhook (id), state. Raises Forbidden."""
    authorize(actor, "webhook.read")
    statement = select(Delivery).where(Delivery.webhook_id.is_not(None)).options(joinedload(Delivery.webhook))
    statement = in_scope(statement, Delivery.department_id, actor)
    statement = filtered(session, statement, listing.filters, _DELIVERY_FILTERS)
    return paginate(session, statement, ordered_by(Delivery, "made_at", default="-made_at"), listing)


def _seen(actor: Actor) -> Select[Any]:
    return in_scope(select(Webhook).options(joinedload(Webhook.department)), Webhook.department_id, actor)


_FILTERS: dict[str, Filter] = {
    "department": lambda v: Webhook.department_id.in_(ids(Department, v)),
    "enabled": lambda v: Webhook.enabled.is_(v == "true"),
}

_DELIVERY_FILTERS: dict[str, Filter] = {
    "webhook": lambda v: Delivery.webhook_id == uuid_of(v, "webhook"),
    "state": lambda v: Delivery.state == v,
}
