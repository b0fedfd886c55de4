"""Between our frozen specs and libvirt's XML.

Pure, so that what a hypervisor is told can be tested without one. Names reach XML through a builder alone: a
department may call a machine `</domain>` and gets a machine of that name. Everything that a machine of ours owns is
named from its id, so a repeated order finds what the last try made, and remains can be told from other people's things.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from string import ascii_lowercase
from typing import Any, NamedTuple
from uuid import UUID

from lxml import etree
from lxml.builder import ElementMaker  # type: ignore[import-not-found]

from provisioners.contract import MOST_DATA_DISKS, Machine, MachineSpec, Nic, Power, Rejected

NAMESPACE = "urn:steppe:machine:1"
PREFIX = "steppe"
GIB = 1024**3
_REMEMBERED = 8192

E = ElementMaker()
_LABEL = ElementMaker(namespace=NAMESPACE, nsmap={PREFIX: NAMESPACE})
_VOLUME = re.compile(
    r"steppe-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(?:disk\.qcow2|seed\.iso|probe\.qcow2|data([1-9])\.qcow2)"
)
# The seed hangs on another bus, so that all of these are free for data.
_DATA_DEVICES = tuple(f"vd{letter}" for letter in ascii_lowercase[1:])
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r"[/\s\x7f]+")
# A guest of a real processor should see it; an emulated one has none to see.
_CPU: Mapping[str, Mapping[str, str]] = {"kvm": {"mode": "host-model"}}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a machine's XML needs to know of its hypervisor: domain type (`kvm`, `qemu`, `test`), the paths of its
    volumes, and the one network that all its addresses are on (None: the network that each address names)."""

    domain_type: str
    disk: str
    seed: str
    network: str | None = None
    data: tuple[str, ...] = ()


def disk_volume(machine: UUID) -> str:
    return f"steppe-{machine}-disk.qcow2"


def seed_volume(machine: UUID) -> str:
    return f"steppe-{machine}-seed.iso"


def data_volume(machine: UUID, place: int) -> str:
    """Return the name of a data disk; the first one has place 1."""
    return f"steppe-{machine}-data{place}.qcow2"


def volumes_of(machine: UUID) -> tuple[str, ...]:
    """Return the names of all volumes that a machine can have for good."""
    data = (data_volume(machine, place) for place in range(1, MOST_DATA_DISKS + 1))
    return disk_volume(machine), seed_volume(machine), *data


def probe_volume(machine: UUID) -> str:
    """A volume that is there for the moment of finding out whether an image is."""
    return f"steppe-{machine}-probe.qcow2"


def image_volume(image: str) -> str:
    return f"{image}.qcow2"


def volume_owner(volume: str) -> UUID | None:
    """Return the machine that a volume belongs to, None where it is no volume of ours."""
    match = _VOLUME.fullmatch(volume)
    return UUID(match[1]) if match else None


def domain_name(spec: MachineSpec) -> str:
    """Return a name that a person recognizes and no other machine has.

    The last digits of the id are taken: the first ones of a UUIDv7 are a clock, and machines that were asked for in
    the same minute share them.
    """
    return f"{_NOT_IN_NAMES.sub('-', spec.name)[:48]}-{spec.id.hex[-8:]}"


def domain_xml(spec: MachineSpec, around: Surroundings) -> str:
    """Return the definition of the machine. Raises Rejected where a name of the spec cannot be written in XML."""
    label = _label(spec)
    domain = E.domain(
        E.name(domain_name(spec)),
        E.uuid(str(spec.id)),
        E.metadata(label),
        E.memory(str(spec.memory_mib), unit="MiB"),
        E.vcpu(str(spec.vcpu)),
        E.os(E.type("hvm", arch="x86_64", machine="q35"), E.boot(dev="hd")),
        E.features(E.acpi(), E.apic()),
        *(E.cpu(dict(cpu)) for cpu in [_CPU.get(around.domain_type)] if cpu),
        E.clock(offset="utc"),
        E.on_poweroff("destroy"),
        E.on_reboot("restart"),
        E.on_crash("destroy"),
        _devices(spec, around),
        type=around.domain_type,
    )
    return etree.tostring(domain, encoding="unicode")


