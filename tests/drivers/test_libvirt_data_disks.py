"""Data disks on a hypervisor that somebody else works on too: taken away, lost, left over, or never ours."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import etree

from provisioners.contract import MachineSpec, Rejected
from provisioners.libvirt_xml import data_volume
from tests.drivers.makers import FOREIGN_DOMAIN, FOREIGN_SECOND, LibvirtTestLab, a_machine
from tests.drivers.test_contract import off, seen


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LibvirtTestLab]:
    lab = LibvirtTestLab(tmp_path)
    yield lab
    lab.driver.close()


def behind(lab: LibvirtTestLab, act: Callable[[Path], object]) -> None:
    """Do something to the node's files while nobody has it open."""
    lab.driver.close()
    act(lab.files)
    lab.reopen()


def without_disk(spec: MachineSpec, file_name: str) -> Callable[[Path], object]:
    def take_away(files: Path) -> None:
        definition = files / "domains" / f"{spec.id}.xml"
        domain = etree.fromstring(definition.read_text())
        [disk] = [d for d in domain.iterfind("devices/disk") if d.find("source").get("file").endswith(file_name)]
        disk.getparent().remove(disk)
        definition.write_bytes(etree.tostring(domain))

    return take_away


def capacity(lab: LibvirtTestLab, spec: MachineSpec, place: int) -> int:
    volume = etree.fromstring((lab.files / "volumes" / f"{data_volume(spec.id, place)}.xml").read_text())
    return int(volume.findtext("capacity")) // 1024**3


def test_a_data_disk_is_a_volume_of_its_size(lab: LibvirtTestLab) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    lab.driver.resize(replace(spec, data_disks=(10, 40, 5)))
    assert [capacity(lab, spec, place) for place in (1, 2, 3)] == [10, 40, 5]


def test_data_disks_follow_the_disk_in_their_order(lab: LibvirtTestLab) -> None:
    spec = off(data_disks=(10,))
    lab.driver.create(spec)
    lab.driver.resize(replace(spec, data_disks=(10, 30)))
    domain = etree.fromstring((lab.files / "domains" / f"{spec.id}.xml").read_text())
    paths = {d.find("target").get("dev"): d.find("source").get("file") for d in domain.iterfind("devices/disk")}
    assert paths["vdb"].endswith(data_volume(spec.id, 1))
    assert paths["vdc"].endswith(data_volume(spec.id, 2))
    assert paths["vda"].endswith("-disk.qcow2")
    assert paths["sda"].endswith("-seed.iso")


def test_a_data_disk_that_was_taken_from_a_machine_is_told_and_put_back_as_it_was(lab: LibvirtTestLab) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    behind(lab, without_disk(spec, data_volume(spec.id, 2)))
    assert (seen(lab, spec).complete, seen(lab, spec).data_disks) == (True, (10,))
    kept = (lab.files / "volumes" / f"{data_volume(spec.id, 2)}.xml").read_text()
    lab.driver.resize(spec)
    assert seen(lab, spec).data_disks == (10, 30)
    assert (lab.files / "volumes" / f"{data_volume(spec.id, 2)}.xml").read_text() == kept


def test_a_data_disk_that_was_taken_from_before_others_leaves_its_place(lab: LibvirtTestLab) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    behind(lab, without_disk(spec, data_volume(spec.id, 1)))
    assert seen(lab, spec).data_disks == (0, 30)
    lab.driver.start(spec)
    lab.driver.stop(spec)
    assert seen(lab, spec).data_disks == (0, 30)
    lab.driver.resize(spec)
    assert seen(lab, spec).data_disks == (10, 30)


def test_a_machine_that_lost_the_volume_of_a_data_disk_is_incomplete_and_finished_by_create(
    lab: LibvirtTestLab,
) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    behind(lab, lambda files: (files / "volumes" / f"{data_volume(spec.id, 1)}.xml").unlink())
    assert seen(lab, spec).complete is False
    assert [machine.complete for machine in lab.driver.discover()] == [False]
    lab.driver.create(replace(spec, data_disks=(15, 40)))
    assert (seen(lab, spec).complete, seen(lab, spec).data_disks) == (True, (15, 30))
    assert [capacity(lab, spec, place) for place in (1, 2)] == [15, 30]


