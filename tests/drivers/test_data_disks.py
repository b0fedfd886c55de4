"""What every driver does with the data disks of a machine: its further disks, which outlive a rebuild and never
shrink."""

from dataclasses import replace

import pytest

from provisioners.contract import Missing, Rejected
from tests.drivers.makers import Lab, a_machine
from tests.drivers.test_contract import ORDERS, Order, every_order, off, seen


def test_a_machine_with_data_disks_is_found_with_them(lab: Lab) -> None:
    spec = a_machine(data_disks=(10, 30))
    lab.driver.create(spec)
    assert (seen(lab, spec).disk_gib, seen(lab, spec).data_disks) == (20, (10, 30))
    [listed] = lab.driver.discover()
    assert listed == seen(lab, spec) == lab.driver.inspect(spec.id)


def test_data_disks_are_there_after_reopening(lab: Lab) -> None:
    spec = a_machine(data_disks=(10, 30))
    lab.driver.create(spec)
    lab.reopen()
    assert seen(lab, spec).data_disks == (10, 30)


def test_a_create_that_died_half_way_is_finished_with_its_data_disks(lab: Lab) -> None:
    spec = a_machine(data_disks=(10, 30))
    lab.leave_remains(spec)
    lab.driver.create(replace(spec, data_disks=(15, 30, 5), generation=2))
    assert (seen(lab, spec).complete, seen(lab, spec).data_disks) == (True, (15, 30, 5))


def test_a_repeated_create_leaves_data_disks_alone(lab: Lab) -> None:
    spec = a_machine(data_disks=(10,))
    lab.driver.create(spec)
    lab.driver.create(replace(spec, data_disks=(15, 30), generation=2))
    assert (seen(lab, spec).complete, seen(lab, spec).data_disks) == (True, (10,))


def test_a_machine_that_is_off_gets_its_first_data_disks(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.resize(replace(spec, data_disks=(10, 30)))
    assert (seen(lab, spec).disk_gib, seen(lab, spec).data_disks, seen(lab, spec).complete) == (20, (10, 30), True)


def test_data_disks_of_a_machine_that_is_off_grow_and_get_more(lab: Lab) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    wanted = replace(spec, data_disks=(15, 30, 5))
    lab.driver.resize(wanted)
    once = seen(lab, spec)
    assert once.data_disks == (15, 30, 5)
    lab.driver.resize(wanted)
    assert seen(lab, spec) == once
    lab.reopen()
    lab.driver.start(wanted)
    assert (seen(lab, spec).power, seen(lab, spec).data_disks) == ("on", (15, 30, 5))


@pytest.mark.parametrize("fewer", [(10, 29), (10,), (), (30,)], ids=["smaller", "one less", "none", "the first gone"])
def test_a_data_disk_never_shrinks_or_goes_and_the_refusal_changes_nothing(lab: Lab, fewer: tuple[int, ...]) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    before = seen(lab, spec)
    with pytest.raises(Rejected) as refusal:
        lab.driver.resize(replace(spec, vcpu=8, disk_gib=40, data_disks=fewer))
    assert refusal.value.code.endswith(".disk_shrinks")
    assert seen(lab, spec) == before


def test_a_running_machine_gets_no_data_disk(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    with pytest.raises(Rejected) as refusal:
        lab.driver.resize(replace(spec, data_disks=(10,)))
    assert refusal.value.code.endswith(".not_off")
    assert seen(lab, spec).data_disks == ()


@every_order
def test_every_order_but_a_resize_leaves_data_disks_alone(lab: Lab, order: Order) -> None:
    spec = off(data_disks=(10,))
    lab.driver.create(spec)
    wanted = replace(spec, data_disks=(15, 30), generation=2, boots=1, builds=1)
    order(lab.driver, wanted)
    assert seen(lab, spec).data_disks == ((15, 30) if order is ORDERS["resize"] else (10,))


def test_a_rebuild_keeps_data_disks(lab: Lab) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    lab.driver.rebuild(replace(spec, image="kylin-v10", builds=1))
    found = seen(lab, spec)
    assert (found.builds, found.complete, found.data_disks) == (1, True, (10, 30))


def test_a_deleted_machine_leaves_none_of_its_data_disks(lab: Lab) -> None:
    gone, stays = a_machine(data_disks=(10, 30)), a_machine(data_disks=(5,))
    for spec in (gone, stays):
        lab.driver.create(spec)
    before = seen(lab, stays)
    assert lab.driver.delete(gone.id) == ()
    lab.reopen()
    assert lab.driver.observe([gone.id]) == {}
    assert lab.driver.discover() == [before]
    with pytest.raises(Missing):
        lab.driver.delete(gone.id)


def test_remains_with_data_disks_are_cleared_away_by_delete(lab: Lab) -> None:
    spec = a_machine(data_disks=(10, 30))
    lab.leave_remains(spec)
    lab.driver.delete(spec.id)
    assert lab.driver.discover() == []
