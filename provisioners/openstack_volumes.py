"""Disks of machines as volumes of Cinder: one a disk, labelled with its machine's id and its number.

Data disks are counted from 1. The first disk is one as well where its machine boots from a volume: the pool says so
when a server is made, and the server itself from then on. Volumes are made after the ports and before the server, and
removed after it and before the ports: what is left of a machine has a port, so that Cinder need not be asked about it.
Only a volume in its machine's own project is its disk: a label is written by whoever has a project.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from provisioners import openstack_snapshots as snapshots
from provisioners.contract import MOST_DATA_DISKS, MachineSpec, Rejected, Underway, Unreachable
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Document, Link
from provisioners.openstack_servers import Server, boots_from_volume, is_busy, label_of

ID, NUMBER, GENERATION, BUILDS = "steppe:id", "steppe:disk", "steppe:generation", "steppe:builds"
OURS: Mapping[str, str] = {"steppe": "data disk"}
"""On each of our volumes, first disks too, so that one call lists them all."""
FIRST = 0
"""Number of the disk that a machine boots from."""

_MOVING = frozenset({"attaching", "creating", "deleting", "detaching", "downloading", "extending", "reserved"})
_DELETABLE = frozenset({"available", "error", "error_extending", "error_managing", "error_restoring"})
_ATTACHED, _FREE = "in-use", "available"
_SPOILT = frozenset({"error", "reserved"})
_ROOT = "OS-EXT-SRV-ATTR:root_device_name"
_AT_ONCE = 40
"""Volumes asked for in one call by their ids, which must fit into an address line."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as Cinder shows it. `machine`, `number` and `generation` (at which it was asked for) are what its label
    says; `device` is where a server has it. `placed`: some backend was told to make it. `bootable`: an image is on it.
    `builds`: as of which rebuild it is, of a first disk.
    """

    id: str
    size: int
    status: str
    project: str
    machine: UUID | None
    number: int | None
    generation: int
    builds: int | None
    created: str
    device: str
    placed: bool
    bootable: bool

    @property
    def moving(self) -> bool:
        """Whether Cinder or Nova is about to change it by itself."""
        return self.status in _MOVING

    def is_older_than(self, builds: int) -> bool:
        """Tell whether a rebuild was ordered since: then what is on it is to go. One that says nothing is kept."""
        return self.builds is not None and self.builds < builds

    @property
    def empty(self) -> bool:
        """Whether nothing can have been written on it: it was never made, or its image never came onto it."""
        return not self.placed or (self.number == FIRST and not self.bootable)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The disks of a machine that are to be volumes of a project: their sizes by number."""

    spec: MachineSpec
    project: str
    sizes: Mapping[int, int]


def volume_name(machine: UUID, number: int) -> str:
    """Return the name of a machine's volume, for people: it is found by its label."""
    return f"steppe-{machine}-disk-{number}"


def labelled(link: Link, machines: Collection[UUID] = ()) -> list[Volume]:
    """Return the volumes that say that they are a machine's: one call for one machine, and one for any number."""
    wanted = {ID: str(next(iter(machines)))} if len(machines) == 1 else OURS
    found = _listed(link, metadata=str(dict(wanted)))
    return [volume for volume in found if volume.machine and (not machines or volume.machine in machines)]


def attached(
    link: Link, catalogue: Catalogue, servers: Iterable[Server], known: Iterable[Volume] = ()
) -> dict[str, Volume]:
    """Return the volumes that servers have attached, by id. Where none has any, nobody is asked."""
    found = {volume.id: volume for volume in known}
    wanted = sorted({id for server in servers for id in _ids(server)} - found.keys())
    if wanted and catalogue.has_volumes():
        for start in range(0, len(wanted), _AT_ONCE):
            some = _listed(link, id=str(wanted[start : start + _AT_ONCE]))
            found |= {volume.id: volume for volume in some}
    return found


def first(server: Server, volumes: Mapping[str, Volume]) -> Volume | None:
    """Return the volume that a server of ours boots from; None of one that boots from a disk of its own."""
    if not boots_from_volume(server):
        return None
    here = [volumes[id] for id in _ids(server) if id in volumes]
    at_root = [v for v in here if v.device == server.get(_ROOT)]
    # Of a shelved server nobody knows devices.
    labelled = [v for v in here if v.number == FIRST and _is_disk_of(v, server)]
    return next(iter(at_root or labelled), None)


