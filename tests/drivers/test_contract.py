"""What every driver owes the control plane, whatever is behind it: one suite, run on each pool of `makers.LABS`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from provisioners.contract import Machine, MachineDriver, MachineSpec, Missing, Rejected
from tests.drivers.makers import Lab, a_machine

Order = Callable[[MachineDriver, MachineSpec], None]
ORDERS: dict[str, Order] = {
    "start": lambda driver, spec: driver.start(spec),
    "stop": lambda driver, spec: driver.stop(spec),
    "reboot": lambda driver, spec: driver.reboot(spec),
    "resize": lambda driver, spec: driver.resize(spec),
    "rebuild": lambda driver, spec: driver.rebuild(spec),
}
every_order = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())


def seen(lab: Lab, spec: MachineSpec) -> Machine:
    return lab.driver.observe([spec.id])[spec.id]


def off(**changes: object) -> MachineSpec:
    return a_machine(power="off", **changes)


# --- being there


def test_nothing_is_observed_where_nothing_was_made(lab: Lab) -> None:
    assert lab.driver.observe([uuid4(), uuid4()]) == {}
    assert lab.driver.observe([]) == {}
    assert lab.driver.discover() == []


def test_a_machine_is_found_as_it_was_asked_for(lab: Lab) -> None:
    spec = a_machine(generation=4, boots=2, builds=1)
    lab.driver.create(spec)
    assert lab.driver.observe([spec.id]) == {
        spec.id: Machine(
            id=spec.id,
            name="门户-web-1",
            power="on",
            vcpu=2,
            memory_mib=2048,
            disk_gib=20,
            image="debian-12",
            generation=4,
            boots=2,
            builds=1,
            department="dsj",
            system="portal",
            complete=True,
        )
    }


def test_a_machine_that_is_wanted_off_is_made_and_left_off(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    assert (seen(lab, spec).power, seen(lab, spec).complete) == ("off", True)


def test_hostile_names_are_names(lab: Lab) -> None:
    spec = a_machine(name="</domain>\"'&<x/>", department="财政厅 ☂", system="a&b", user_data="</domain>\"'\x00\n%&")
    lab.driver.create(spec)
    found = seen(lab, spec)
    assert (found.name, found.department, found.system) == (spec.name, spec.department, spec.system)


def test_machines_of_one_name_that_were_asked_for_in_one_minute_do_not_clash(lab: Lab) -> None:
    clock = "0190a0b0-c0d0-7000-8000-"
    specs = [a_machine(id=UUID(clock + tail)) for tail in ("4fd09a2c11e7", "93be60517fa8")]
    for spec in specs:
        lab.driver.create(spec)
    assert lab.driver.observe([s.id for s in specs]).keys() == {s.id for s in specs}


def test_only_those_asked_about_are_answered(lab: Lab) -> None:
    mine, other = a_machine(), a_machine()
    for spec in (mine, other):
        lab.driver.create(spec)
    assert lab.driver.observe([mine.id, uuid4()]).keys() == {mine.id}


def test_asking_about_many_gives_the_answer_of_asking_about_few(lab: Lab) -> None:
    whole, stopped, lost, remains = (a_machine() for _ in range(4))
    for spec in (whole, stopped, lost):
        lab.driver.create(spec)
    lab.driver.stop(stopped)
    lab.lose_disk(lost)
    lab.leave_remains(remains)
    ids = [s.id for s in (whole, stopped, lost, remains)]
    few = lab.driver.observe(ids)
    assert [few[id].complete for id in ids] == [True, True, False, False]
    assert lab.driver.observe([*ids, *(uuid4() for _ in range(200))]) == few
    assert {m.id: m for m in lab.driver.discover()} == few


def test_what_was_made_is_there_after_reopening(lab: Lab) -> None:
    running, stopped = a_machine(), off(vcpu=4)
    for spec in (running, stopped):
        lab.driver.create(spec)
    before = lab.driver.observe([running.id, stopped.id])
    lab.reopen()
    assert lab.driver.observe([running.id, stopped.id]) == before


# --- repeating


def test_a_repeated_create_changes_nothing(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    once = seen(lab, spec)
    lab.driver.create(spec)
    assert seen(lab, spec) == once
    assert lab.driver.discover() == [once]


def test_a_repeated_create_leaves_the_image_and_counters_of_a_machine_alone(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    lab.driver.create(replace(spec, image="kylin-v10", boots=1, builds=1, generation=2))
    found = seen(lab, spec)
    assert (found.image, found.boots, found.builds, found.generation) == ("debian-12", 0, 0, 2)


def test_a_create_that_died_half_way_shows_as_incomplete(lab: Lab) -> None:
    spec = a_machine()
    lab.leave_remains(spec)
    assert seen(lab, spec).complete is False
    assert seen(lab, spec).power == "off"


def test_a_create_that_died_half_way_is_finished_by_a_repeat(lab: Lab) -> None:
    spec = a_machine()
    lab.leave_remains(spec)
    lab.driver.create(spec)
    assert seen(lab, spec) == replace(seen(lab, spec), complete=True, power="on", vcpu=2, image="debian-12")


def test_a_create_that_died_half_way_is_finished_as_it_is_wanted_now(lab: Lab) -> None:
    spec = a_machine()
    lab.leave_remains(spec)
    lab.driver.create(replace(spec, disk_gib=30, image="kylin-v10", generation=2))
    found = seen(lab, spec)
    assert (found.complete, found.disk_gib, found.image, found.generation) == (True, 30, "kylin-v10", 2)


def test_a_machine_that_lost_its_disk_is_incomplete_and_finished_by_create(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.lose_disk(spec)
    assert seen(lab, spec).complete is False
    lab.driver.create(spec)
    assert seen(lab, spec).complete is True


@every_order
def test_every_order_may_be_repeated(lab: Lab, order: Order) -> None:
    made = off()
    lab.driver.create(made)
    wanted = replace(made, generation=2, boots=1, builds=1, vcpu=4, disk_gib=40)
    order(lab.driver, wanted)
    once = seen(lab, made)
    order(lab.driver, wanted)
    assert seen(lab, made) == once


@every_order
def test_every_order_writes_down_the_generation_and_whose_machine_it_is(lab: Lab, order: Order) -> None:
    made = off()
    lab.driver.create(made)
    order(lab.driver, replace(made, generation=7, department="czt", system="budget", name="renamed"))
    found = seen(lab, made)
    assert (found.generation, found.department, found.system, found.name) == (7, "czt", "budget", "renamed")


@every_order
def test_an_order_about_a_machine_that_is_not_there_is_missing(lab: Lab, order: Order) -> None:
    with pytest.raises(Missing):
        order(lab.driver, a_machine())


@every_order
def test_an_order_about_mere_remains_is_missing(lab: Lab, order: Order) -> None:
    spec = a_machine()
    lab.leave_remains(spec)
    with pytest.raises(Missing):
        order(lab.driver, spec)


# --- power


def test_power_goes_off_and_on(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    lab.driver.stop(spec)
    assert seen(lab, spec).power == "off"
    lab.driver.stop(spec)
    lab.driver.start(spec)
    assert seen(lab, spec).power == "on"
    lab.driver.start(spec)
    assert seen(lab, spec).power == "on"


def test_power_orders_do_nothing_but_power(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.start(replace(spec, vcpu=8, memory_mib=8192, disk_gib=80, image="kylin-v10", boots=3, builds=3))
    assert seen(lab, spec) == replace(seen(lab, spec), vcpu=2, memory_mib=2048, disk_gib=20, boots=0, builds=0)
    assert seen(lab, spec).image == "debian-12"


def test_a_reboot_is_written_down_and_leaves_the_machine_running(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    lab.driver.reboot(replace(spec, boots=1))
    assert (seen(lab, spec).boots, seen(lab, spec).power) == (1, "on")
    lab.driver.stop(spec)
    assert seen(lab, spec).boots == 1


def test_a_reboot_of_a_machine_that_is_off_is_written_down_and_leaves_it_off(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.reboot(replace(spec, boots=1))
    assert (seen(lab, spec).boots, seen(lab, spec).power) == (1, "off")


def test_an_old_reboot_that_comes_late_does_not_turn_the_counter_back(lab: Lab) -> None:
    spec = a_machine(boots=5)
    lab.driver.create(spec)
    lab.driver.reboot(replace(spec, boots=4))
    assert seen(lab, spec).boots == 5


# --- size


def test_a_machine_that_is_off_grows(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.resize(replace(spec, vcpu=48, memory_mib=65_536, disk_gib=100))
    found = seen(lab, spec)
    assert (found.vcpu, found.memory_mib, found.disk_gib, found.complete) == (48, 65_536, 100, True)


def test_vcpu_and_memory_may_shrink(lab: Lab) -> None:
    spec = off(vcpu=8, memory_mib=8192)
    lab.driver.create(spec)
    lab.driver.resize(replace(spec, vcpu=1, memory_mib=1024))
    assert (seen(lab, spec).vcpu, seen(lab, spec).memory_mib) == (1, 1024)


def test_a_disk_never_shrinks_and_the_refusal_changes_nothing(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    before = seen(lab, spec)
    with pytest.raises(Rejected) as refusal:
        lab.driver.resize(replace(spec, vcpu=8, disk_gib=19))
    assert refusal.value.code.endswith(".disk_shrinks")
    assert seen(lab, spec) == before


def test_a_running_machine_is_not_resized(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    with pytest.raises(Rejected) as refusal:
        lab.driver.resize(replace(spec, vcpu=8))
    assert refusal.value.code.endswith(".not_off")
    assert seen(lab, spec).vcpu == 2


def test_a_resize_to_the_size_it_has_disturbs_no_running_machine(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    lab.driver.resize(spec)
    assert seen(lab, spec).power == "on"


def test_a_new_size_is_there_after_reopening_and_starting(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.resize(replace(spec, vcpu=4, disk_gib=40))
    lab.reopen()
    lab.driver.start(spec)
    found = seen(lab, spec)
    assert (found.power, found.vcpu, found.disk_gib) == ("on", 4, 40)


# --- rebuilding


def test_a_rebuild_takes_the_new_image_and_is_written_down(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.rebuild(replace(spec, image="kylin-v10", builds=1))
    found = seen(lab, spec)
    assert (found.image, found.builds, found.power, found.complete) == ("kylin-v10", 1, "off", True)


def test_a_rebuild_gives_a_disk_of_the_wanted_size(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.driver.rebuild(replace(spec, disk_gib=50, builds=1))
    assert seen(lab, spec).disk_gib == 50


def test_a_running_machine_is_not_rebuilt(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    with pytest.raises(Rejected) as refusal:
        lab.driver.rebuild(replace(spec, image="kylin-v10", builds=1))
    assert refusal.value.code.endswith(".not_off")
    assert (seen(lab, spec).image, seen(lab, spec).builds) == ("debian-12", 0)


def test_a_rebuild_that_was_done_is_not_done_again(lab: Lab) -> None:
    spec = off(builds=2)
    lab.driver.create(spec)
    lab.driver.rebuild(replace(spec, image="kylin-v10", builds=2))
    assert (seen(lab, spec).image, seen(lab, spec).builds) == ("debian-12", 2)


def test_a_rebuild_that_died_after_the_old_disk_went_is_finished_by_a_repeat(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.lose_disk(spec)
    lab.driver.rebuild(replace(spec, image="kylin-v10", builds=1))
    found = seen(lab, spec)
    assert (found.image, found.builds, found.complete) == ("kylin-v10", 1, True)


# --- going


@pytest.mark.parametrize("power", ["on", "off"])
def test_a_deleted_machine_leaves_nothing(lab: Lab, power: str) -> None:
    spec = a_machine(power=power)
    lab.driver.create(spec)
    lab.driver.delete(spec.id)
    assert lab.driver.observe([spec.id]) == {}
    assert lab.driver.discover() == []
    lab.reopen()
    assert lab.driver.discover() == []


def test_deleting_what_is_not_there_is_missing(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    lab.driver.delete(spec.id)
    with pytest.raises(Missing):
        lab.driver.delete(spec.id)


def test_remains_are_cleared_away_by_delete(lab: Lab) -> None:
    spec = a_machine()
    lab.leave_remains(spec)
    lab.driver.delete(spec.id)
    assert lab.driver.discover() == []


def test_a_delete_that_died_half_way_is_finished_by_a_repeat(lab: Lab) -> None:
    spec = off()
    lab.driver.create(spec)
    lab.lose_disk(spec)
    lab.driver.delete(spec.id)
    assert lab.driver.discover() == []


def test_deleting_one_machine_leaves_its_neighbour_of_the_same_image(lab: Lab) -> None:
    gone, stays = a_machine(), a_machine()
    for spec in (gone, stays):
        lab.driver.create(spec)
    before = seen(lab, stays)
    lab.driver.delete(gone.id)
    assert lab.driver.discover() == [before]


def test_a_deleted_machine_can_be_made_again(lab: Lab) -> None:
    spec = a_machine()
    lab.driver.create(spec)
    once = seen(lab, spec)
    lab.driver.delete(spec.id)
    lab.driver.create(spec)
    assert seen(lab, spec) == once


# --- strangers and crowds


def test_a_machine_that_steppe_never_made_is_discovered_with_what_is_known_of_it(lab: Lab) -> None:
    mine = a_machine()
    lab.driver.create(mine)
    stranger = lab.put_foreign("legacy-db")
    found = {m.id: m for m in lab.driver.discover()}
    assert found.keys() == {mine.id, stranger}
    assert replace(found[stranger], disk_gib=0) == Machine(stranger, "legacy-db", "on", 3, 512, 0, "")


def test_many_threads_make_many_machines(lab: Lab) -> None:
    specs = [a_machine(name=f"vm-{number}") for number in range(40 if lab.simulated else 4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lab.driver.create, specs))
        list(threads.map(lab.driver.stop, specs[::2]))
    found = lab.driver.observe([spec.id for spec in specs])
    assert [found[s.id].power for s in specs[:4]] == ["off", "on", "off", "on"]
    assert all(machine.complete for machine in found.values())
    assert len(found) == len(specs)


def test_threads_that_make_the_same_machine_make_one(lab: Lab) -> None:
    spec = a_machine()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lab.driver.create, [spec] * 8))
    assert [m.id for m in lab.driver.discover()] == [spec.id]