def _devices(spec: MachineSpec, around: Surroundings) -> Any:
    """Volumes go by path, not by pool and name: AppArmor's profile maker resolves paths alone.

    The seed hangs on virtio: kernels made for clouds have no driver for SATA and would never find it. The screen
    listens nowhere: who may see it is handed an open connection through libvirt.
    """
    cards: dict[str, Nic] = {}
    for nic in spec.nics:
        cards.setdefault(nic.mac, nic)
    return E.devices(
        _disk(around.disk, "vda"),
        *(_disk(path, device) for path, device in zip(around.data, _DATA_DEVICES, strict=False)),
        E.disk(
            E.driver(name="qemu", type="raw"),
            E.source(file=around.seed),
            E.target(dev="sda", bus="scsi"),
            E.readonly(),
            type="file",
            device="cdrom",
        ),
        *(
            E.interface(
                E.mac(address=nic.mac),
                E.source(network=around.network or nic.network),
                E.model(type="virtio"),
                type="network",
            )
            for nic in cards.values()
        ),
        E.controller(type="scsi", index="0", model="virtio-scsi"),
        E.serial(E.target(port="0"), type="pty"),
        E.console(E.target(type="serial", port="0"), type="pty"),
        E.channel(E.target(type="virtio", name="org.qemu.guest_agent.0"), type="unix"),
        E.graphics(E.listen(type="none"), type="vnc"),
        E.video(E.model(type="virtio")),
        E.rng(E.backend("/dev/urandom", model="random"), model="virtio"),
    )


def _disk(path: str, device: str) -> Any:
    return E.disk(
        E.driver(name="qemu", type="qcow2", discard="unmap"),
        E.source(file=path),
        E.target(dev=device, bus="virtio"),
        type="file",
        device="disk",
    )


def volume_xml(name: str, capacity: int, form: str, backing: str | None = None) -> str:
    """Return the definition of a sparse volume of `capacity` bytes in format `form`, upon the file `backing`."""
    volume = E.volume(
        E.name(name),
        E.capacity(str(capacity), unit="bytes"),
        E.allocation("0", unit="bytes"),
        E.target(E.format(type=form)),
    )
    if backing is not None:
        volume.append(E.backingStore(E.path(backing), E.format(type="qcow2")))
    return etree.tostring(volume, encoding="unicode")


def backing_path(volume: str) -> str | None:
    """Return the path of the file that a volume, given by its XML, lies upon."""
    return etree.fromstring(volume).findtext("backingStore/path")


def label_xml(spec: MachineSpec) -> str:
    """Return what is written down about a machine on the machine itself. Raises Rejected as domain_xml does.

    Without our namespace: libvirt puts it on, and refuses an element that has it.
    """
    return etree.tostring(E.machine(_facts(spec)), encoding="unicode")


def _label(spec: MachineSpec) -> Any:
    return _LABEL.machine(_facts(spec))


def _facts(spec: MachineSpec) -> dict[str, str]:
    texts = {"name": spec.name, "department": spec.department, "system": spec.system, "image": spec.image}
    for key, text in texts.items():
        if _NOT_XML.search(text):
            raise Rejected("libvirt.bad_text", f"the {key} of machine {spec.id} has control characters")
    numbers = {
        "generation": spec.generation,
        "boots": spec.boots,
        "builds": spec.builds,
        "disk_gib": spec.disk_gib,
    }
    adopted = {"adopted": "yes"} if spec.adopted else {}
    data = {"data_disks": " ".join(map(str, spec.data_disks))} if spec.data_disks else {}
    return {**texts, **{key: str(number) for key, number in numbers.items()}, **adopted, **data}


def resized_xml(domain: str, spec: MachineSpec, data: Sequence[str] = ()) -> str:
    """Return the definition `domain` with the spec's vcpu, memory and label, those data disks of the paths `data` that
    it lacks, and all else (addresses that libvirt gave to devices, changes by hand) as it was."""
    root = etree.fromstring(domain)
    _attach(root, data)
    for path, text in (("memory", spec.memory_mib), ("currentMemory", spec.memory_mib), ("vcpu", spec.vcpu)):
        element = root.find(path)
        if element is not None:
            element.text = str(text)
            if path != "vcpu":
                element.set("unit", "MiB")
    metadata = root.find("metadata")
    if metadata is None:
        metadata = etree.SubElement(root, "metadata")
    for old in metadata.findall(f"{{{NAMESPACE}}}machine"):
        metadata.remove(old)
    metadata.append(_label(spec))
    return etree.tostring(root, encoding="unicode")