def spoilt(server: Server, volumes: Mapping[str, Volume]) -> Volume | None:
    """Return the volume that a server which is off and at rest boots from, where it is as a rebuild leaves it that came
    to nothing: without a whole image, or without a connection."""
    found = first(server, volumes)
    rests = server["status"] == "SHUTOFF" and not is_busy(server)
    return found if found and rests and found.status in _SPOILT else None


def on(server: Server, volumes: Mapping[str, Volume]) -> tuple[int, ...]:
    """Return the sizes of a server's data disks in their order: those of its machine, with 0 in the place of one that
    is not attached; or, where somebody else made it, all but the disk that it boots from."""
    here = [volumes[id] for id in _ids(server) if id in volumes]
    label = label_of(server)
    if label and not label.adopted:
        return _sizes({v.number: v for v in here if v.number and _is_disk_of(v, server)})
    data = sorted((v for v in here if v.device != server.get(_ROOT)), key=lambda v: (len(v.device), v.device, v.id))
    return tuple(volume.size for volume in data)


def moving(server: Server, volumes: Mapping[str, Volume]) -> bool:
    """Tell whether anything is about to happen to a server's disks. Those of a shelved one stay reserved for it, and so
    do those of one that could not be rebuilt."""
    left = server["status"].startswith(("SHELVED", "ERROR")) or spoilt(server, volumes)
    quiet = {"reserved"} if left else set()
    return any(volumes[id].moving and volumes[id].status not in quiet for id in _ids(server) if id in volumes)


