"""The rules that say who has to approve what. They are policy, so the security administrator sets them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import audit, lookups
from controlplane.actor import Actor
from controlplane.asks.items import CLASSES
from controlplane.asks.routing import Applies, StepOf
from controlplane.conflicts import refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, Invalid, Stale
from controlplane.kinds import KINDS
from controlplane.models import RoutingRule

MAX_RULES = 100


@dataclass(frozen=True, slots=True)
class RuleOf:
    """What a rule says: its names, whether it counts, where it applies and what it then demands."""

    name: str
    name_en: str
    enabled: bool
    applies: Applies
    steps: list[StepOf]


def create(session: Session, actor: Actor, code: str, rule: RuleOf) -> RoutingRule:
    """Add a rule; requests that are submitted from now on go by it. Raises Forbidden, AlreadyExists, Invalid."""
    known = lookups.routing_rules(session, actor, "routing.write")
    if any(other.code == code for other in known):
        raise AlreadyExists(noun="rule", name=code)
    if len(known) >= MAX_RULES:
        raise Invalid(field="code", reason=f"there are {MAX_RULES} rules already, which is the most")
    made = RoutingRule(id=new_id(), code=code, **_kept(rule))
    session.add(made)
    with refusing_duplicates("rule", code):
        session.flush()
    audit.record(session, actor, [_said(made, "create", _kept(rule))])
    return made


def change(session: Session, actor: Actor, code: str, rule: RuleOf, version: int | None = None) -> RoutingRule:
    """Have a rule say something else. Raises Forbidden, NotFound, Stale, Invalid."""
    known = lookups.routing_rule_for(session, actor, code, "routing.write")
    if version is not None and version != known.version:
        raise Stale
    for field, value in _kept(rule).items():
        setattr(known, field, value)
    known.version += 1
    audit.record(session, actor, [_said(known, "update", _kept(rule))])
    session.flush()
    return known


def delete(session: Session, actor: Actor, code: str) -> None:
    """Remove a rule; what it demanded of requests under way stays demanded. Raises Forbidden, NotFound."""
    known = lookups.routing_rule_for(session, actor, code, "routing.write")
    session.execute(select(RoutingRule.id).where(RoutingRule.id == known.id).with_for_update())
    session.delete(known)
    audit.record(session, actor, [_said(known, "delete", {})])
    session.flush()


def _kept(rule: RuleOf) -> dict[str, Any]:
    """Return what is kept of a rule. Raises Invalid for a kind or class that there is not."""
    applies = rule.applies
    if applies.kind is not None and applies.kind not in KINDS and applies.kind != "quota":
        raise Invalid(
            field="applies.kind", reason=f"{applies.kind}: no such kind; there are {', '.join(sorted(KINDS))}"
        )
    priced = applies.cost.per_month.keys() if applies.cost else ()
    unknown = sorted({*applies.amounts, *priced} - CLASSES)
    if unknown:
        reason = f"{', '.join(unknown)}: no such class; there are {', '.join(sorted(CLASSES))}"
        raise Invalid(field="applies.amounts", reason=reason)
    return {
        "name": rule.name,
        "name_en": rule.name_en,
        "enabled": rule.enabled,
        "applies": applies.model_dump(mode="json", exclude_defaults=True),
        "steps": [step.model_dump(mode="json") for step in rule.steps],
    }


def _said(rule: RoutingRule, verb: str, details: dict[str, Any]) -> audit.Act:
    return audit.Act(f"rule.{verb}", "rule", rule.id, rule.code, None, details)
