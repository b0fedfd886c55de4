"""Balances of departments and pools, for those who may see them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.policy import authorize
from quotas import metering
from quotas.metering import Balance


def of_departments(session: Session, actor: Actor, departments: Sequence[UUID]) -> dict[UUID, list[Balance]]:
    """Return the balances of departments that a lookup let the actor have."""
    authorize(actor, "quota.read")
    return metering.balances(session, [d for d in departments if actor.sees(d)])


def of_pools(session: Session, actor: Actor, pools: Sequence[UUID]) -> dict[UUID, list[Balance]]:
    """Return the balances of pools."""
    authorize(actor, "pool.read")
    return metering.balances(session, pools)