def must_not_shrink(has: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raises Rejected where a data disk would be smaller, or gone."""
    if len(wanted) < len(has) or any(want < size for want, size in zip(wanted, has, strict=False)):
        raise Rejected("openstack.disk_shrinks", f"the data disks have {list(has)} GiB, {list(wanted)} were asked")


def first_must_not_shrink(has: int, wanted: int) -> None:
    """Raises Rejected where the first disk would be smaller."""
    if wanted < has:
        raise Rejected("openstack.disk_shrinks", f"the disk has {has} GiB, {wanted} were asked")


def ensure(link: Link, catalogue: Catalogue, spec: MachineSpec, project: str) -> list[str]:
    """Return the ids of a machine's volumes, whose server is not there, in their order, once they are as the spec says.

    Raises Underway until then, Rejected.
    """
    wanted = _wanted(spec, project, boots=catalogue.boot_volumes)
    if not wanted.sizes:
        return []
    known = _mine(labelled(link, [spec.id]), project)
    must_not_shrink(_sizes(known), spec.data_disks)
    found = {number: volume for number, volume in known.items() if number in wanted.sizes}
    if FIRST in found:
        first_must_not_shrink(found[FIRST].size, spec.disk_gib)
        if found[FIRST].is_older_than(spec.builds):
            delete(link, [found[FIRST]])
            raise Underway("Cinder is deleting the first disk, which a rebuild was ordered to replace")
    if any(_let_go(link, volume) for volume in found.values()):
        raise Underway("Cinder is taking volumes away from a server that is gone")
    _make_and_grow(link, catalogue, wanted, found)
    return [found[number].id for number in wanted.sizes]


def change(link: Link, catalogue: Catalogue, spec: MachineSpec, server: Server) -> None:
    """Let a machine that is off have the volumes of its spec: what is missing is made, what is too small grows.

    Raises Underway until they are there, attached in their order; Rejected.
    """
    catalogue.must_have_volumes()
    project, here, known = server["tenant_id"], _ids(server), labelled(link, [spec.id])
    found = _mine(known, project, here)
    must_not_shrink(_sizes(found), spec.data_disks)
    boots_from = first(server, attached(link, catalogue, [server], known))
    if boots_from:
        found[FIRST] = boots_from
    wanted = _wanted(spec, project, boots=boots_from is not None)
    _make_and_grow(link, catalogue, wanted, found)
    for number in wanted.sizes:
        if found[number].id not in here:
            _attach(link, server, found[number])


def ready_for_rebuild(link: Link, catalogue: Catalogue, spec: MachineSpec, server: Server) -> None:
    """Let the volume that a machine boots from be as large as its spec says, so that a larger image fits on it, and
    write down on it which rebuild it is about to have: should its server go, the next one is made with what is on it,
    or with a fresh one where a later rebuild was ordered. Raises Underway until it is as large, Rejected."""
    found, project = first(server, attached(link, catalogue, [server])), server["tenant_id"]
    if found and found.size < spec.disk_gib:
        _make_and_grow(link, catalogue, _Wanted(spec, project, {FIRST: spec.disk_gib}), {FIRST: found})
    if found and found.builds != spec.builds:
        written = {"metadata": {BUILDS: str(spec.builds)}}
        link.tell("block_storage", "POST", f"/volumes/{found.id}/metadata", written, project)


def delete(link: Link, volumes: Iterable[Volume]) -> None:
    """Order that volumes whose server is gone be deleted, whatever state they are in. Raises Unreachable, Rejected."""
    for volume in volumes:
        path = f"/volumes/{volume.id}"
        if volume.status in _DELETABLE:
            link.tell("block_storage", "DELETE", path)
        elif volume.status == "error_deleting":
            link.tell("block_storage", "POST", f"{path}/action", {"os-force_delete": {}})
            raise Unreachable(f"Cinder could not delete volume {volume.id}; it is told to once more")
        else:
            _let_go(link, volume)


def _wanted(spec: MachineSpec, project: str, *, boots: bool) -> _Wanted:
    """Return what is to be a volume of a machine: its first disk, where it boots from one, and its data disks."""
    boot = {FIRST: spec.disk_gib} if boots else {}
    return _Wanted(spec, project, boot | dict(enumerate(spec.data_disks, 1)))


def _make_and_grow(link: Link, catalogue: Catalogue, wanted: _Wanted, found: Mapping[int, Volume]) -> None:
    waits = False
    for number, gib in wanted.sizes.items():
        volume = found.get(number)
        if volume and volume.status.startswith("error"):
            _clear_failed(link, volume, wanted.spec)
        elif volume is None:
            _make(link, catalogue, wanted, number)
        elif not volume.moving and volume.size < gib:
            grown = {"os-extend": {"new_size": gib}}
            link.tell("block_storage", "POST", f"/volumes/{volume.id}/action", grown, wanted.project)
        elif volume.status in {_FREE, _ATTACHED}:
            continue
        waits = True
    if waits:
        raise Underway("Cinder is making the disks as they are wanted")


def _make(link: Link, catalogue: Catalogue, wanted: _Wanted, number: int) -> None:
    spec = wanted.spec
    label = {ID: str(spec.id), NUMBER: str(number), GENERATION: str(spec.generation)}
    body: Document = {
        "name": volume_name(spec.id, number),
        "size": wanted.sizes[number],
        "metadata": {**OURS, **label},
    }
    if number == FIRST:
        body["imageRef"] = snapshots.source(link, catalogue, spec, wanted.project)
        body["metadata"][BUILDS] = str(spec.builds)
    if catalogue.volume_type:
        body["volume_type"] = catalogue.volume_type
    if link.tell("block_storage", "POST", "/volumes", {"volume": body}, wanted.project) is None:
        _say_what_is_missing(link, catalogue, wanted, body)


def _say_what_is_missing(link: Link, catalogue: Catalogue, wanted: _Wanted, body: Document) -> NoReturn:
    catalogue.forget()
    spec = wanted.spec
    if "imageRef" in body and snapshots.source(link, catalogue, spec, wanted.project) != body["imageRef"]:
        raise Unreachable(f"the image of {spec.name} has just been replaced; looking again")
    raise Rejected("openstack.no_volume_type", f"the region has no volume type {catalogue.volume_type}")


def _clear_failed(link: Link, volume: Volume, spec: MachineSpec) -> None:
    """Remove what nothing can be on, for another try, once a generation; what may hold data is left to people."""
    what = f"volume {volume.id} of {_called(volume)} says {volume.status}"
    if not volume.empty or volume.status != "error":
        detail = f"{what}: reset its state in Cinder, or delete it there for an empty one"
        raise Rejected("openstack.volume_failed", detail)
    if volume.generation >= spec.generation:
        listed = link.few("block_storage", "/messages", "messages", resource_uuid=volume.id)
        said = next((str(message["user_message"]) for message in listed), "Cinder says no more")
        raise Rejected("openstack.volume_failed", f"{what}: {said}")
    link.tell("block_storage", "DELETE", f"/volumes/{volume.id}")


def _attach(link: Link, server: Server, volume: Volume) -> NoReturn:
    """Attach one volume. One at a time: the guest sees them in the order in which they came."""
    if not _let_go(link, volume, but=server["id"]):
        body = {"volumeAttachment": {"volumeId": volume.id, "delete_on_termination": False}}
        link.tell("compute", "POST", f"/servers/{server['id']}/os-volume_attachments", body, server["tenant_id"])
    raise Underway(f"Nova is attaching {_called(volume)}")


def _called(volume: Volume) -> str:
    return f"data disk {volume.number}" if volume.number else "the first disk"


def _let_go(link: Link, volume: Volume, but: str = "") -> bool:
    """Take a volume away from servers that are gone, which Nova leaves to others where it could not reach Cinder; tell
    whether any had it. Raises Rejected where one that is there has it, `but` for the one that is about to.
    """
    if volume.status not in {_ATTACHED, "attaching", "detaching", "reserved"}:
        return False
    listed = {"all_tenants": "true", "volume_id": volume.id}
    for attachment in link.few("block_storage", "/attachments", "attachments", **listed):
        server = attachment["instance"]
        if server and link.ask("compute", f"/servers/{server}"):
            if server == but:
                continue
            raise Rejected("openstack.volume_in_use", f"volume {volume.id} is attached to server {server}; detach it")
        # One that Nova is using after all is a conflict, and tried again.
        link.tell("block_storage", "DELETE", f"/attachments/{attachment['id']}")
    return True


def _mine(known: Iterable[Volume], project: str, here: Collection[str] = ()) -> dict[int, Volume]:
    """Return a machine's volumes by number, of those that carry its label. Of two, the attached one or the older is it:
    what else carries the label (a backup that was restored) may hold data and is not touched."""
    found: dict[int, Volume] = {}
    for volume in sorted(known, key=lambda v: (v.id not in here, v.created, v.id)):
        if volume.project == project and volume.number is not None:
            found.setdefault(volume.number, volume)
    return found


def _sizes(found: Mapping[int, Volume]) -> tuple[int, ...]:
    return tuple(found[number].size if number in found else 0 for number in range(1, max(found, default=0) + 1))


def _is_disk_of(volume: Volume, server: Server) -> bool:
    label = server["metadata"].get("steppe:id")
    return bool(str(volume.machine) == label and volume.project == server["tenant_id"])


def _ids(server: Server) -> list[str]:
    return [str(one["id"]) for one in server.get("os-extended-volumes:volumes_attached") or ()]


def _listed(link: Link, **those: str) -> list[Volume]:
    every = link.every("block_storage", "/volumes/detail", "volumes", all_tenants="true", **those)
    return [_volume(shown) for shown in every]


def _volume(shown: Document) -> Volume:
    metadata, attachments = shown.get("metadata") or {}, shown.get("attachments") or ()
    try:
        machine: UUID | None = UUID(metadata.get(ID, ""))
    except ValueError:
        machine = None
    number, generation = (_number(metadata.get(key, "")) for key in (NUMBER, GENERATION))
    return Volume(
        id=shown["id"],
        size=shown["size"],
        status=shown["status"],
        project=shown["os-vol-tenant-attr:tenant_id"],
        machine=machine,
        number=number if number in range(MOST_DATA_DISKS + 1) else None,
        generation=generation or 0,
        builds=_number(metadata.get(BUILDS, "")),
        created=shown["created_at"],
        device=next((a["device"] or "" for a in attachments), ""),
        placed=bool(shown.get("os-vol-host-attr:host")),
        bootable=shown.get("bootable") == "true",
    )


def _number(written: str) -> int | None:
    return int(written) if written.isdecimal() else None
