"""What every driver does with a machine that somebody else made: it is taken over as it is, ordered about like one of
ours, and its disks are nobody's to change but their owner's."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from provisioners.contract import Machine, MachineDriver, MachineSpec, Missing, Rejected
from tests.drivers.makers import Lab, a_machine


@pytest.fixture
def spec(lab: Lab) -> MachineSpec:
    """A machine that somebody else made, as it is wanted from now on."""
    machine = lab.put_foreign("legacy-db")
    return a_machine(id=machine, name="legacy-db", vcpu=3, memory_mib=512, disk_gib=7, image="", nics=(), adopted=True)


@pytest.fixture
def adopted(lab: Lab, spec: MachineSpec) -> MachineSpec:
    lab.driver.adopt(spec)
    return spec


def seen(lab: Lab, machine: UUID) -> Machine:
    return lab.driver.observe([machine])[machine]


def test_a_close_look_tells_the_size_of_a_strangers_disk(lab: Lab, spec: MachineSpec) -> None:
    assert lab.driver.inspect(spec.id) == Machine(spec.id, "legacy-db", "on", 3, 512, 7, "")


def test_a_close_look_at_a_machine_of_ours_tells_what_any_look_tells(lab: Lab) -> None:
    ours = a_machine()
    lab.driver.create(ours)
    assert lab.driver.inspect(ours.id) == seen(lab, ours.id)


def test_a_close_look_finds_remains_and_finds_nothing(lab: Lab) -> None:
    ours = a_machine()
    lab.leave_remains(ours)
    remains = lab.driver.inspect(ours.id)
    assert remains is not None
    assert not remains.complete
    assert lab.driver.inspect(uuid4()) is None


def test_an_adopted_machine_is_found_whole_and_as_it_was(lab: Lab, adopted: MachineSpec) -> None:
    label = {"department": "dsj", "system": "portal", "generation": 1}
    assert seen(lab, adopted.id) == Machine(adopted.id, "legacy-db", "on", 3, 512, 7, "", adopted=True, **label)  # type: ignore[arg-type]


def test_adopting_twice_is_adopting_once(lab: Lab, adopted: MachineSpec) -> None:
    before = seen(lab, adopted.id)
    lab.driver.adopt(adopted)
    assert seen(lab, adopted.id) == before


def test_an_adoption_outlives_the_process(lab: Lab, adopted: MachineSpec) -> None:
    before = seen(lab, adopted.id)
    lab.reopen()
    assert seen(lab, adopted.id) == before


def test_what_is_not_there_cannot_be_adopted(lab: Lab) -> None:
    with pytest.raises(Missing):
        lab.driver.adopt(a_machine(adopted=True))


def test_an_adopted_machine_is_stopped_started_and_rebooted(lab: Lab, adopted: MachineSpec) -> None:
    lab.driver.stop(adopted)
    assert seen(lab, adopted.id).power == "off"
    lab.driver.start(adopted)
    lab.driver.reboot(replace(adopted, boots=1))
    found = seen(lab, adopted.id)
    assert (found.power, found.boots, found.adopted, found.complete) == ("on", 1, True, True)


def test_an_adopted_machine_gets_other_processors_and_memory(lab: Lab, adopted: MachineSpec) -> None:
    lab.driver.stop(adopted)
    lab.driver.resize(replace(adopted, vcpu=4, memory_mib=1024, generation=2))
    found = seen(lab, adopted.id)
    assert (found.vcpu, found.memory_mib, found.disk_gib, found.generation) == (4, 1024, 7, 2)


CHANGES: dict[str, Callable[[MachineDriver, MachineSpec], None]] = {
    "a larger disk": lambda driver, spec: driver.resize(replace(spec, disk_gib=20)),
    "a data disk": lambda driver, spec: driver.resize(replace(spec, data_disks=(10,))),
    "a fresh disk": lambda driver, spec: driver.rebuild(replace(spec, builds=1, image="debian-12")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_disk_of_an_adopted_machine_is_not_ours_to_change(
    lab: Lab, adopted: MachineSpec, change: Callable[[MachineDriver, MachineSpec], None]
) -> None:
    lab.driver.stop(adopted)
    before = seen(lab, adopted.id)
    with pytest.raises(Rejected, match="adopted"):
        change(lab.driver, adopted)
    assert seen(lab, adopted.id) == before
    assert lab.has_foreign_disk()


def test_an_adopted_machine_that_vanished_is_never_made_anew(lab: Lab) -> None:
    with pytest.raises(Rejected, match="adopted"):
        lab.driver.create(a_machine(adopted=True))
    assert lab.driver.discover() == []


def test_deleting_an_adopted_machine_never_deletes_its_disk(lab: Lab, adopted: MachineSpec) -> None:
    if lab.disks_go:
        with pytest.raises(Rejected, match="adopted"):
            lab.driver.delete(adopted.id)
        assert lab.driver.observe([adopted.id])[adopted.id].complete
        return
    left = lab.driver.delete(adopted.id)
    assert len(left) == 1
    assert "legacy-db" in left[0]
    assert lab.driver.discover() == []
    assert lab.has_foreign_disk()


def test_deleting_a_machine_of_ours_leaves_nothing(lab: Lab) -> None:
    ours = a_machine()
    lab.driver.create(ours)
    assert lab.driver.delete(ours.id) == ()
