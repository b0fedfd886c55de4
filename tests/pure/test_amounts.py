"""The arithmetic of admission: adding, comparing, and saying what is missing."""

from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.amounts import QuotaExceeded, Shortage, difference, effective_capacity, positive, total

vectors = st.dictionaries(st.sampled_from(["vm", "vcpu", "disk_gib"]), st.integers(0, 1000))


def test_a_shortage_says_how_much_is_missing() -> None:
    assert Shortage(uuid4(), "department", "vcpu", limit=10, used=6, held=3, asked=4).short_by == 3


def test_an_account_whose_limit_was_cut_is_short_of_what_it_is_over_too() -> None:
    assert Shortage(uuid4(), "department", "vcpu", limit=2, used=6, held=0, asked=1).short_by == 5


def test_a_refusal_keeps_every_shortage_and_its_message_has_the_numbers_of_each() -> None:
    first = Shortage(uuid4(), "department", "vcpu", limit=10, used=6, held=3, asked=4)
    second = Shortage(uuid4(), "pool", "vm", limit=1, used=1, held=0, asked=1)
    refusal = QuotaExceeded(iter([first, second]))
    assert refusal.shortages == (first, second)
    assert str(refusal) == (
        f"department {first.owner} is short of 3 vcpu (limit 10, used 6, held 3, asked 4); "
        f"pool {second.owner} is short of 1 vm (limit 1, used 1, held 0, asked 1)"
    )


def test_vectors_are_added_class_by_class() -> None:
    assert total([{"vm": 1, "vcpu": 2}, {"vm": 1}, {}]) == {"vm": 2, "vcpu": 2}
    assert total([]) == {}


def test_a_difference_names_every_class_that_differs_and_no_other() -> None:
    assert difference({"vm": 1, "vcpu": 4, "gpu": 1}, {"vm": 1, "vcpu": 6, "disk_gib": 50}) == {
        "vcpu": -2,
        "gpu": 1,
        "disk_gib": -50,
    }


def test_only_what_grows_is_positive() -> None:
    assert positive({"vm": 0, "vcpu": 2, "disk_gib": -5}) == {"vcpu": 2}


@given(vectors, vectors)
def test_what_is_there_and_the_difference_add_up_to_what_is_wanted(
    wanted: dict[str, int], present: dict[str, int]
) -> None:
    added = total([present, difference(wanted, present)])
    assert {c: n for c, n in added.items() if n} == {c: n for c, n in wanted.items() if n}


@pytest.mark.parametrize(
    ("units", "reserved", "ratio", "capacity"),
    [(64, 0, "4", 256), (64, 4, "1", 60), (10, 3, "1.5", 10), (3, 0, "0.5", 1), (5, 5, "16", 0), (0, 0, "1", 0)],
)
def test_capacity_is_what_is_not_reserved_times_the_ratio_rounded_down(
    units: int, reserved: int, ratio: str, capacity: int
) -> None:
    assert effective_capacity(units, reserved, Decimal(ratio)) == capacity


def test_large_capacities_are_exact() -> None:
    assert effective_capacity(2**53 + 1, 0, Decimal(1)) == 2**53 + 1
