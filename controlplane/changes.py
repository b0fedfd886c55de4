"""Wanting a resource otherwise: what an order and a decision on drift have in common."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from controlplane import lifecycle, lookups
from controlplane.capacity import with_names
from controlplane.kinds.contract import Change
from controlplane.models import Resource
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand

Post = Callable[[Session, Sequence[Demand]], None]


def take(session: Session, resource: Resource, amounts: Mapping[str, int], post: Post) -> None:
    """Post what a resource is to have by one of the ledger's verbs. Raises OverQuota, with the owners' names."""
    department = lookups.lineage_of(session, resource.department_id)
    demand = Demand(
        resource.id,
        resource.department_id,
        amounts,
        tuple(d for d in department if d != resource.department_id),
        resource.pool_id,
    )
    try:
        post(session, [demand])
    except QuotaExceeded as error:
        raise with_names(session, error) from error


def want(resource: Resource, change: Change) -> None:
    """Record what is wanted next, as a new generation."""
    resource.generation += 1
    resource.version += 1
    resource.spec = dict(change.spec)
    resource.wanted = {**change.wanted, "generation": resource.generation}
    resource.demand = dict(change.demand)
    resource.state = lifecycle.move(resource.state, "change")
    resource.fault_code = resource.fault_detail = None


def want_gone(resource: Resource) -> None:
    """Record that a resource is to go, as a new generation."""
    resource.desired = "absent"
    resource.state = lifecycle.move(resource.state, "remove")
    resource.fault_code = resource.fault_detail = None
    resource.generation += 1
    resource.version += 1
