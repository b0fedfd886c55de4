"""What every driver that keeps snapshots does with one: what a machine's first disk held, by its number."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioners.contract import MachineSpec, Missing, Rejected, Snapshot, SnapshotDriver
from tests.drivers.makers import LABS, Lab, a_machine
from tests.drivers.test_contract import seen


@pytest.fixture(params=["fake", "openstack"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A pool of every driver whose machines can have snapshots, and whose hypervisors make them."""
    lab = LABS[request.param](tmp_path)
    if not lab.keeps_snapshots:
        pytest.skip("these hypervisors make images of nothing: STEPPE_LAB_COMPUTE=libvirt has others")
    yield lab
    lab.driver.close()


NOW = datetime(2026, 11, 27, tzinfo=UTC)


def having(spec: MachineSpec, *numbers: int, shots: int = 0) -> MachineSpec:
    """Return a spec with snapshots of these numbers, of as many as were asked for at least."""
    kept = tuple(Snapshot(number, f"kept-{number}", 10) for number in numbers)
    return replace(spec, snapshots=kept, shots=max(numbers, default=shots))


def taken(spec: MachineSpec) -> MachineSpec:
    """Return a spec of which each snapshot was seen to be there."""
    return replace(spec, snapshots=tuple(replace(kept, taken=NOW) for kept in spec.snapshots))


def keep(lab: Lab, spec: MachineSpec) -> None:
    assert isinstance(lab.driver, SnapshotDriver)
    lab.driver.set_snapshots(spec)


def made(lab: Lab) -> MachineSpec:
    spec = a_machine()
    lab.driver.create(spec)
    return spec


def test_a_new_machine_has_none(lab: Lab) -> None:
    assert seen(lab, made(lab)).snapshot_numbers == ()


def test_it_gets_one_after_the_other_and_loses_the_first(lab: Lab) -> None:
    spec = made(lab)
    for numbers in ((1,), (1,), (1, 2), (2,), ()):
        keep(lab, having(spec, *numbers, shots=2))
        assert seen(lab, spec).snapshot_numbers == numbers
        assert (seen(lab, spec).power, seen(lab, spec).complete) == ("on", True)


def test_whoever_looks_sees_the_same(lab: Lab) -> None:
    spec = made(lab)
    keep(lab, having(spec, 1))
    lab.reopen()
    [listed] = lab.driver.discover()
    assert listed == seen(lab, spec) == lab.driver.inspect(spec.id)
    assert listed.snapshot_numbers == (1,)


def test_power_size_and_rebuilds_leave_it_alone(lab: Lab) -> None:
    spec = having(made(lab), 1)
    keep(lab, spec)
    for order in (lab.driver.stop, lab.driver.rebuild, lab.driver.start):
        order(replace(spec, builds=1, generation=2))
        assert seen(lab, spec).snapshot_numbers == (1,)


def test_a_machine_is_rebuilt_from_one(lab: Lab) -> None:
    spec = having(made(lab), 1)
    keep(lab, spec)
    lab.driver.stop(spec)
    lab.driver.rebuild(replace(spec, builds=1, restored=1, generation=2))
    assert (seen(lab, spec).builds, seen(lab, spec).snapshot_numbers) == (1, (1,))


def test_one_that_is_gone_is_never_taken_again(lab: Lab) -> None:
    spec = made(lab)
    keep(lab, having(spec, 1))
    keep(lab, having(spec, shots=1))
    with pytest.raises(Rejected, match="is gone") as refusal:
        keep(lab, taken(having(spec, 1)))
    assert refusal.value.code.endswith(".snapshot_lost")
    keep(lab, having(spec, 2))
    assert seen(lab, spec).snapshot_numbers == (2,)


def test_they_go_with_their_machine(lab: Lab) -> None:
    spec = made(lab)
    keep(lab, having(spec, 1))
    lab.driver.delete(spec.id)
    assert not lab.driver.discover()


def test_there_is_none_of_a_machine_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(Missing):
        keep(lab, having(a_machine(), 1))
