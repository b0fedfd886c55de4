"""A simulated hypervisor outlives the process that opened it, however that process ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import libvirt
import pytest
from lxml import etree

from provisioners.contract import MachineDriver, Rejected, Unreachable
from provisioners.libvirt_node import NodeFiles, NodeShape, with_power
from provisioners.libvirt_xml import backing_path, disk_volume, seed_volume
from provisioners.registry import connect
from tests.drivers.makers import LibvirtTestLab, a_machine, simulated_node

SHAPE = NodeShape(cpus=200, memory_mib=4_194_304, network="gov", storage_pool="fast")


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[MachineDriver]:
    driver = connect("libvirt", simulated_node("hv-01"), tmp_path)
    yield driver
    driver.close()


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


DOOMED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from provisioners.registry import connect
from tests.drivers.makers import a_machine, simulated_node

driver = connect("libvirt", simulated_node("hv-01"), Path(sys.argv[1]))
running, stopped, grown, gone = (a_machine(name=name) for name in ("running", "stopped", "grown", "gone"))
for spec in (running, stopped, grown, gone):
    driver.create(spec)
driver.reboot(replace(running, boots=1))
driver.stop(stopped)
driver.stop(grown)
driver.resize(replace(grown, vcpu=16, disk_gib=200))
driver.delete(gone.id)
print(running.id, stopped.id, grown.id, gone.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_finished_before_a_sigkill_is_there_afterwards(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    doomed = subprocess.run(
        [sys.executable, "-c", DOOMED, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False
    )
    assert doomed.returncode == -signal.SIGKILL, doomed.stderr
    running, stopped, grown, gone = map(UUID, doomed.stdout.split())
    driver = connect("libvirt", simulated_node("hv-01"), tmp_path)
    found = driver.observe([running, stopped, grown, gone])
    driver.close()
    assert found.keys() == {running, stopped, grown}
    assert all(machine.complete for machine in found.values())
    assert (found[running].power, found[running].boots, found[running].department) == ("on", 1, "dsj")
    assert (found[stopped].power, found[stopped].vcpu, found[stopped].disk_gib) == ("off", 2, 20)
    assert (found[grown].power, found[grown].vcpu, found[grown].disk_gib) == ("off", 16, 200)


def test_the_files_of_a_deleted_machine_go(tmp_path: Path, driver: MachineDriver) -> None:
    spec = a_machine()
    driver.create(spec)
    node = tmp_path / "libvirt" / "hv-01"
    assert names(node / "domains") == {f"{spec.id}.xml"}
    volumes = {f"{disk_volume(spec.id)}.xml", f"{seed_volume(spec.id)}.xml", "debian-12.qcow2.xml"}
    assert names(node / "volumes") == volumes
    driver.delete(spec.id)
    assert names(node / "domains") == set()
    assert names(node / "volumes") == {"debian-12.qcow2.xml"}


def test_the_data_disks_of_a_deleted_machine_go(tmp_path: Path, driver: MachineDriver) -> None:
    spec = a_machine(data_disks=(10, 30))
    driver.create(spec)
    node = tmp_path / "libvirt" / "hv-01"
    assert {f"steppe-{spec.id}-data{place}.qcow2.xml" for place in (1, 2)} < names(node / "volumes")
    driver.delete(spec.id)
    assert names(node / "volumes") == {"debian-12.qcow2.xml"}


def test_a_change_writes_the_files_of_its_own_machine_alone(tmp_path: Path, driver: MachineDriver) -> None:
    others = [a_machine(name=f"vm-{number}") for number in range(5)]
    for spec in others:
        driver.create(spec)
    node = tmp_path / "libvirt" / "hv-01"
    before = {file: file.stat().st_ino for file in node.rglob("*.xml")}
    driver.stop(others[0])
    after = {file: file.stat().st_ino for file in node.rglob("*.xml")}
    assert [file.name for file in after if after[file] != before[file]] == [f"{others[0].id}.xml"]


def test_a_failed_order_keeps_what_it_came_to(tmp_path: Path, driver: MachineDriver) -> None:
    spec = a_machine(department="\x01")
    with pytest.raises(Rejected) as refusal:
        driver.create(spec)
    assert refusal.value.code == "libvirt.bad_text"
    assert driver.observe([spec.id])[spec.id].complete is False
    driver.close()
    again = connect("libvirt", simulated_node("hv-01"), tmp_path)
    assert again.observe([spec.id])[spec.id].complete is False
    again.close()


def test_a_torn_write_is_swept_up_at_opening(tmp_path: Path, driver: MachineDriver) -> None:
    driver.create(a_machine())
    driver.close()
    torn = tmp_path / "libvirt" / "hv-01" / "domains" / "x.xml.0badf00d.tmp"
    torn.write_text("<domain><na")
    assert len(driver.discover()) == 1
    assert not torn.exists()


def test_an_image_serves_machines_made_before_and_after_reopening(driver: MachineDriver) -> None:
    for _ in range(2):
        driver.create(a_machine(image="银河 kylin?%"))
        driver.close()
    assert [machine.complete for machine in driver.discover()] == [True] * 2


def test_the_node_is_as_large_as_its_connection_says(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path / "a node % 1", SHAPE)
    node = libvirt.open(files.open())
    assert node.getInfo()[1:3] == [4_194_304, 200]
    assert [network.name() for network in node.listAllNetworks()] == ["gov"]
    assert [pool.name() for pool in node.listAllStoragePools()] == ["fast"]
    node.close()
    files.close()


def test_a_machine_may_have_more_processors_than_the_simulation_admits_to(driver: MachineDriver) -> None:
    spec = a_machine(vcpu=60, memory_mib=400_000)
    driver.create(spec)
    assert driver.observe([spec.id])[spec.id].vcpu == 60


def test_a_second_driver_is_told_who_has_the_node(tmp_path: Path, driver: MachineDriver) -> None:
    driver.discover()
    second = connect("libvirt", simulated_node("hv-01"), tmp_path)
    with pytest.raises(Unreachable, match=f"hv-01 is open in process {os.getpid()} on "):
        second.discover()
    driver.close()
    assert second.discover() == []
    second.close()


def test_nodes_of_other_names_are_other_nodes(tmp_path: Path, driver: MachineDriver) -> None:
    driver.create(a_machine())
    other = connect("libvirt", simulated_node("hv-02"), tmp_path)
    assert other.discover() == []
    other.close()


@pytest.mark.parametrize(("running", "state"), [(True, "1"), (False, "5")])
def test_power_is_written_once_however_often_it_changes(running: bool, state: str) -> None:
    text = with_power(with_power("<domain><name>x</name></domain>", not running), running)
    states = [element.text for element in etree.fromstring(text) if str(element.tag).endswith("}runstate")]
    assert states == [state]


def test_remains_upon_another_image_are_not_taken_for_the_disk(tmp_path: Path) -> None:
    lab, spec = LibvirtTestLab(tmp_path), a_machine(image="debian-12")
    lab.leave_remains(spec)
    lab.driver.create(replace(spec, image="kylin-v10"))
    lab.driver.close()
    disk = (lab.files / "volumes" / f"{disk_volume(spec.id)}.xml").read_text()
    assert backing_path(disk) == "/default/kylin-v10.qcow2"
