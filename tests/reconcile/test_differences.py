"""What differs and what is done about it are one answer: there is no drift that a look would not act on, and no act
that was not a difference."""

from dataclasses import fields
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from controlplane.reconcile.differences import EXISTENCE, FIELDS, Difference, differences
from controlplane.reconcile.plan import plan
from provisioners.contract import Floating, Machine, MachineSpec, Snapshot
from tests.drivers.makers import a_machine

SMALL = st.integers(0, 2)
NUMBERS = dict.fromkeys(("vcpu", "memory_mib", "disk_gib", "boots", "builds"), SMALL)
POWER = st.sampled_from(["on", "off"])
DISKS = st.lists(SMALL, max_size=2).map(tuple)
ADDRESSES = st.none() | st.sampled_from(["172.31.99.7", "172.31.99.8"])
FLOATING = ADDRESSES.map(lambda address: Floating(address, "ext") if address else None)
NUMBERED = st.lists(st.integers(1, 3), max_size=2, unique=True).map(sorted).map(tuple)
SNAPSHOTS = NUMBERED.map(lambda numbers: tuple(Snapshot(number, f"s{number}", 1) for number in numbers))
WANTED = st.builds(
    a_machine,
    power=POWER,
    adopted=st.booleans(),
    data_disks=DISKS,
    floating=FLOATING,
    snapshots=SNAPSHOTS,
    restored=st.none() | st.integers(1, 3),
    **NUMBERS,
)
OBSERVED = st.builds(
    Machine,
    id=st.just(UUID(int=1)),
    name=st.text(max_size=3),
    power=POWER,
    image=st.just("debian-12"),
    generation=SMALL,
    complete=st.booleans(),
    adopted=st.booleans(),
    data_disks=DISKS,
    floating_address=ADDRESSES,
    snapshot_numbers=NUMBERED,
    **NUMBERS,
)


@given(st.none() | WANTED, st.none() | OBSERVED)
def test_there_is_something_to_do_just_where_something_differs(
    wanted: MachineSpec | None, observed: Machine | None
) -> None:
    assert bool(plan(wanted, observed)) == bool(differences(wanted, observed))


@given(WANTED, OBSERVED)
def test_a_difference_shows_both_sides_as_they_are(wanted: MachineSpec, observed: Machine) -> None:
    for field, difference in differences(wanted, observed).items():
        if field != EXISTENCE:
            assert difference == Difference(getattr(wanted, field), getattr(observed, field))
            assert difference.wanted != difference.observed


@given(WANTED, OBSERVED)
def test_what_only_labels_a_machine_never_differs(wanted: MachineSpec, observed: Machine) -> None:
    assert differences(wanted, observed).keys() <= {*FIELDS, EXISTENCE, "adopted"}


def test_every_field_that_is_compared_is_one_of_a_machine() -> None:
    assert set(FIELDS) <= {field.name for field in fields(Machine)} & set(dir(MachineSpec))


def test_a_machine_that_is_not_there_differs_in_that_alone() -> None:
    assert differences(a_machine(), None) == {EXISTENCE: Difference("present", "absent")}


def test_a_machine_that_should_not_be_there_differs_in_that_alone() -> None:
    there = Machine(UUID(int=1), "x", "on", 1, 1, 1, "")
    assert differences(None, there) == {EXISTENCE: Difference("absent", "present")}
