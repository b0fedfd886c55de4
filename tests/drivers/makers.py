"""Labs for the contract suite: one pool per driver, and what only somebody outside the contract can do to it.

A lab can break things the way the world does (a domain gone from under its volumes, a stranger's machine) and open the
pool anew, so that the suite itself speaks of nothing but the contract.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from provisioners.contract import Machine, MachineDriver, MachineSpec, Nic
from provisioners.fake_driver import FakeDriver
from provisioners.libvirt_xml import disk_volume
from provisioners.registry import connect
from tests.drivers.openstack_lab import OpenStackLab

_ADDRESSES = cycle(range(60, 250))


def a_machine(**changes: Any) -> MachineSpec:
    """Return the spec of a small machine with an id and an address of each family of its own."""
    last = next(_ADDRESSES)
    mac = f"52:54:00:00:00:{last:02x}"
    spec = MachineSpec(
        id=uuid4(),
        name="门户-web-1",
        department="dsj",
        system="portal",
        generation=1,
        vcpu=2,
        memory_mib=2048,
        disk_gib=20,
        image="debian-12",
        nics=(
            Nic(mac, "gov", f"10.20.0.{last}", 24, "10.20.0.1", ("10.20.0.53",)),
            Nic(mac, "gov", f"fd20::{last:x}", 64, "fd20::1", ("fd20::53",)),
        ),
        ssh_keys=("ssh-ed25519 AAAA someone@here",),
    )
    return replace(spec, **changes)


class Lab(Protocol):
    """A pool under test. `simulated`: it is cheap enough for hundreds of machines. `disks_go`: the disk of a machine is
    a part of it that nothing can keep. `keeps_snapshots`: it has snapshots of machines."""

    driver: MachineDriver
    simulated: bool
    disks_go: bool
    keeps_snapshots: bool

    def reopen(self) -> None:
        """Open the pool as a process that has just started would."""

    def leave_remains(self, spec: MachineSpec) -> None:
        """Bring about what a create leaves that died before it defined the machine."""

    def lose_disk(self, spec: MachineSpec) -> None:
        """Take the disk away from a machine that is there."""

    def put_foreign(self, name: str) -> UUID:
        """Let a running machine of 3 vCPU, 512 MiB and a disk of 7 GiB exist that Steppe never made; return its id."""

    def has_foreign_disk(self) -> bool:
        """Tell whether the disk of the machine that Steppe never made is still there."""


class FakeLab:
    simulated = True
    disks_go = False
    keeps_snapshots = True

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.reopen()

    def reopen(self) -> None:
        driver = connect("fake", {"node": "hv-01"}, self._state_dir)
        assert isinstance(driver, FakeDriver)
        self.driver = driver

    def leave_remains(self, spec: MachineSpec) -> None:
        self.driver.put(Machine(spec.id, spec.name, "off", 0, 0, 0, "", complete=False))

    def lose_disk(self, spec: MachineSpec) -> None:
        self.driver.put(replace(self.driver.observe([spec.id])[spec.id], complete=False))

    def put_foreign(self, name: str) -> UUID:
        machine = uuid4()
        self.driver.put(Machine(machine, name, "on", 3, 512, 7, ""))
        return machine

    def has_foreign_disk(self) -> bool:
        return True  # this pool has no disks apart from its machines


FOREIGN_DOMAIN = """
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <name>{name}</name><uuid>{id}</uuid><memory unit='MiB'>512</memory><vcpu>3</vcpu>
  <os><type arch='x86_64'>hvm</type></os><test:runstate>1</test:runstate>
  <devices>
    <disk type='file' device='disk'><source file='/default/{name}.qcow2'/><target dev='vda'/></disk>
    <disk type='file' device='cdrom'><source file='/default/tools.iso'/><target dev='sda'/></disk>
  </devices>
</domain>
"""
FOREIGN_SECOND = "<disk type='file' device='disk'><source file='/default/more.qcow2'/><target dev='vdb'/></disk>"
FOREIGN_VOLUME = "<volume><name>{name}.qcow2</name><capacity unit='GiB'>7</capacity></volume>"


class LibvirtTestLab:
    simulated = True
    disks_go = False
    keeps_snapshots = False

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.files = state_dir / "libvirt" / "hv-01"
        self.driver = self._connect()

    def reopen(self) -> None:
        self.driver.close()
        self.driver = self._connect()

    def leave_remains(self, spec: MachineSpec) -> None:
        self.driver.create(spec)
        self.driver.close()
        (self.files / "domains" / f"{spec.id}.xml").unlink()
        self.driver = self._connect()

    def lose_disk(self, spec: MachineSpec) -> None:
        self.driver.close()
        (self.files / "volumes" / f"{disk_volume(spec.id)}.xml").unlink()
        self.driver = self._connect()

    def put_foreign(self, name: str) -> UUID:
        machine = uuid4()
        self.driver.observe([machine])
        self.driver.close()
        (self.files / "domains" / f"{machine}.xml").write_text(FOREIGN_DOMAIN.format(name=name, id=machine))
        (self.files / "volumes" / "foreign.xml").write_text(FOREIGN_VOLUME.format(name=name))
        self.driver = self._connect()
        return machine

    def has_foreign_disk(self) -> bool:
        return (self.files / "volumes" / "foreign.xml").exists()

    def _connect(self) -> MachineDriver:
        return connect("libvirt", simulated_node("hv-01"), self._state_dir)


def simulated_node(name: str) -> dict[str, Any]:
    """Return the connection of a simulated hypervisor."""
    return {
        "uri": f"test:///{name}",
        "node": {"cpus": 64, "memory_mib": 524_288},
        "network": "default",
        "storage_pool": "default",
    }


LABS: Mapping[str, Callable[[Path], Lab]] = {
    "fake": FakeLab,
    "libvirt-test": LibvirtTestLab,
    "openstack": OpenStackLab,
}
