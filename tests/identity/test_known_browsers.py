"""Who has come in at a browser before is not locked out there by what others try under his name."""

import pytest

from controlplane.errors import SignInLocked
from controlplane.known_browsers import LIFE
from tests.identity.gate import Gate


def lock(gate: Gate, name: str) -> None:
    for _ in range(5):
        assert gate.enter(name, "wrong") is None
    refused(gate, name, "wrong")


def refused(gate: Gate, name: str, password: str) -> None:
    with pytest.raises(SignInLocked):
        gate.enter(name, password)


@pytest.mark.parametrize("role", ["auditor", "system_admin"])
def test_wrong_tries_of_others_do_not_lock_out_who_has_come_in_at_this_browser_before(gate: Gate, role: str) -> None:
    wang = gate.person("wang", role)
    mark = gate.marked(wang)
    lock(gate, "wang")
    with gate.known_at("other", mark):
        gate.come_in(wang)
        assert gate.mark == mark, "and it stays known by the same mark"
    refused(gate, "wang", wang.password)


def test_wrong_tries_at_a_known_browser_are_as_few_as_elsewhere_and_lock_nobody_else(gate: Gate) -> None:
    wang = gate.person("wang")
    mark = gate.marked(wang)
    with gate.known_at(mark):
        lock(gate, "wang")
        refused(gate, "wang", wang.password)
    assert gate.enter("wang", wang.password)


def test_coming_in_at_a_known_browser_forgives_no_try_of_a_stranger(gate: Gate) -> None:
    wang = gate.person("wang")
    mark = gate.marked(wang)
    for _ in range(4):
        assert gate.enter("wang", "wrong") is None
    with gate.known_at(mark):
        gate.come_in(wang)
    assert gate.enter("wang", "wrong") is None
    refused(gate, "wang", "wrong")


def test_a_mark_is_of_no_use_where_it_is_not_ones_own_or_old_or_made_up(gate: Gate) -> None:
    wang, li = gate.person("wang"), gate.person("li")
    mark, of_another = gate.marked(wang), gate.marked(li)
    made, _, seal = mark.rpartition("-")
    forged = (
        f"{made}0-{seal}",
        f"{made}-{seal[::-1]}",
        f"-{seal}",
        "--",
        "",
        "x",
        "9" * 5000,
        "\u20ac-\u20ac",
        mark.upper(),
    )
    lock(gate, "wang")
    with gate.known_at(of_another, *forged):
        refused(gate, "wang", wang.password)
    gate.now += LIFE
    assert gate.enter("wang", "wrong") is None
    with gate.known_at(mark):
        refused(gate, "wang", wang.password)
