"""Reads of the rules that say who has to approve what. There are a hundred at most."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.errors import NotFound
from controlplane.models import RoutingRule
from controlplane.policy import authorize


def routing_rules(session: Session, actor: Actor, action: str = "routing.read") -> Sequence[RoutingRule]:
    """Return all rules, by code. Raises Forbidden."""
    authorize(actor, action)
    return session.scalars(select(RoutingRule).order_by(RoutingRule.code)).all()


def routing_rule_for(session: Session, actor: Actor, code: str, action: str = "routing.read") -> RoutingRule:
    """Return the rule with this code. Raises Forbidden, NotFound."""
    authorize(actor, action)
    found = session.scalar(select(RoutingRule).where(RoutingRule.code == code))
    if found is None:
        raise NotFound(noun="rule", name=code)
    return found
