"""A few of the kills of `make chaos`, so that every run of the tests sees that nothing has been lost of it.

One installation lives through all of them, one after the other: starting it is the dear part. So this is one test.
"""

from dataclasses import replace

from tests.chaos.kills import Kill, Range, every_kill
from tests.chaos.steppe import small_steppe

FEW = (
    Kill("create", "create", "half way", "worker"),
    Kill("create", "request", "committed", "web"),
    Kill("resize", "resize", "after", "database"),
    Kill("delete", "save", "half way", "worker"),
)


def test_whoever_is_killed_in_the_middle_of_things_the_end_is_what_was_asked() -> None:
    assert set(FEW) <= set(every_kill())
    with small_steppe() as running:
        place = Range(running, sum(kill.verb != "create" for kill in FEW))
        for kill in FEW:
            outcome = place.carry_out(kill)
            assert not outcome.wrong, outcome
        assert place.judge_all() == []
        vm, wanted = next(iter(place.wanted.items()))
        assert place.oracle.one(vm, replace(wanted, vcpu=99)), "whoever compares must see what is wrong"
        assert place.oracle.one(vm, None), "and what is there that should not be"
