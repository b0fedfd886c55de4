"""Which approvals an ask comes to by the rules."""

from typing import Any

import pytest

from controlplane.asks import states
from controlplane.asks.routing import Line, Rule, demanded

VM = Line("create", "vm", {"vm": 1, "vcpu": 4}, 2, frozenset({"business"}))


def rule(name: str = "r", roles: tuple[tuple[str, int], ...] = (("system_admin", 1),), **applies: Any) -> Rule:
    steps = [{"role": role, "stage": stage, "hours": 10} for role, stage in roles]
    return Rule.model_validate({"name": name, "applies": applies, "steps": steps})


def steps(*rules: Rule, of: tuple[Line, ...] = (VM,)) -> list[tuple[int, str]]:
    return [(one.stage, one.role) for one in demanded(rules, of)]


def test_without_a_rule_nobody_need_approve() -> None:
    assert steps() == []


@pytest.mark.parametrize(
    ("applies", "does"),
    [
        ({}, True),
        ({"do": ["create", "resize"]}, True),
        ({"do": ["resize"]}, False),
        ({"kind": "vm"}, True),
        ({"kind": "device"}, False),
        ({"mlps_level": 2}, True),
        ({"mlps_level": 3}, False),
        ({"networks": ["dmz", "business"]}, True),
        ({"networks": ["dmz"]}, False),
        ({"amounts": {"vcpu": 4}}, True),
        ({"amounts": {"vcpu": 5}}, False),
        ({"amounts": {"vcpu": 5, "vm": 1}}, True),
        ({"cost": {"per_month": {"vcpu": "50", "vm": "10"}, "at_least": 210}}, True),
        ({"cost": {"per_month": {"vcpu": "50"}, "at_least": 201}}, False),
        ({"kind": "vm", "mlps_level": 3}, False),
    ],
)
def test_a_rule_applies_where_all_its_conditions_hold(applies: dict[str, Any], does: bool) -> None:
    assert bool(steps(rule(**applies))) == does


def test_amounts_are_counted_over_all_that_is_asked_for() -> None:
    assert steps(rule(amounts={"vcpu": 8}), of=(VM, VM)) == [(1, "system_admin")]


def test_amounts_count_only_what_the_other_conditions_leave() -> None:
    outside = Line("create", "vm", {"vcpu": 8}, 2, frozenset({"dmz"}))
    assert steps(rule(networks=["business"], amounts={"vcpu": 8}), of=(VM, outside)) == []


def test_rules_that_apply_count_together_and_the_shorter_time_holds() -> None:
    first, second = rule("a", (("department_manager", 1), ("system_admin", 2))), rule("b", (("security_admin", 1),))
    assert steps(first, second) == [(1, "department_manager"), (1, "security_admin"), (2, "system_admin")]
    quick = Rule.model_validate(
        {"name": "c", "applies": {}, "steps": [{"role": "system_admin", "stage": 2, "hours": 3}]}
    )
    [_, last] = demanded([first, quick], [VM])
    assert (last.hours, last.rule) == (3, "a; c")


@pytest.mark.parametrize("do", ["quota", "transfer"])
def test_what_no_department_may_give_itself_needs_the_system_administrator(do: Any) -> None:
    assert steps(of=(Line(do, "vm"),)) == [(1, "system_admin")]
    assert steps(rule(roles=(("security_admin", 2),)), of=(Line(do, "vm"),)) == [
        (2, "system_admin"),
        (2, "security_admin"),
    ]
    assert steps(rule(), of=(Line(do, "vm"),)) == [(1, "system_admin")]


def test_a_request_that_is_over_moves_no_more() -> None:
    over = {"done", "refused", "withdrawn", "expired"}
    assert not [state for state, _ in states.MOVES if state in over]
    assert set(states.MOVES.values()) | {"draft"} == set(states.STATES)
