"""Machines on one hypervisor, through libvirt.

The same code drives `qemu:///system` and libvirt's in-memory `test://` nodes; only `connect` tells them apart. A
machine is made volumes first and domain last, and unmade volumes first and domain last: at every moment in between,
either nothing is there, or what is there carries the machine's id and shows up as incomplete.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import libvirt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provisioners import libvirt_consoles
from provisioners import libvirt_xml as xml
from provisioners.contract import (
    CatalogueMatch,
    ConsoleKind,
    ConsoleLine,
    Machine,
    MachineSpec,
    Missing,
    OfferedFlavor,
    OfferedImage,
    Power,
    Rejected,
)
from provisioners.libvirt_link import Link
from provisioners.libvirt_look import (
    FEW,
    Hands,
    definition,
    disks_not_ours,
    find,
    list_all,
    look_up,
    machine_of,
    machines,
    owners,
    whole,
)
from provisioners.libvirt_node import NodeFiles, NodeShape, with_power
from provisioners.libvirt_volumes import Volumes
from provisioners.simulated_console import simulated_line

_LOCKS = 64
_NAME = "^[^/\x00-\x1f]+$"
_KEEP_FIRMWARE = libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
_UNDEFINE = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA


class NodeSize(BaseModel):
    """How large a simulated hypervisor is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: int = Field(default=64, gt=0)
    memory_mib: int = Field(default=524_288, gt=0)


