"""A little of `make check-brute-force`: what of it does not hang on how fast this machine is."""

import pytest

from controlplane.bootstrap import Installation
from tests.brute_force.attack import BUSY, LOCKED, WRONG, attack, scene
from tests.brute_force.browser import Browser
from tests.brute_force.timing import compared, sampled
from tests.serving import served

TIMES = 80


@pytest.mark.usefixtures("real_passwords")
def test_many_wrong_tries_at_once_lock_the_name_and_not_the_service(installation: Installation) -> None:
    here = scene(installation)
    with served(installation, STEPPE_LOCK_MINUTES="60") as url:
        outcome = attack(url, here, TIMES)
        afterwards = Browser(url).enter(here.victim.username, here.victim.password)
    assert outcome.answers[WRONG] == installation.settings.lock_after
    assert outcome.answers.total() == TIMES
    assert outcome.answers.keys() <= {WRONG, LOCKED, BUSY}
    assert afterwards.status == LOCKED, "not even the right password comes in now"
    assert outcome.entries, "nobody else came in"
    assert outcome.served and {answer.status for answer in outcome.served} == {200}


def test_times_that_differ_are_told_apart_and_times_that_do_not_are_not() -> None:
    even, odd = list(range(0, 400, 2)), list(range(1, 400, 2))
    assert compared(even, odd).chance > 0.9
    assert compared(even, [time * 1.5 for time in odd]).chance < 0.001
    assert compared([2.0] * 50, [1.0] * 50).ratio == 2
    assert compared([1.0] * 50, [1.0] * 50).chance == 1


def test_the_rank_test_gives_what_is_worked_out_by_hand() -> None:
    # The first has the ranks 1, 2, 3, 5 and 6: U = 17 - 15 = 2, of a mean of 15 and a variance of 30. With half a rank
    # for continuity z = 12.5 / 5.477 = 2.282, of which the two tails hold 0.0225.
    assert round(compared([1, 2, 3, 7, 8], [4, 9, 10, 11, 12, 13]).chance, 4) == 0.0225


def test_samples_of_each_kind_are_taken_in_turns() -> None:
    taken: list[str] = []

    def note(kind: str) -> float:
        taken.append(kind)
        return 0

    sampled({"a": lambda: note("a"), "b": lambda: note("b")}, 20, 1)
    assert all(set(taken[at : at + 2]) == {"a", "b"} for at in range(0, 40, 2))
    assert taken[:2] * 20 != taken, "nor always in the same order"
