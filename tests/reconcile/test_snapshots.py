"""Snapshots from the order on: taken and deleted by looks, counted until they are confirmed gone, never taken twice."""

from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

import pytest

from controlplane.errors import NoSnapshots, NotFound, SnapshotInUse, SnapshotTaken
from provisioners.contract import Rejected, Unreachable
from provisioners.fake_driver import Moment
from tests.reconcile.lab import Lab

AWAY = Unreachable("the cloud is away")


def kept(lab: Lab, resource: UUID) -> tuple[int, ...] | None:
    machine = lab.machine(resource)
    return machine.snapshot_numbers if machine else None


def disk(lab: Lab) -> int:
    """Return how much the department has of disks, in GiB."""
    return lab.used()["environment", "disk_gib"]


def snapshot(lab: Lab, resource: UUID, name: str = "before-upgrade") -> None:
    lab.done(resource, "snapshot", name=name)


def test_one_is_taken_by_a_look_and_counts_from_the_ask_on(lab: Lab) -> None:
    resource = lab.running()
    before = disk(lab)
    lab.act(resource, "snapshot", name="before-upgrade")
    assert (lab.record(resource).state, kept(lab, resource), disk(lab)) == ("changing", (), 2 * before)
    assert lab.look(resource) == "settled"
    assert (lab.record(resource).state, kept(lab, resource), disk(lab)) == ("running", (1,), 2 * before)


def test_one_that_is_deleted_counts_until_it_is_gone(lab: Lab) -> None:
    resource = lab.running()
    before = disk(lab)
    snapshot(lab, resource)
    lab.act(resource, "drop_snapshot", snapshot="before-upgrade")
    assert (kept(lab, resource), disk(lab)) == ((1,), 2 * before)
    assert lab.look(resource) == "settled"
    assert (kept(lab, resource), disk(lab)) == ((), before)
    snapshot(lab, resource)
    assert kept(lab, resource) == (2,), "a number is given once"


def test_a_restore_rebuilds_the_disk_from_it_and_a_rebuild_from_the_image_again(lab: Lab) -> None:
    resource = lab.running()
    snapshot(lab, resource)
    lab.done(resource, "restore", snapshot="before-upgrade")
    machine = lab.machine(resource)
    assert machine is not None
    assert (machine.builds, machine.power, kept(lab, resource)) == (1, "on", (1,))
    assert lab.record(resource).wanted["restored"] == 1
    with pytest.raises(SnapshotInUse, match="before-upgrade"):
        lab.act(resource, "drop_snapshot", snapshot="before-upgrade")
    lab.done(resource, "rebuild")
    assert lab.record(resource).wanted["restored"] is None
    lab.done(resource, "drop_snapshot", snapshot="before-upgrade")


def test_a_larger_size_leaves_what_they_count_alone(lab: Lab) -> None:
    resource = lab.running()
    before = disk(lab)
    snapshot(lab, resource)
    lab.done(resource, "resize", vcpu=2, memory_mib=4096, disk_gib=before + 10)
    assert disk(lab) == 2 * before + 10
    snapshot(lab, resource, "after-upgrade")
    assert disk(lab) == 3 * before + 20


def test_they_go_with_their_vm(lab: Lab) -> None:
    resource = lab.running()
    snapshot(lab, resource)
    lab.done(resource, "delete")
    assert (lab.machines(), lab.used()) == ([], {})


def lose(lab: Lab, resource: UUID) -> None:
    """Let somebody delete every snapshot in the pool."""
    machine = lab.machine(resource)
    assert machine is not None
    lab.driver().put(replace(machine, snapshot_numbers=()))


def test_one_that_somebody_deleted_in_the_pool_is_a_fault_until_it_is_deleted_here_too(lab: Lab) -> None:
    resource = lab.running()
    snapshot(lab, resource)
    lose(lab, resource)
    assert lab.look(resource) == "faulted"
    assert lab.record(resource).fault_code == "fake.snapshot_lost"
    lab.done(resource, "drop_snapshot", snapshot="before-upgrade")
    assert (lab.record(resource).state, kept(lab, resource)) == ("running", ())


