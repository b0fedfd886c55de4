"""What is there of machines in a region: their servers, with the volumes that these have attached and the floating
addresses that lead to them, and what is left where a server is gone or never came.

Nothing is asked machine by machine. Cinder is asked about servers that have volumes, and about machines of which there
is neither server nor port; Neutron about floating addresses of servers that say that they have one; Glance about
snapshots of those that say so, and about all that there are for the whole region.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from provisioners import openstack_floating as floating
from provisioners import openstack_ports as ports
from provisioners import openstack_servers as servers
from provisioners import openstack_snapshots as snapshots
from provisioners import openstack_tenants as tenants
from provisioners import openstack_volumes as volumes
from provisioners.contract import Machine, Unreachable
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Link
from provisioners.openstack_servers import Server
from provisioners.openstack_volumes import Volume

_AT_ONCE = 40
"""Servers asked for in one call by their tags, which must fit into an address line."""
_GONE = frozenset({"DELETED", "SOFT_DELETED"})
_NOVAS_VERSION = 4


def observe(link: Link, catalogue: Catalogue, ids: Collection[UUID]) -> dict[UUID, Machine]:
    """Return those of the machines that exist, whole or in part."""
    there = carrying(link, ids)
    attached = volumes.attached(link, catalogue, there)
    beside = _Beside(attached, floating.on(link, there), snapshots.on(link, there))
    found = {servers.id_of(server): _machine(server, beside) for server in there}
    missing = set(ids) - found.keys()
    if not missing:
        return found
    left = {machine for machine in map(ports.machine_of, ports.of(link, missing)) if machine in missing}
    left |= _with_volumes(link, catalogue, missing - left)
    return found | {machine: servers.remains_of(machine, "") for machine in left if machine}


def discover(link: Link, catalogue: Catalogue, zone: str | None) -> list[Machine]:
    """Return every machine of the region, or of one zone, with the department that it is, or may be, of."""
    owners = {project: name for name, project in tenants.of_domain(link, catalogue).items()}
    owners.pop(link.project(), None)
    there = every(link)
    labelled = volumes.labelled(link) if catalogue.has_volumes() else []
    here = [server for server in there if zone in {None, server["OS-EXT-AZ:availability_zone"]}]
    attached = volumes.attached(link, catalogue, here, labelled)
    images = snapshots.every(link)
    beside = _Beside(attached, floating.on(link, here), snapshots.on(link, here, images))
    found = {}
    for server in here:
        machine = _machine(server, beside)
        # Whose a machine is that nobody labelled, its project tells.
        found[machine.id] = replace(machine, department=machine.department or owners.get(server["tenant_id"]))
    elsewhere = {servers.id_of(server) for server in there}
    left = [*(volume.machine for volume in labelled), *(image.machine for image in images)]
    for owner in (*map(ports.machine_of, ports.every(link)), *left):
        if owner and owner not in found.keys() | elsewhere:
            found[owner] = servers.remains_of(owner, "")
    return list(found.values())


def carrying(link: Link, ids: Collection[UUID]) -> list[Server]:
    """Return the servers that carry the ids; one that was not adopted yet is found by Nova's own id."""
    wanted = sorted(ids)
    found: list[Server] = []
    for start in range(0, len(wanted), _AT_ONCE):
        tags = ",".join(map(servers.tag_of, wanted[start : start + _AT_ONCE]))
        listed = {"all_tenants": "true", "tags-any": tags}
        found += link.every("compute", "/servers/detail", "servers", **listed)
    known = {servers.id_of(server) for server in found}
    for machine in wanted:
        # Ids that Steppe gives are of another version of UUIDs than those that Nova gives.
        if machine not in known and machine.version == _NOVAS_VERSION:
            single = link.ask("compute", f"/servers/{machine}")
            found += [single["server"]] if single else []
    # Whoever has a project can put any tag on its servers: the label says which machine it is.
    return [s for s in _there(found) if servers.id_of(s) in ids]


def every(link: Link) -> list[Server]:
    """Return every server of the region."""
    return _there(link.every("compute", "/servers/detail", "servers", all_tenants="true"))


def with_disks(link: Link, catalogue: Catalogue, server: Server) -> Machine:
    """Return a server as a machine, with the disks of it that are volumes."""
    return _machine(server, _Beside(volumes.attached(link, catalogue, [server])))


@dataclass(frozen=True, slots=True)
class _Beside:
    """What servers have that others keep: volumes by their id, floating addresses and snapshots by the server's."""

    volumes: Mapping[str, Volume]
    floating: Mapping[str, str] = field(default_factory=dict)
    snapshots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def _machine(server: Server, beside: _Beside) -> Machine:
    machine, attached = servers.machine_of(server), beside.volumes
    busy, first = machine.busy or volumes.moving(server, attached), volumes.first(server, attached)
    return replace(
        machine,
        disk_gib=first.size if first else machine.disk_gib,
        data_disks=volumes.on(server, attached),
        floating_address=beside.floating.get(server["id"]),
        snapshot_numbers=beside.snapshots.get(server["id"], ()),
        busy=busy,
        complete=machine.complete and not volumes.spoilt(server, attached),
    )


def _there(found: Iterable[Server]) -> list[Server]:
    return [server for server in found if server["status"] not in _GONE]


def _with_volumes(link: Link, catalogue: Catalogue, machines: Collection[UUID]) -> set[UUID]:
    """Return those of which a volume is left. While Cinder is away there are none: a machine without data disks need
    not wait for it, another will be asked for its volumes before it is made or deleted."""
    if not machines or not catalogue.has_volumes():
        return set()
    with suppress(Unreachable):
        return {volume.machine for volume in volumes.labelled(link, machines) if volume.machine}
    return set()
