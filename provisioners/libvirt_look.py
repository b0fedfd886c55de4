"""Finding machines on one hypervisor.

What is there is read in two ways that give the same answer: machine by machine, whose cost does not depend on how full
the hypervisor is, and all at once, whose number of calls does not depend on how many are asked about.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import libvirt

from provisioners import libvirt_xml as xml
from provisioners.contract import Machine, Power
from provisioners.libvirt_link import is_lost
from provisioners.libvirt_volumes import Volumes

# Up to here, looking each machine up costs less than listing all that a full hypervisor has.
FEW = 64


@dataclass(frozen=True, slots=True)
class Hands:
    """What an order works with: the connection and the pool's volumes."""

    connection: libvirt.virConnect
    volumes: Volumes


def find(hands: Hands, machine: UUID) -> libvirt.virDomain | None:
    try:
        return hands.connection.lookupByUUID(machine.bytes)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return None


def look_up(hands: Hands, wanted: Collection[UUID]) -> tuple[list[libvirt.virDomain], set[str]]:
    """Four calls per machine and one per data disk, however many other machines there are."""
    domains = {machine: domain for machine in wanted if (domain := find(hands, machine)) is not None}
    names = (name for machine in wanted for name in _expected(machine, domains.get(machine)))
    return list(domains.values()), {name for name in names if hands.volumes.find(name) is not None}


def _expected(machine: UUID, domain: libvirt.virDomain | None) -> tuple[str, ...]:
    """Return the names of the volumes that a machine has; of one without a domain, all that it may have left."""
    try:
        return xml.volumes_of(machine) if domain is None else xml.volumes_in(definition(domain))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return xml.volumes_of(machine)


def definition(domain: libvirt.virDomain) -> str:
    """Return the definition that is kept for the next start: what we write down goes there."""
    return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))


def list_all(hands: Hands, wanted: Collection[UUID] | None) -> tuple[list[libvirt.virDomain], set[str]]:
    """Two calls in all. `wanted` None: every domain."""
    volumes = hands.volumes.names()
    domains = hands.connection.listAllDomains()
    return [d for d in domains if wanted is None or UUID(bytes=d.UUID()) in wanted], volumes


def owners(volumes: Collection[str]) -> set[UUID]:
    return {owner for volume in volumes if (owner := xml.volume_owner(volume)) is not None}


def machines(domains: Collection[libvirt.virDomain], volumes: Collection[str]) -> Iterator[Machine]:
    for domain in domains:
        try:
            yield machine_of(domain, volumes)
        except libvirt.libvirtError as error:
            # Deleted since it was listed: then it does not exist.
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise


def machine_of(domain: libvirt.virDomain, volumes: Collection[str]) -> Machine:
    """A domain's id is that of its run, known since it was looked up; -1 is off."""
    text = definition(domain)
    complete = all(name in volumes for name in xml.volumes_in(text))
    power: Power = "off" if domain.ID() == -1 else "on"
    return xml.machine(text, power, complete)


def whole(hands: Hands, machine: UUID) -> Machine | None:
    """Return one machine with the sizes of its disks, whoever made them; some calls per disk. Where one of a stranger's
    disks tells no size, the others count as one."""
    _, volumes = look_up(hands, {machine})
    domain = find(hands, machine)
    if domain is None:
        return xml.remains(machine) if volumes else None
    found = machine_of(domain, volumes)
    if found.disk_gib:
        return found
    paths = xml.disk_paths(definition(domain))
    sizes = [-(-(hands.volumes.size_at(path) or _size_of(domain, path)) // xml.GIB) for path in paths]
    if all(sizes):
        return replace(found, disk_gib=sum(sizes[:1]), data_disks=tuple(sizes[1:]))
    return replace(found, disk_gib=sum(sizes))


def _size_of(domain: libvirt.virDomain, path: str) -> int:
    """Return the bytes of a disk that lies in no storage pool, 0 where the hypervisor cannot tell."""
    try:
        return int(domain.blockInfo(path)[0])
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise
        return 0


def disks_not_ours(domain: libvirt.virDomain) -> tuple[str, ...]:
    """Return the paths of a domain's disks that are not the volumes which we would have made for it."""
    machine = UUID(bytes=domain.UUID())
    paths = xml.disk_paths(definition(domain))
    return tuple(path for path in paths if xml.volume_owner(path.rpartition("/")[2]) != machine)