def test_a_data_disk_without_its_machine_is_remains(lab: LibvirtTestLab) -> None:
    spec = off(data_disks=(10,))
    lab.driver.create(spec)

    def leave_the_data_disk(files: Path) -> None:
        for file in files.glob(f"*/*{spec.id}*"):
            if not file.name.startswith(data_volume(spec.id, 1)):
                file.unlink()

    behind(lab, leave_the_data_disk)
    assert seen(lab, spec).complete is False
    assert lab.driver.discover() == [seen(lab, spec)]
    lab.driver.delete(spec.id)
    assert lab.driver.discover() == []


def test_a_larger_volume_that_was_left_over_is_never_cut(lab: LibvirtTestLab) -> None:
    spec = off(data_disks=(10, 30))
    lab.driver.create(spec)
    behind(lab, without_disk(spec, data_volume(spec.id, 2)))
    with pytest.raises(Rejected) as refusal:
        lab.driver.resize(replace(spec, data_disks=(20, 5)))
    assert refusal.value.code == "libvirt.disk_shrinks"
    assert [capacity(lab, spec, place) for place in (1, 2)] == [10, 30]


# --- of machines that somebody else made


@pytest.fixture
def adopted(lab: LibvirtTestLab) -> MachineSpec:
    """A machine of two disks that somebody else made."""
    machine = uuid4()
    lab.driver.observe([machine])

    def put(files: Path) -> None:
        text = FOREIGN_DOMAIN.format(name="legacy-db", id=machine).replace("</devices>", f"{FOREIGN_SECOND}</devices>")
        (files / "domains" / f"{machine}.xml").write_text(text)
        for name, gib in (("legacy-db", 7), ("more", 100)):
            volume = f"<volume><name>{name}.qcow2</name><capacity unit='GiB'>{gib}</capacity></volume>"
            (files / "volumes" / f"{name}.xml").write_text(volume)

    behind(lab, put)
    found = lab.driver.inspect(machine)
    assert found is not None
    size = {"vcpu": found.vcpu, "memory_mib": found.memory_mib, "disk_gib": found.disk_gib}
    spec = a_machine(id=machine, name="legacy-db", image="", nics=(), adopted=True, data_disks=found.data_disks, **size)
    lab.driver.adopt(spec)
    return spec


def test_the_disks_of_an_adopted_machine_are_told_apart(lab: LibvirtTestLab, adopted: MachineSpec) -> None:
    assert (adopted.disk_gib, adopted.data_disks) == (7, (100,))
    assert (seen(lab, adopted).disk_gib, seen(lab, adopted).data_disks) == (7, (100,))


@pytest.mark.parametrize("data_disks", [(200,), (100, 10), ()], ids=["grown", "added", "removed"])
def test_a_data_disk_of_an_adopted_machine_is_not_ours_to_change(
    lab: LibvirtTestLab, adopted: MachineSpec, data_disks: tuple[int, ...]
) -> None:
    lab.driver.stop(adopted)
    with pytest.raises(Rejected, match="adopted"):
        lab.driver.resize(replace(adopted, data_disks=data_disks))
    assert seen(lab, adopted).data_disks == (100,)


def test_an_adopted_machine_with_data_disks_gets_other_processors(lab: LibvirtTestLab, adopted: MachineSpec) -> None:
    lab.driver.stop(adopted)
    lab.driver.resize(replace(adopted, vcpu=8))
    assert (seen(lab, adopted).vcpu, seen(lab, adopted).data_disks) == (8, (100,))


def test_deleting_an_adopted_machine_leaves_its_data_disks(lab: LibvirtTestLab, adopted: MachineSpec) -> None:
    assert lab.driver.delete(adopted.id) == ("/default/legacy-db.qcow2", "/default/more.qcow2")
    assert (lab.files / "volumes" / "more.xml").exists()


def test_a_data_disk_taken_from_an_adopted_machine_is_told_until_it_is_back(
    lab: LibvirtTestLab, adopted: MachineSpec
) -> None:
    definition = lab.files / "domains" / f"{adopted.id}.xml"
    behind(lab, without_disk(adopted, "more.qcow2"))
    assert seen(lab, adopted).data_disks == ()
    lab.driver.stop(adopted)
    assert seen(lab, adopted).data_disks == ()
    put_back = definition.read_text().replace("</devices>", f"{FOREIGN_SECOND}</devices>")
    behind(lab, lambda _files: definition.write_text(put_back))
    assert seen(lab, adopted).data_disks == (100,)