class Connection(BaseModel):
    """What a pool's record says about its hypervisor.

    `network`: the libvirt network that every address of the pool is on; without it each address names its own.
    `shutdown_seconds`: how long a guest may take to shut down before it is switched off.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str
    network: str | None = Field(default=None, pattern=_NAME)
    storage_pool: str = Field(default="default", pattern=_NAME)
    virt_type: str = Field(default="kvm", pattern="^(kvm|qemu)$")
    node: NodeSize = NodeSize()
    shutdown_seconds: float = Field(default=30, ge=0)


class LibvirtDriver:
    """The machines of one hypervisor. `node` keeps the state of a simulated one and is None for a real one, which
    keeps its own."""

    def __init__(self, settings: Connection, node: NodeFiles | None) -> None:
        self._settings = settings
        self._node = node
        self._domain_type = "test" if node else settings.virt_type
        self._link = Link(node.open if node else lambda: settings.uri)
        self._locks = tuple(Lock() for _ in range(_LOCKS))

    def observe(self, ids: Collection[UUID]) -> dict[UUID, Machine]:
        wanted = set(ids)
        with self._hands() as hands:
            look = look_up if len(wanted) <= FEW else list_all
            domains, volumes = look(hands, wanted)
            found = {machine: xml.remains(machine) for machine in wanted & owners(volumes)}
            return found | {m.id: m for m in machines(domains, volumes) if m.id in wanted}

    def discover(self) -> list[Machine]:
        with self._hands() as hands:
            domains, volumes = list_all(hands, None)
            found = {machine: xml.remains(machine) for machine in owners(volumes)}
            return list((found | {m.id: m for m in machines(domains, volumes)}).values())

    def inspect(self, machine: UUID) -> Machine | None:
        with self._hands() as hands:
            return whole(hands, machine)

    def create(self, spec: MachineSpec) -> None:
        with self._changing(spec.id) as hands:
            domain = find(hands, spec.id)
            if spec.adopted:
                _must_be_there(domain, spec)
            if domain is None:
                disk, seed, data = hands.volumes.disk(spec), hands.volumes.seed(spec), hands.volumes.data_disks(spec)
                around = xml.Surroundings(self._domain_type, disk, seed, self._settings.network, data)
                domain = hands.connection.defineXML(xml.domain_xml(spec, around))
            else:
                _write_down(domain, spec, **({} if spec.adopted else _complete(hands, domain, spec)))
            self._set_power(domain, spec.power)

    def start(self, spec: MachineSpec) -> None:
        with self._ordering(spec) as (_hands, domain, _found):
            self._set_power(domain, "on")
            _write_down(domain, spec)

    def stop(self, spec: MachineSpec) -> None:
        with self._ordering(spec) as (_hands, domain, _found):
            self._set_power(domain, "off")
            _write_down(domain, spec)

    def reboot(self, spec: MachineSpec) -> None:
        """Shut down and start again: what a guest does with a request to reboot cannot be seen from here."""
        with self._ordering(spec) as (_hands, domain, found):
            if found.boots < spec.boots and domain.isActive():
                self._set_power(domain, "off")
                self._set_power(domain, "on")
            _write_down(domain, spec, boots=max(found.boots, spec.boots))

    def resize(self, spec: MachineSpec) -> None:
        with self._ordering(spec) as (hands, domain, found):
            disks = replace(found, disk_gib=spec.disk_gib, data_disks=spec.data_disks)
            if replace(disks, vcpu=spec.vcpu, memory_mib=spec.memory_mib) == found:
                _write_down(domain, spec)
                return
            _must_be_off(domain)
            if spec.adopted and disks != found:
                raise _not_our_disk(spec)
            data = () if spec.adopted else _resize_disks(hands, spec, found)
            label = _merged(spec, found, disk_gib=spec.disk_gib, data_disks=spec.data_disks)
            hands.connection.defineXML(xml.resized_xml(definition(domain), label, data))

    def rebuild(self, spec: MachineSpec) -> None:
        with self._ordering(spec) as (hands, domain, found):
            if found.builds >= spec.builds:
                _write_down(domain, spec)
                return
            _must_be_off(domain)
            if spec.adopted:
                raise _not_our_disk(spec)
            hands.volumes.fresh_disk(spec)
            hands.volumes.seed(spec)
            _write_down(domain, spec, builds=spec.builds, image=spec.image, disk_gib=spec.disk_gib)

    def adopt(self, spec: MachineSpec) -> None:
        with self._ordering(spec) as (_hands, domain, _found):
            done = {
                "builds": spec.builds,
                "image": spec.image,
                "disk_gib": spec.disk_gib,
                "data_disks": spec.data_disks,
            }
            _write_down(domain, spec, boots=spec.boots, **done)

    def delete(self, machine: UUID) -> tuple[str, ...]:
        with self._changing(machine) as hands:
            domain = find(hands, machine)
            if domain is not None and domain.isActive():
                _settle(domain, domain.destroy, active=False)
            left = disks_not_ours(domain) if domain is not None else ()
            cleared = hands.volumes.clear(machine)
            if domain is not None:
                domain.undefineFlags(_UNDEFINE | (_KEEP_FIRMWARE if left and self._node is None else 0))
            elif not cleared:
                raise Missing(f"no machine {machine}")
            return left

    def match_catalogue(self, images: Collection[OfferedImage], flavors: Collection[OfferedFlavor]) -> CatalogueMatch:
        """A hypervisor has machines of any size, so nothing is said of flavors."""
        with self._hands() as hands:
            there = hands.volumes.names()
            return CatalogueMatch(tuple(hands.volumes.match(image, there) for image in images))

    def consoles(self) -> tuple[ConsoleKind, ...]:
        return ("text",) if self._node else libvirt_consoles.kinds(self._settings.uri)

    def open_console(self, spec: MachineSpec, kind: ConsoleKind) -> ConsoleLine:
        if kind not in self.consoles():
            raise Rejected("libvirt.no_console", f"this hypervisor offers no {kind} console")
        if self._node:
            # Another process has the node open, and it keeps no terminal anyway.
            return simulated_line(spec)
        with self._hands() as hands:
            domain = find(hands, spec.id)
            if domain is None:
                raise Missing(f"no machine {spec.id}")
            return libvirt_consoles.open_line(hands.connection, domain, kind)

    def close(self) -> None:
        self._link.close()
        if self._node:
            self._node.close()

    @contextmanager
    def _hands(self) -> Iterator[Hands]:
        with self._link.calls() as connection:
            yield Hands(connection, Volumes(connection, self._settings.storage_pool, keeps_bytes=self._node is None))

    @contextmanager
    def _changing(self, machine: UUID) -> Iterator[Hands]:
        """One change to a machine at a time; whatever it came to is kept where the hypervisor would forget it."""
        with self._locks[machine.int % _LOCKS], self._hands() as hands:
            try:
                yield hands
            finally:
                if self._node:
                    _keep(self._node, hands, machine)

    @contextmanager
    def _ordering(self, spec: MachineSpec) -> Iterator[tuple[Hands, libvirt.virDomain, Machine]]:
        with self._changing(spec.id) as hands:
            domain = find(hands, spec.id)
            if domain is None:
                raise Missing(f"no machine {spec.id}")
            _, volumes = look_up(hands, {spec.id})
            yield hands, domain, machine_of(domain, volumes)

    def _set_power(self, domain: libvirt.virDomain, power: Power) -> None:
        if domain.isActive() == (power == "on"):
            return
        if power == "on":
            _settle(domain, domain.create, active=True)
            return
        with suppress(libvirt.libvirtError):
            domain.shutdown()
            _wait_until_off(domain, self._settings.shutdown_seconds)
        if domain.isActive():
            _settle(domain, domain.destroy, active=False)


def connect(connection: Mapping[str, Any], state_dir: Path) -> LibvirtDriver:
    """Return the driver of a hypervisor; `connection` has the keys of `Connection`.

    A `test:///name` node is kept under `state_dir`; `node` gives its size. Raises Rejected on a wrong key or value.
    """
    try:
        settings = Connection.model_validate(dict(connection))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise Rejected("libvirt.bad_connection", wrong) from error
    uri = urlsplit(settings.uri)
    if uri.scheme != "test":
        return LibvirtDriver(settings, None)
    name = uri.path.strip("/")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise Rejected("libvirt.bad_connection", f"a test node is named like test:///hv-01, not {settings.uri}")
    size = settings.node
    shape = NodeShape(size.cpus, size.memory_mib, settings.network or "default", settings.storage_pool)
    return LibvirtDriver(settings, NodeFiles(state_dir / "libvirt" / name, shape))


def _resize_disks(hands: Hands, spec: MachineSpec, found: Machine) -> tuple[str, ...]:
    if len(spec.data_disks) < len(found.data_disks):
        detail = f"it has {len(found.data_disks)} data disks, {len(spec.data_disks)} were asked; none is taken away"
        raise Rejected("libvirt.disk_shrinks", detail)
    return hands.volumes.resize(spec)


def _complete(hands: Hands, domain: libvirt.virDomain, spec: MachineSpec) -> dict[str, Any]:
    """Give a machine back the volumes that it has lost; return what became new by it. A disk that is there stays."""
    done: dict[str, Any] = {"data_disks": _complete_data(hands, definition(domain), spec)}
    if hands.volumes.find(xml.disk_volume(spec.id)) is None:
        hands.volumes.fresh_disk(spec)
        done |= {"image": spec.image, "disk_gib": spec.disk_gib}
    if hands.volumes.find(xml.seed_volume(spec.id)) is None:
        hands.volumes.seed(spec)
    return done


def _complete_data(hands: Hands, domain: str, spec: MachineSpec) -> tuple[int, ...]:
    """Return the sizes of the data disks, of those that were lost as they are wanted now."""
    sizes = list(xml.noted_data_disks(domain))
    for place in xml.data_places(domain):
        if hands.volumes.find(xml.data_volume(spec.id, place)) is None:
            sizes[place - 1] = dict(enumerate(spec.data_disks, 1)).get(place, sizes[place - 1])
            hands.volumes.data_disk(spec.id, place, sizes[place - 1])
    return tuple(sizes)


def _merged(spec: MachineSpec, found: Machine, **done: Any) -> MachineSpec:
    """Return the spec with what the machine has in place of what this order does not do."""
    kept = ("image", "boots", "builds", "disk_gib", "data_disks")
    return replace(spec, **{**{name: getattr(found, name) for name in kept}, **done})


def _write_down(domain: libvirt.virDomain, spec: MachineSpec, **done: Any) -> None:
    """Label the machine with whose it is and the generation that was ordered, and with what this order has `done`."""
    text = definition(domain)
    found = xml.machine(text, "off", complete=True)
    # A disk that was taken away for a while stays noted, so that it is known again.
    label = xml.label_xml(_merged(spec, found, **{"data_disks": xml.noted_data_disks(text), **done}))
    element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    domain.setMetadata(element, label, xml.PREFIX, xml.NAMESPACE, libvirt.VIR_DOMAIN_AFFECT_CONFIG)


def _settle(domain: libvirt.virDomain, act: Callable[[], Any], *, active: bool) -> None:
    """Act, and take a refusal for success where somebody else was faster: the domain is as it should be."""
    try:
        act()
    except libvirt.libvirtError:
        if domain.isActive() != active:
            raise


def _wait_until_off(domain: libvirt.virDomain, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while domain.isActive() and time.monotonic() < deadline:
        time.sleep(0.2)


def _must_be_there(domain: libvirt.virDomain | None, spec: MachineSpec) -> None:
    if domain is None:
        detail = f"{spec.name} was adopted: there is no image to make it from; restore it, or delete its record"
        raise Rejected("libvirt.adopted", detail)


def _not_our_disk(spec: MachineSpec) -> Rejected:
    return Rejected("libvirt.adopted", f"{spec.name} was adopted: its disks are not ours to change")


def _must_be_off(domain: libvirt.virDomain) -> None:
    if domain.isActive():
        raise Rejected("libvirt.not_off", f"{domain.name()} is running; power it off first")


def _keep(node: NodeFiles, hands: Hands, machine: UUID) -> None:
    """Volumes go first: a domain is never kept without them."""
    for name, volume in hands.volumes.definitions(machine).items():
        node.write("volumes", name, volume)
    domain = find(hands, machine)
    text = None
    if domain is not None:
        text = with_power(definition(domain), bool(domain.isActive()))
    node.write("domains", str(machine), text)
