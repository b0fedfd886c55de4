"""What somebody does to a pool behind Steppe's back, whatever the driver; and the findings that come of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import libvirt
from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from controlplane.db import transaction
from controlplane.models import Drift, Pool
from controlplane.reconcile.sweep import Swept, sweep
from provisioners.contract import Machine, MachineSpec, load_machine
from provisioners.fake_driver import FakeDriver
from provisioners.libvirt_driver import LibvirtDriver
from tests.drivers.makers import FOREIGN_DOMAIN, FOREIGN_SECOND, FOREIGN_VOLUME
from tests.reconcile.lab import Lab


def spec_of(lab: Lab, resource: UUID) -> MachineSpec:
    return load_machine(lab.record(resource).wanted)


def stop(lab: Lab, resource: UUID) -> None:
    lab.driver_of(lab.pool()).stop(spec_of(lab, resource))


def start(lab: Lab, resource: UUID) -> None:
    lab.driver_of(lab.pool()).start(spec_of(lab, resource))


def resize(lab: Lab, resource: UUID, **size: int) -> None:
    """Give a machine another size and leave it running."""
    driver, spec = lab.driver_of(lab.pool()), replace(spec_of(lab, resource), **size)  # type: ignore[arg-type]
    driver.stop(spec)
    driver.resize(spec)
    driver.start(spec)


def take_last_data_disk(lab: Lab, resource: UUID) -> None:
    """Take the last data disk out of a machine, as somebody at the hypervisor would."""
    driver = lab.driver_of(lab.pool())
    if isinstance(driver, FakeDriver):
        machine = driver.observe([resource])[resource]
        driver.put(replace(machine, data_disks=machine.data_disks[:-1]))
        return
    with _hypervisor(driver) as connection:
        domain = etree.fromstring(connection.lookupByUUID(resource.bytes).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        *_, last = (d for d in domain.iterfind("devices/disk") if "-data" in d.find("source").get("file"))
        last.getparent().remove(last)
        connection.defineXML(etree.tostring(domain, encoding="unicode"))


def delete(lab: Lab, resource: UUID) -> None:
    lab.driver_of(lab.pool()).delete(resource)


def restore(lab: Lab, spec: MachineSpec) -> None:
    """Bring a machine back that was deleted, as from a backup."""
    lab.driver_of(lab.pool()).create(spec)


def make_foreign(lab: Lab, name: str = "legacy-db", code: str = "hv-01", data_gib: int | None = None) -> UUID:
    """Let a running machine of 3 vCPU, 512 MiB and 7 GiB, or of two disks, exist that Steppe never made; return its
    id."""
    machine, driver = uuid4(), lab.driver_of(lab.pool(code))
    if isinstance(driver, FakeDriver):
        driver.put(Machine(machine, name, "on", 3, 512, 7, "", data_disks=(data_gib,) if data_gib else ()))
        return machine
    with _hypervisor(driver) as connection:
        connection.storagePoolLookupByName("default").createXML(FOREIGN_VOLUME.format(name=name))
        domain = FOREIGN_DOMAIN.format(name=name, id=machine)
        if data_gib:
            volume = FOREIGN_VOLUME.format(name="more").replace(">7<", f">{data_gib}<")
            connection.storagePoolLookupByName("default").createXML(volume)
            domain = domain.replace("</devices>", f"{FOREIGN_SECOND}</devices>")
        connection.defineXML(domain).create()
    return machine


def take_foreign_away(lab: Lab, machine: UUID) -> None:
    driver = lab.driver_of(lab.pool())
    if isinstance(driver, FakeDriver):
        driver.delete(machine)
        return
    with _hypervisor(driver) as connection:
        domain = connection.lookupByUUID(machine.bytes)
        domain.destroy()
        domain.undefine()


def foreign_disk_is_there(lab: Lab, name: str = "legacy-db") -> bool:
    driver = lab.driver_of(lab.pool())
    if isinstance(driver, FakeDriver):
        return True  # it has no disks apart from its machines
    with _hypervisor(driver) as connection:
        return f"{name}.qcow2" in connection.storagePoolLookupByName("default").listVolumes()


@contextmanager
def _hypervisor(driver: Any) -> Iterator[Any]:
    """Give the connection that the driver has: nobody else can reach a hypervisor in this process's memory."""
    assert isinstance(driver, LibvirtDriver)
    with driver._link.calls() as connection:
        yield connection


def swept(lab: Lab) -> Swept:
    return sweep(lab.sessions, lab.drivers)


def quiet(lab: Lab, *names: str) -> list[UUID]:
    """Build VMs and finish their jobs, so that nothing waits."""
    made = [lab.running(name) for name in names]
    lab.forget_jobs()
    return made


def policy(lab: Lab, value: str, code: str = "hv-01") -> None:
    with transaction(lab.sessions) as session:
        session.scalars(select(Pool).where(Pool.code == code)).one().drift_policy = value


def drifts(lab: Lab) -> list[Drift]:
    """Return every finding, oldest first."""
    with transaction(lab.sessions) as session:
        found = session.scalars(select(Drift).options(joinedload(Drift.pool)).order_by(Drift.first_seen, Drift.id))
        return list(found)


def drift(lab: Lab) -> Drift:
    """Return the one finding that there is."""
    [found] = drifts(lab)
    return found
