"""Snapshots of machines: each an image of Glance in the machine's own project, made by Nova of a server's first disk.

An image is found by the machine that it says it is of, and told by its name which number it is: what others make of a
server inherits all but the name. Nova leaves an image that came to nothing as it is, or takes it away. So what is
ordered is noted on the server first: the number, and at which generation. It is not ordered twice at one; and nobody
need be asked about servers without such a note.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from provisioners import openstack_history as history
from provisioners import openstack_servers as servers
from provisioners.contract import LOST, MachineSpec, Rejected, Snapshot, Underway
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Conflict, Document, Link
from provisioners.openstack_servers import Server

_PATH, _KEY = "/images", "images"
_MACHINE = "steppe_machine"
_OURS = {"steppe": "snapshot"}
"""On each of our images, so that one call lists them all. Names of Glance's properties have no colon."""
_CREATE = "createImage"
_UNFINISHED = frozenset({"queued", "saving", "uploading", "importing", "killed"})
_USABLE = "active"
_SHOT_IN = frozenset({"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"})
"""States of a server in which Nova makes an image of it."""


@dataclass(frozen=True, slots=True)
class Image:
    """A snapshot as Glance shows it. One that was whole once stays so, though an administrator may deactivate it."""

    id: str
    machine: UUID
    number: int
    project: str
    status: str
    created: str

    @property
    def whole(self) -> bool:
        return self.status not in _UNFINISHED


def image_name(machine: UUID, number: int) -> str:
    """Return the name of a machine's snapshot."""
    return f"steppe-{machine}-snapshot-{number}"


def every(link: Link, **those: str) -> list[Image]:
    """Return the snapshots of a region, whole or not."""
    listed = map(_image, link.every("image", _PATH, _KEY, **_OURS, **those))
    return [image for image in listed if image]


def on(link: Link, there: Iterable[Server], known: Iterable[Image] | None = None) -> dict[str, tuple[int, ...]]:
    """Return the numbers of the whole snapshots of servers, by Nova's id, with a 0 where one came to nothing: of those
    servers that say that any was ordered. It is one call for all of them, and none where none of them says so."""
    noted = [server for server in there if _noted(server)]
    if not noted:
        return {}
    if known is None:
        single = {_MACHINE: str(servers.id_of(noted[0]))} if len(noted) == 1 else {}
        known = every(link, **single)
    found: dict[tuple[UUID, str], set[int]] = {}
    for image in known:
        found.setdefault((image.machine, image.project), set()).add(image.number if image.whole else 0)
    by_server = {server["id"]: found.get((servers.id_of(server), server["tenant_id"]), ()) for server in noted}
    return {server: tuple(sorted(numbers)) for server, numbers in by_server.items()}


def change(link: Link, spec: MachineSpec, server: Server) -> None:
    """Let a server that is at rest have the snapshots of its spec, and no others of ours.

    Raises Underway until they are there; Rejected where one is gone that was there, cannot be made, or is in use.
    """
    kept: dict[int, Image] = {}
    for image in _of(link, spec.id, server["tenant_id"]):
        if image.number not in spec.snapshot_numbers or image.number in kept:
            _delete(link, image)
        else:
            kept[image.number] = image
    if kept and _noted(server) is None:
        _note(link, server, spec.shots, 0)
    for snapshot in sorted(spec.snapshots, key=lambda one: one.number):
        there = kept.get(snapshot.number)
        if there is None or not there.whole:
            _order(link, spec, server, snapshot, there)


def source(link: Link, catalogue: Catalogue, spec: MachineSpec, project: str) -> str:
    """Return the id of the image that a machine's first disk is made from: the snapshot that it was restored from, else
    what the catalogue has. Raises Rejected."""
    if spec.restored is None:
        return catalogue.image(spec)
    for image in _of(link, spec.id, project):
        if image.number == spec.restored and image.status == _USABLE:
            return image.id
        if image.number == spec.restored and image.whole:
            detail = f"image {image.id} that {spec.name} is to be made from is {image.status}: reactivate it in Glance"
            raise Rejected("openstack.snapshot_failed", detail)
    raise _lost(spec, spec.restored)


