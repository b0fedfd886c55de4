"""Whether something may be ordered directly, or has to be approved first: the same rules as for requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import changes
from controlplane.actor import Actor
from controlplane.asks.routing import Line, demanded, rules_of
from controlplane.errors import ApprovalNeeded, FloatNeedsApproval, SnapshotNeedsApproval
from controlplane.models import Resource, RoutingRule, System
from quotas.amounts import difference

Rows = Sequence[Mapping[str, Any]]


def admit(actor: Actor, rules: Rows | None, lines: Sequence[Line]) -> None:
    """Raise ApprovalNeeded where a rule has somebody approve `lines`. The system itself is not asked: it carries out
    what was approved, or is the host's operator."""
    if rules and actor.kind != "system":
        needed = demanded(rules_of(rules), lines)
        if needed:
            raise ApprovalNeeded(roles=", ".join(dict.fromkeys(one.role for one in needed)))


def admit_resize(session: Session, actor: Actor, resource: Resource, size: Any) -> None:
    """Raise ApprovalNeeded where another size has to be approved, or what `changes.planned` raises."""
    rules = _in_force(session)
    if rules:
        wanted = changes.planned(session, resource, "resize", size).demand
        [level] = _levels(session, [resource])
        admit(actor, rules, [Line("resize", resource.kind, growth(wanted, resource), level)])


def admit_float(session: Session, actor: Actor, resource: Resource, body: Any) -> None:
    """Raise FloatNeedsApproval where a new resource like this one, with an address of the subnet that `body` names,
    would have to be approved."""
    rules = [rule for rule in _in_force(session) if rule["applies"].get("networks")]
    if rules:
        subnet = str((body.model_dump() if isinstance(body, BaseModel) else dict(body or {})).get("subnet"))
        [level] = _levels(session, [resource])
        try:
            admit(actor, rules, [Line("create", resource.kind, resource.demand, level, frozenset({subnet}))])
        except ApprovalNeeded as needed:
            raise FloatNeedsApproval(subnet=subnet, roles=needed.values["roles"]) from needed


def admit_snapshot(session: Session, actor: Actor, resource: Resource, body: Any) -> None:
    """Raise SnapshotNeedsApproval where growth by as much as a snapshot counts would have to be approved for its amount
    or cost, or what `changes.planned` raises. Rules on any change of size are about the machine, and not asked."""
    rules = [rule for rule in _in_force(session) if rule["applies"].get("amounts") or rule["applies"].get("cost")]
    if rules:
        wanted = changes.planned(session, resource, "snapshot", body).demand
        [level] = _levels(session, [resource])
        more = growth(wanted, resource)
        try:
            admit(actor, rules, [Line("resize", resource.kind, more, level)])
        except ApprovalNeeded as needed:
            gib = more.get("disk_gib", 0)
            raise SnapshotNeedsApproval(gib=gib, roles=needed.values["roles"]) from needed


def admit_release(session: Session, actor: Actor, resources: Sequence[Resource]) -> None:
    """Raise ApprovalNeeded where giving `resources` back has to be approved."""
    rules = _in_force(session)
    if rules:
        levels = _levels(session, resources)
        lines = [Line("release", one.kind, {}, level) for one, level in zip(resources, levels, strict=True)]
        admit(actor, rules, lines)


def growth(wanted: Mapping[str, int], resource: Resource) -> dict[str, int]:
    """Return by how much a resource's demand would grow, by class."""
    return {c: more for c, more in difference(wanted, resource.demand).items() if more > 0}


def _in_force(session: Session) -> Rows:
    rows = session.execute(
        select(RoutingRule.name, RoutingRule.applies, RoutingRule.steps)
        .where(RoutingRule.enabled)
        .order_by(RoutingRule.code)
    )
    return [{"name": name, "applies": applies, "steps": steps} for name, applies, steps in rows]


def _levels(session: Session, resources: Sequence[Resource]) -> list[int]:
    """Return the MLPS level of each resource's system, 1 where it has none."""
    systems = {one.system_id for one in resources if one.system_id}
    rows = session.execute(select(System.id, System.mlps_level).where(System.id.in_(systems)))
    levels = {row.id: row.mlps_level for row in rows}
    return [levels[one.system_id] if one.system_id else 1 for one in resources]