def test_the_one_that_the_disk_is_from_can_be_deleted_once_it_is_lost_and_the_disk_stays(lab: Lab) -> None:
    resource = lab.running()
    snapshot(lab, resource)
    lab.done(resource, "restore", snapshot="before-upgrade")
    lose(lab, resource)
    assert lab.look(resource) == "faulted"
    lab.done(resource, "drop_snapshot", snapshot="before-upgrade")
    machine = lab.machine(resource)
    assert machine is not None
    assert (lab.record(resource).state, machine.builds) == ("running", 1)


def test_a_restore_from_one_that_is_lost_leaves_the_disk_as_it_is_and_lets_the_vm_run(lab: Lab) -> None:
    resource = lab.running()
    snapshot(lab, resource)
    lab.done(resource, "stop")
    lose(lab, resource)
    orders: tuple[tuple[str, dict[str, str]], ...] = (("restore", {"snapshot": "before-upgrade"}), ("start", {}))
    for verb, body in orders:
        lab.act(resource, verb, **body)
        assert lab.look(resource) == "faulted"
        assert lab.record(resource).fault_code == "fake.snapshot_lost"
    machine = lab.machine(resource)
    assert machine is not None
    assert (machine.builds, machine.power) == (0, "on")
    lab.act(resource, "drop_snapshot", snapshot="before-upgrade")
    assert lab.look(resource) == "faulted"
    assert lab.record(resource).fault_code == "vm.snapshot_lost"
    lab.done(resource, "rebuild")
    assert lab.record(resource).state == "running"


def test_what_is_left_of_a_vm_that_others_removed_goes_with_its_record(lab: Lab) -> None:
    resource, plain = lab.running(), lab.running("web-02")
    snapshot(lab, resource)
    for one in (resource, plain):
        lab.driver().delete(one)
        lab.act(one, "delete")
        lab.driver().calls.clear()
        assert lab.look(one) == "gone"
        told = [machine for step, machine in lab.driver().calls if step == "delete"]
        assert told == ([resource] if one == resource else []), "nobody else may have left any"


@pytest.mark.parametrize("moment", ["before", "half_way", "after"])
@pytest.mark.parametrize("verb", ["snapshot", "drop_snapshot", "restore"])
def test_a_failure_at_any_moment_changes_nothing_about_the_end(
    lab: Lab, verb: Literal["snapshot", "drop_snapshot", "restore"], moment: Moment
) -> None:
    resource = lab.running()
    snapshot(lab, resource, "first")
    body: dict[str, Any] = {"name": "second"} if verb == "snapshot" else {"snapshot": "first"}
    lab.act(resource, verb, **body)
    call = "rebuild" if verb == "restore" else "set_snapshots"
    lab.driver().fail_next(call, AWAY, after=moment == "after", half_way=moment == "half_way")
    with pytest.raises(Unreachable):
        lab.look(resource)
    assert lab.look(resource) == "settled"
    assert kept(lab, resource) == {"snapshot": (1, 2), "drop_snapshot": (), "restore": (1,)}[verb]


def test_one_that_cannot_be_taken_is_a_fault_that_does_not_keep_the_vm_from_being_stopped(lab: Lab) -> None:
    resource = lab.running()
    lab.act(resource, "snapshot", name="first")
    lab.driver().fail_next("set_snapshots", Rejected("fake.full", "no room"))
    assert lab.look(resource) == "faulted"
    lab.act(resource, "stop")
    lab.driver().fail_next("set_snapshots", Rejected("fake.full", "no room"))
    assert lab.look(resource) == "faulted"
    machine = lab.machine(resource)
    assert machine is not None
    assert machine.power == "off"
    lab.done(resource, "drop_snapshot", snapshot="first")
    assert (lab.record(resource).state, kept(lab, resource)) == ("stopped", ())


def test_names_are_unique_and_those_that_are_not_there_are_not_found(lab: Lab) -> None:
    resource = lab.running()
    snapshot(lab, resource)
    with pytest.raises(SnapshotTaken, match="before-upgrade"):
        lab.act(resource, "snapshot", name="before-upgrade")
    for verb in ("restore", "drop_snapshot"):
        with pytest.raises(NotFound, match="snapshot 'nothing'"):
            lab.act(resource, verb, snapshot="nothing")


def test_a_vm_in_a_pool_without_them_gets_none(libvirt_lab: Lab) -> None:
    resource = libvirt_lab.running()
    with pytest.raises(NoSnapshots) as refusal:
        libvirt_lab.act(resource, "snapshot", name="before-upgrade")
    assert refusal.value.code == "snapshot.not_here"