def remove(link: Link, machine: UUID, projects: Collection[str] = ()) -> bool:
    """Delete what a machine has of snapshots, in these projects or in any; tell whether there were any."""
    found = [image for image in _of_machine(link, machine) if not projects or image.project in projects]
    for image in found:
        _delete(link, image)
    return bool(found)


def noted_for(spec: MachineSpec) -> Mapping[str, str]:
    """Return what a new server says where its machine may have snapshots from before."""
    return servers.noted_snapshot(spec.shots, 0) if spec.shots else {}


def _order(link: Link, spec: MachineSpec, server: Server, snapshot: Snapshot, left: Image | None) -> None:
    """Order a snapshot once a generation; `left` is what an earlier order has left of it."""
    if snapshot.taken:
        raise _lost(spec, snapshot.number)
    if servers.boots_from_volume(server):
        detail = f"{spec.name} boots from a volume, of which no snapshots are kept: delete it, and back the guest up"
        raise Rejected("openstack.no_snapshot", detail)
    if server["status"] not in _SHOT_IN:
        detail = f"Nova makes no image of a server that is {server['status']}: have {spec.name} started, then retry"
        raise Rejected("openstack.no_snapshot", detail)
    if _noted(server) == (snapshot.number, spec.generation):
        _must_not_have_failed(link, server, left)
    if left:
        _delete(link, left)
    _note(link, server, snapshot.number, spec.generation)
    labels = {**_OURS, _MACHINE: str(spec.id)}
    how = {_CREATE: {"name": image_name(spec.id, snapshot.number), "metadata": labels}}
    # The image belongs to whoever orders it.
    link.tell("compute", "POST", f"/servers/{server['id']}/action", how, server["tenant_id"])
    raise Underway(f"Nova is making snapshot {snapshot.name} of {spec.name}")


def _must_not_have_failed(link: Link, server: Server, left: Image | None) -> None:
    failure = history.failure(link, server, _CREATE)
    if failure:
        raise failure
    if left:
        detail = f"Nova has left image {left.id} {left.status}: see its log, then retry, or delete the snapshot"
        raise Rejected("openstack.snapshot_failed", detail)


def _note(link: Link, server: Server, number: int, generation: int) -> None:
    written = servers.noted_snapshot(number, generation)
    if not written.items() <= server["metadata"].items():
        link.tell("compute", "POST", f"/servers/{server['id']}/metadata", {"metadata": written})


def _noted(server: Server) -> tuple[int, int] | None:
    """Return the number of the snapshot that was ordered last, and at which generation; None where there are none."""
    label = servers.label_of(server)
    number, _, generation = label.snapshot.partition(" ") if label else ("", "", "")
    return (int(number), int(generation)) if number.isdecimal() and generation.isdecimal() else None


def _of(link: Link, machine: UUID, project: str) -> list[Image]:
    """Return a machine's snapshots in its project; of two of one number the whole one comes first, and the older."""
    found = [image for image in _of_machine(link, machine) if image.project == project]
    return sorted(found, key=lambda image: (image.number, not image.whole, image.created, image.id))


def _of_machine(link: Link, machine: UUID) -> list[Image]:
    return [image for image in every(link, **{_MACHINE: str(machine)}) if image.machine == machine]


def _image(shown: Document) -> Image | None:
    """Return an image as a snapshot; None of one that only looks as if it were."""
    try:
        machine = UUID(str(shown.get(_MACHINE)))
    except ValueError:
        return None
    number = str(shown.get("name") or "").removeprefix(image_name(machine, 0)[:-1])
    if not number.isdecimal() or shown["name"] != image_name(machine, int(number)):
        return None
    return Image(
        *(shown["id"], machine, int(number), shown["owner"]),
        status=shown["status"],
        created=shown["created_at"],
    )


def _delete(link: Link, image: Image) -> None:
    try:
        link.tell("image", "DELETE", f"{_PATH}/{image.id}")
    except Conflict as conflict:
        detail = f"image {image.id} cannot be deleted: {conflict}; delete what was made from it, then retry"
        raise Rejected("openstack.snapshot_in_use", detail) from conflict


def _lost(spec: MachineSpec, number: int) -> Rejected:
    name = next((snapshot.name for snapshot in spec.snapshots if snapshot.number == number), str(number))
    detail = f"snapshot {name} of {spec.name} is gone from Glance, and nothing brings it back: delete it here too"
    return Rejected(f"openstack{LOST}", detail)
