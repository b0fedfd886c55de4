"""Who has to approve an ask: rules are data, and what they come to is worked out here. Pure.

All rules that apply count together, so that no rule takes away what another one demands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Do = Literal["create", "resize", "extend", "transfer", "release", "quota"]
DOES: tuple[Do, ...] = get_args(Do)
Approver = Literal["department_manager", "system_admin", "security_admin"]
APPROVERS: tuple[Approver, ...] = get_args(Approver)

_Amount = Mapping[str, int]


class Cost(BaseModel):
    """The least cost of a month, in the centre's currency, by what one unit of each class costs a month."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_month: dict[str, Decimal]
    at_least: Decimal = Field(ge=0)


class Applies(BaseModel):
    """The conditions of a rule. What is not named is no condition; of `amounts`, any one that is reached is enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: list[Do] = Field(default_factory=list, description="what is asked for")
    kind: str | None = Field(None, description="of which kind of resource")
    amounts: dict[str, int] = Field(default_factory=dict, description="the least that is asked for in all, by class")
    mlps_level: int | None = Field(None, ge=1, le=4, description="the least MLPS level of a system")
    networks: list[str] = Field(default_factory=list, description="codes of subnets; one that is asked for is enough")
    cost: Cost | None = None


class StepOf(BaseModel):
    """An approval that a rule demands. Steps of one stage are open at once, the next ones when all of them are done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Approver
    stage: int = Field(1, ge=1, le=9)
    hours: int = Field(72, ge=1, le=2160, description="within how many hours it is to be decided")


class Rule(BaseModel):
    """A rule: where it applies, its steps are demanded. Without steps it says that nobody need approve."""

    model_config = ConfigDict(frozen=True)

    name: str
    applies: Applies
    steps: list[StepOf]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is asked for, as rules see it. `amounts` is by how much the department's use would grow."""

    do: Do
    kind: str = ""
    amounts: _Amount = field(default_factory=dict)
    mlps_level: int = 1
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Demanded:
    """One approval that a request needs, with the names of the rules that say so."""

    stage: int
    role: Approver
    hours: int
    rule: str


_ALWAYS: Mapping[Do, tuple[Approver, str]] = {
    "quota": ("system_admin", "额度调整须经系统管理员批准 / a quota is raised by the system administrator"),
    "transfer": ("system_admin", "跨部门划转须经系统管理员批准 / a transfer is approved by the system administrator"),
}
"""What nobody may have without this role's approval, whatever the rules say: no department gives itself a quota, or a
resource to another."""


def rules_of(rows: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Return rules as they are kept."""
    return [Rule.model_validate(row) for row in rows]


def demanded(rules: Iterable[Rule], lines: Sequence[Line]) -> list[Demanded]:
    """Return the approvals that an ask of `lines` needs, by stage and role, each role once a stage."""
    found: dict[tuple[int, Approver], Demanded] = {}
    for rule in rules:
        if not _applies(rule.applies, lines):
            continue
        for step in rule.steps:
            key = (step.stage, step.role)
            known = found.get(key)
            names = f"{known.rule}; {rule.name}" if known else rule.name
            hours = min(known.hours, step.hours) if known else step.hours
            found[key] = Demanded(step.stage, step.role, hours, names)
    for do, (role, why) in _ALWAYS.items():
        if any(line.do == do for line in lines) and all(role != known.role for known in found.values()):
            last = max((stage for stage, _ in found), default=1)
            found[last, role] = Demanded(last, role, 72, why)
    return sorted(found.values(), key=lambda one: (one.stage, APPROVERS.index(one.role)))


def _applies(condition: Applies, lines: Sequence[Line]) -> bool:
    matching = [line for line in lines if _matches(condition, line)]
    if not matching:
        return False
    total: dict[str, int] = {}
    for line in matching:
        for resource_class, amount in line.amounts.items():
            total[resource_class] = total.get(resource_class, 0) + amount
    if condition.amounts and not any(total.get(c, 0) >= least for c, least in condition.amounts.items()):
        return False
    if condition.cost is None:
        return True
    price = sum((condition.cost.per_month.get(c, Decimal(0)) * n for c, n in total.items()), Decimal(0))
    return price >= condition.cost.at_least


def _matches(condition: Applies, line: Line) -> bool:
    return (
        (not condition.do or line.do in condition.do)
        and condition.kind in {None, line.kind}
        and (condition.mlps_level is None or line.mlps_level >= condition.mlps_level)
        and (not condition.networks or not line.networks.isdisjoint(condition.networks))
    )