def _attach(root: Any, data: Sequence[str]) -> None:
    """A disk that somebody put in by hand keeps its device: the guest sees ours behind it."""
    has = {source.get("file") for source in root.iterfind("devices/disk/source")}
    taken = {target.get("dev") for target in root.iterfind("devices/disk/target")}
    for place, path in enumerate(data):
        if path not in has:
            device = next(name for name in _DATA_DEVICES[place:] if name not in taken)
            taken.add(device)
            root.find("devices").append(_disk(path, device))


def machine(domain: str, power: Power, complete: bool) -> Machine:
    """Return the machine that the definition `domain` describes.

    One without our label is somebody else's: it goes by its domain name and its disk and image are unknown (0, "").
    One that was adopted has whatever disks it had, so `complete` says nothing of it.
    """
    found = _described(domain).machine
    return replace(found, power=power, complete=complete or found.complete)


def data_places(domain: str) -> tuple[int, ...]:
    """Return the places of the data disks of ours that the definition `domain` has."""
    return _described(domain).places


def noted_data_disks(domain: str) -> tuple[int, ...]:
    """Return the sizes of data disks that are written down on a machine, whether it still has them or not."""
    return _described(domain).noted


def volumes_in(domain: str) -> tuple[str, ...]:
    """Return the names of the volumes of ours that the machine of the definition `domain` cannot be without."""
    found = _described(domain)
    id_ = found.machine.id
    return disk_volume(id_), seed_volume(id_), *(data_volume(id_, place) for place in found.places)


class _Described(NamedTuple):
    """What a definition says: the machine, the places of its data disks, and the sizes that are noted of them."""

    machine: Machine
    places: tuple[int, ...]
    noted: tuple[int, ...]


@lru_cache(maxsize=_REMEMBERED)
def _described(domain: str) -> _Described:
    """The same definitions are read at every sweep: reading them anew is most of what a sweep would cost.

    Power is not in a definition; `complete` is true where the volumes that we would have made do not matter.
    """
    root = etree.fromstring(domain)
    label = root.find(f"metadata/{{{NAMESPACE}}}machine")
    found: Mapping[str, str] = {} if label is None else {str(k): str(v) for k, v in label.attrib.items()}
    adopted = found.get("adopted") == "yes"
    id_ = UUID(root.findtext("uuid", ""))
    noted = tuple(int(size) for size in found.get("data_disks", "").split())
    paths = _paths(root) if noted else ()
    places = () if adopted else tuple(place for place in sorted(_places(id_, paths)) if place <= len(noted))
    described = Machine(
        id=id_,
        name=found.get("name") or str(root.findtext("name", "")),
        power="off",
        vcpu=int(root.findtext("vcpu", "0")),
        memory_mib=int(root.findtext("memory", "0")) // 1024,
        disk_gib=int(found.get("disk_gib", "0")),
        image=found.get("image", ""),
        generation=int(found.get("generation", "0")),
        boots=int(found.get("boots", "0")),
        builds=int(found.get("builds", "0")),
        department=found.get("department"),
        system=found.get("system"),
        complete=adopted or label is None,
        adopted=adopted,
        # A definition does not say which of a stranger's disks is which: only how many are left can be told.
        data_disks=noted[: max(0, len(paths) - 1)] if adopted else _sizes(noted, places),
    )
    return _Described(described, places, noted)


def _places(machine: UUID, paths: Sequence[str]) -> Iterator[int]:
    for path in paths:
        match = _VOLUME.fullmatch(path.rpartition("/")[2])
        if match and match[2] and UUID(match[1]) == machine:
            yield int(match[2])


def _sizes(noted: Sequence[int], places: Sequence[int]) -> tuple[int, ...]:
    last = max(places, default=0)
    return tuple(size if place in places else 0 for place, size in enumerate(noted[:last], 1))


def disk_paths(domain: str) -> tuple[str, ...]:
    """Return the files and devices that the definition `domain` has as disks, in its order, without its drives."""
    return _paths(etree.fromstring(domain))


def _paths(root: Any) -> tuple[str, ...]:
    disks = [d for d in root.iterfind("devices/disk") if d.get("device", "disk") == "disk"]
    sources = [source for disk in disks if (source := disk.find("source")) is not None]
    return tuple(str(path) for source in sources if (path := source.get("file") or source.get("dev")))


def remains(machine: UUID) -> Machine:
    """Return what is to be said of a machine of which only volumes are left."""
    return Machine(machine, name="", power="off", vcpu=0, memory_mib=0, disk_gib=0, image="", complete=False)
