"""How a machine is written as a server of Nova, and how a server is read as a machine. Pure.

What Nova has no field for is in the server's metadata; its tag is what it is found by, exactly and by index.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.encoders import encode_base64
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from typing import Any
from uuid import UUID

import yaml

from provisioners.cloud_seed import hostname
from provisioners.contract import Machine, MachineSpec, Power, Rejected

Server = Mapping[str, Any]

OURS = "steppe"
PREFIX = "steppe:"
TRIED = "Steppe tried to bring it back at generation "
"""In the description, which is all that Nova lets be written of a server in error."""
MOST_USER_DATA = 65_535
"""Characters that Nova takes, encoded in base64."""

START_BY: Mapping[str, str] = {
    "SHUTOFF": "os-start",
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
    "RESCUE": "unrescue",
}
"""What brings a server up, by the status that keeps it down."""

ACTIONS: Mapping[str, str] = {"os-start": "start", "os-stop": "stop"}
"""What Nova's list of what was done calls an order, where it is not as the order is called."""

BUILD_FAILED, NETWORK_FAILED = "openstack.build_failed", "openstack.network_failed"
PASSING = frozenset({BUILD_FAILED, NETWORK_FAILED})
"""Faults of a build that are often over soon: of some part of the cloud that has just come back."""

_ON = frozenset({"ACTIVE"})
_BUSY = frozenset({"BUILD", "REBUILD", "RESIZE", "REVERT_RESIZE", "MIGRATING", "REBOOT", "HARD_REBOOT", "PASSWORD"})
_PARTIAL = frozenset({"ERROR", "VERIFY_RESIZE", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class Label:
    """What is written down on a server besides its size."""

    name: str
    department: str
    system: str
    generation: int
    image: str
    boots: int
    builds: int
    adopted: bool
    floating: str
    snapshot: str


def label_of(server: Server) -> Label | None:
    """Return what is written down on a server; None on one that Steppe never had."""
    if _our_id(server) is None:
        return None
    written = {k.removeprefix(PREFIX): v for k, v in server["metadata"].items() if k.startswith(PREFIX)}
    number: dict[str, int] = {k: _number(written.get(k)) for k in ("generation", "boots", "builds")}
    return Label(
        name=str(written.get("name", server["name"])),
        department=written.get("department", ""),
        system=written.get("system", ""),
        image=written.get("image", ""),
        adopted=written.get("adopted") == "yes",
        floating=written.get("floating", ""),
        snapshot=written.get("snapshot", ""),
        **number,
    )


def metadata(spec: MachineSpec, **kept: Any) -> dict[str, str]:
    """Return what is to be written down of a spec; `kept` in place of what the order does not do."""
    values = {
        "id": spec.id,
        "name": spec.name,
        "department": spec.department,
        "system": spec.system,
        "generation": spec.generation,
        "image": spec.image,
        "boots": spec.boots,
        "builds": spec.builds,
        "adopted": "yes" if spec.adopted else "no",
        **kept,
    }
    return {f"{PREFIX}{name}": str(value) for name, value in values.items()}


def noted(floating: str) -> dict[str, str]:
    """Return what is written down of a machine's floating address, or of none: it is noted before it is made and until
    it is removed, so that nobody need be asked about machines that have none."""
    return {f"{PREFIX}floating": floating}


def noted_snapshot(number: int, generation: int) -> dict[str, str]:
    """Return what is written down of the snapshot that is ordered, and when: it is noted before, and says from then on
    that there may be some."""
    return {f"{PREFIX}snapshot": f"{number} {generation}"}


def reboot_after(boots: int, request: str) -> str:
    """Return what is written down as `reboot` before a server is rebooted: what was done to it last until then."""
    return f"{boots} {request}"


def rebooting(server: Server, boots: int) -> str | None:
    """Return after which request the reboot of this number was to be ordered; None where it never was."""
    number, _, request = str(server["metadata"].get(f"{PREFIX}reboot", "")).partition(" ")
    return request if number == str(boots) else None


def tried(server: Server) -> int:
    """Return the generation at which a server in error was last tried to be brought back."""
    return _number((server.get("description") or "").removeprefix(TRIED))


def tag_of(machine: UUID) -> str:
    """Return the tag that a machine's server is found by."""
    return f"{OURS}-{machine}"


def machine_by_tag(tag: str) -> UUID | None:
    """Return the machine that a tag is of; None of one that is not ours."""
    try:
        return UUID(tag.removeprefix(f"{OURS}-")) if tag.startswith(f"{OURS}-") else None
    except ValueError:
        return None


def id_of(server: Server) -> UUID:
    """Return the id of the machine that a server is: ours where it carries one, Nova's own otherwise."""
    return _our_id(server) or UUID(server["id"])


def is_busy(server: Server) -> bool:
    """Tell whether Nova is about to change the server by itself."""
    return server["status"] in _BUSY or server.get("OS-EXT-STS:task_state") is not None


def power_of(server: Server) -> Power:
    """Return whether the server runs; paused and suspended ones do not."""
    return "on" if server["status"] in _ON else "off"


def boots_from_volume(server: Server) -> bool:
    """Tell whether the first disk of a server that Steppe made is a volume: Nova knows no image of it then."""
    label = label_of(server)
    return label is not None and not label.adopted and not server["image"]


def flavor_of(machine: MachineSpec | Machine, from_volume: bool) -> tuple[int, int, int]:
    """Return the vcpu, MiB and GiB of the flavor of a machine, which has no disk where it boots from a volume."""
    return machine.vcpu, machine.memory_mib, 0 if from_volume else machine.disk_gib


def machine_of(server: Server) -> Machine:
    """Return a server as a machine. One that a failure or an unfinished resize has left is incomplete."""
    label, flavor = label_of(server), server["flavor"]
    known: dict[str, Any] = {}
    if label:
        known = {
            "generation": label.generation,
            "boots": label.boots,
            "builds": label.builds,
            "department": label.department,
            "system": label.system,
            "adopted": label.adopted,
        }
    return Machine(
        id=id_of(server),
        name=label.name if label else server["name"],
        power=power_of(server),
        vcpu=flavor["vcpus"],
        memory_mib=flavor["ram"],
        disk_gib=flavor["disk"],
        image=label.image if label else "",
        complete=server["status"] not in _PARTIAL,
        busy=is_busy(server),
        **known,
    )


def must_be_of_one_project(machine: UUID, found: Collection[Server]) -> None:
    """Raises Rejected: of two servers in two projects, one was labelled by somebody else, and nothing tells which."""
    claims = {f"{server['id']} of project {server['tenant_id']}" for server in found}
    if len({server["tenant_id"] for server in found}) > 1:
        detail = f"servers {' and '.join(sorted(claims))} are all labelled as machine {machine}; unlabel the wrong ones"
        raise Rejected("openstack.claimed_twice", detail)


def must_keep_no_disk(server: Server) -> None:
    """Raises Rejected: the disk of a server that was not booted from a volume is the server's own and goes with it. One
    without a label is still to be adopted, or could not be."""
    label = label_of(server)
    if (label is None or label.adopted) and server["image"]:
        detail = f"{server['name']} was adopted and its disk would go with it: delete it in Nova, or keep it"
        raise Rejected("openstack.adopted", detail)


def remains_of(machine: UUID, name: str) -> Machine:
    """Return what only its ports or volumes are left of."""
    return Machine(machine, name, "off", 0, 0, 0, "", complete=False)


def created(
    spec: MachineSpec, flavor: str, image: str | None, ports: list[str], volumes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the body that asks Nova for a server of `spec`; without an image it boots from the first of its volumes.
    Raises Rejected for user data that Nova does not take."""
    user_data = _user_data(spec)
    body: dict[str, Any] = {
        "name": spec.name,
        "hostname": hostname(spec),
        "flavorRef": flavor,
        "networks": [{"port": port} for port in ports] or "none",
        "metadata": metadata(spec, boots=spec.boots, builds=spec.builds),
        "tags": [OURS, tag_of(spec.id)],
    }
    if spec.floating:
        body["metadata"] |= noted(spec.floating.address)
    if image:
        body["imageRef"] = image
    if volumes:
        body["block_device_mapping_v2"] = _disks(image, volumes)
    return body | ({"user_data": user_data} if user_data else {})


def fault_of(server: Server) -> Rejected:
    """Return what Nova says of a server in error, as a fault with a code of its own."""
    return fault_by(str((server.get("fault") or {}).get("message") or "Nova says no more than ERROR"))


def fault_by(words: str) -> Rejected:
    """Return what Nova says of a failure, as a fault with a code of its own."""
    for part, code in _FAULTS.items():
        if part in words:
            return Rejected(code, words)
    return Rejected("openstack.failed", words)


_FAULTS: Mapping[str, str] = {
    "No valid host": "openstack.no_valid_host",
    "Exceeded maximum number of retries": BUILD_FAILED,
    "quota": "openstack.over_quota",
    "Quota": "openstack.over_quota",
    "Failed to allocate the network": NETWORK_FAILED,
    "Image ": "openstack.no_image",
}


def _disks(image: str | None, volumes: Sequence[str]) -> list[dict[str, Any]]:
    """The image's disk is the server's own; a volume outlives it."""
    local = {"source_type": "image", "destination_type": "local", "delete_on_termination": True}
    outlives = {"source_type": "volume", "destination_type": "volume", "delete_on_termination": False}
    own = [{**local, "uuid": image}] if image else []
    disks = [*own, *({**outlives, "uuid": volume} for volume in volumes)]
    return [{**disk, "boot_index": -1 if number else 0} for number, disk in enumerate(disks)]


def _user_data(spec: MachineSpec) -> str:
    """Nova hands out one key pair a server, and of its user; so keys travel as user data, in a part of their own that
    adds to what the asker's part says."""
    keys = yaml.safe_dump({"ssh_authorized_keys": list(spec.ssh_keys)}, allow_unicode=True)
    ours = f"#cloud-config\n{keys}" if spec.ssh_keys else ""
    asked = (spec.user_data or "").encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(_in_parts(asked, ours) if asked and ours else asked or ours.encode()).decode()
    if len(encoded) > MOST_USER_DATA:
        detail = f"user data and keys come to {len(encoded)} characters in base64; Nova takes {MOST_USER_DATA}"
        raise Rejected("openstack.user_data_too_long", detail)
    return encoded


def _in_parts(asked: bytes, ours: str) -> bytes:
    whole = MIMEMultipart()
    theirs: Message = message_from_bytes(asked)
    if not theirs.is_multipart():
        # What plain text is, cloud-init tells by its first line, as it would alone; parts within it it would not see.
        theirs = MIMENonMultipart("text", "plain", charset="utf-8")
        theirs.set_payload(asked)
        encode_base64(theirs)
    keys = MIMEText(ours, "cloud-config", "utf-8")
    keys["Merge-Type"] = "list(append)+dict(recurse_array)+str()"
    whole.attach(theirs)
    whole.attach(keys)
    return whole.as_bytes()


def _our_id(server: Server) -> UUID | None:
    """Return the id that Steppe wrote on a server. Whoever has the server's project may write anything there."""
    try:
        return UUID(server["metadata"].get(f"{PREFIX}id", ""))
    except ValueError:
        return None


def _number(written: str | None) -> int:
    return int(written) if written and written.isdecimal() else 0
