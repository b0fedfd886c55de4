"""What a driver is asked and what it answers.

The control plane decides everything inside its transaction and records the whole answer as a frozen spec;
a driver makes that spec true and makes no choice of its own. Every call may be repeated: a call that died half
way is simply made again, so each one must finish what an earlier try began and must do nothing where nothing is left
to do. Whatever else an order does, it writes down the spec's generation, name, department and system on the machine.
"""

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, runtime_checkable
from uuid import UUID

from pydantic import TypeAdapter

Power = Literal["on", "off"]
MOST_DATA_DISKS = 8
ConsoleKind = Literal["screen", "text"]
"""`screen` speaks RFB, which viewers know as VNC; `text` is the serial line: the bytes of a terminal."""


class Unreachable(Exception):
    """The pool cannot be talked to now. Nothing is known about what it holds; trying again later is right."""


class Rejected(Exception):
    """The pool understood the order and refuses it; trying again changes nothing.

    `code` is short, permanent and dotted (`libvirt.no_image`); `detail` is a sentence for a person.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Missing(Exception):
    """What the order is about does not exist in the pool."""


class Underway(Exception):
    """The pool has taken the order and works on it by itself. Once it is no longer busy with the machine, the same
    order finishes what is left or finds it done."""


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """What makes a network the own of the department with the code `department`. A pool that keeps departments apart
    makes it for that department; what the network itself needs of addresses is from `first` to `last`, both inclusive.
    """

    department: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Nic:
    """One address of a machine: `address` with `prefix` length on the pool's network named `network`, or on `own`, a
    department's network of that name."""

    mac: str
    network: str
    address: str
    prefix: int
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    own: OwnNetwork | None = None


@dataclass(frozen=True, slots=True)
class Floating:
    """An IPv4 address of the pool's external network named `network`, by which a machine is reached from outside: it
    leads to the first IPv4 address that the machine has."""

    address: str
    network: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the first disk of a machine held at a moment. `number` counts those of its machine, from 1, and is given
    once; `name` is for people; `gib` is the size that the disk had. `taken`: when it was first seen to be there; None
    until then."""

    number: int
    name: str
    gib: int
    taken: datetime | None = None


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A virtual machine as it is wanted. Memory in MiB, disk in GiB.

    `boots` and `builds` count the reboots and rebuilds that were asked for: a driver that finds a lower number on
    the machine reboots or rebuilds it and writes the number down, so a repeat is harmless. `adopted`: somebody else
    made the machine and its disks, which are never made, replaced, resized or deleted on an order (Rejected).
    `spread_group`: machines of a department that share it are to be on different hosts, where a pool has several.
    `data_disks` are the sizes of its further disks, MOST_DATA_DISKS at most, in the order in which the guest sees them.
    `snapshots` are those of its first disk that it is to have, `shots` how many were ever asked for; `restored` is the
    number of the one that its first disk is made from, in place of the image.
    """

    id: UUID
    name: str
    department: str
    system: str
    generation: int
    vcpu: int
    memory_mib: int
    disk_gib: int
    image: str
    image_source: str | None = None
    nics: tuple[Nic, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    user_data: str | None = None
    power: Power = "on"
    boots: int = 0
    builds: int = 0
    adopted: bool = False
    spread_group: str | None = None
    data_disks: tuple[int, ...] = ()
    floating: Floating | None = None
    snapshots: tuple[Snapshot, ...] = ()
    shots: int = 0
    restored: int | None = None

    @property
    def snapshot_numbers(self) -> tuple[int, ...]:
        """The numbers of the snapshots that it is to have, in order."""
        return tuple(sorted(snapshot.number for snapshot in self.snapshots))

    @property
    def floating_address(self) -> str | None:
        """The address by which it is reached from outside, where it has one."""
        return self.floating.address if self.floating else None


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine as it was found. `complete` is false where only remains of it exist (a volume without a
    machine): creating it again finishes it, deleting it clears them away. `adopted` is true once an adoption is
    written down on it. `busy`: the pool is still working on it, so nothing else that is said of it lasts. A data disk
    that was taken from before others has size 0. `floating_address` is one that Steppe gave it and that leads to it.
    `snapshot_numbers` are those of its snapshots that are whole, in order, after a 0 where one came to nothing."""

    id: UUID
    name: str
    power: Power
    vcpu: int
    memory_mib: int
    disk_gib: int
    image: str
    generation: int = 0
    boots: int = 0
    builds: int = 0
    department: str | None = None
    system: str | None = None
    complete: bool = True
    adopted: bool = False
    busy: bool = False
    data_disks: tuple[int, ...] = ()
    floating_address: str | None = None
    snapshot_numbers: tuple[int, ...] = ()


class MachineDriver(Protocol):
    """One pool of machines. Safe to use from several threads. Every method may raise Unreachable or Rejected; an order
    of a pool that works by itself also Underway: it never waits for a machine."""

    def observe(self, ids: Collection[UUID]) -> dict[UUID, Machine]:
        """Return those of `ids` that exist, whole or in part; what is not in the answer does not exist."""

    def create(self, spec: MachineSpec) -> None:
        """Make the machine with its volumes and its floating address, powered as the spec says; finish one that was
        begun."""

    def start(self, spec: MachineSpec) -> None:
        """Power on. Raises Missing."""

    def stop(self, spec: MachineSpec) -> None:
        """Power off. Raises Missing."""

    def reboot(self, spec: MachineSpec) -> None:
        """Restart a running machine and record `spec.boots`. Raises Missing."""

    def resize(self, spec: MachineSpec) -> None:
        """Set vcpu, memory, disk and data disks of a machine that is off: data disks are added and grown. None shrinks
        or goes (Rejected). Raises Missing."""

    def rebuild(self, spec: MachineSpec) -> None:
        """Replace the disk of a machine that is off by a fresh one of `spec.image`, or of the snapshot `spec.restored`,
        and `spec.disk_gib`; record `spec.builds`. Its data disks keep what is on them. Raises Missing."""

    def adopt(self, spec: MachineSpec) -> None:
        """Write down on a machine that somebody else made that it is the spec's from now on, and touch nothing else.
        Raises Missing."""

    def delete(self, machine: UUID) -> tuple[str, ...]:
        """Remove the machine, its volumes and snapshots; return the disks that were left because we never made them.
        Raises Missing where nothing of it exists."""

    def discover(self) -> list[Machine]:
        """Return every machine of the pool, also those that Steppe never made. A machine costs one call at most."""

    def inspect(self, machine: UUID) -> Machine | None:
        """Return one machine, also one that Steppe never made, with its whole disk: what `discover` cannot afford."""

    def close(self) -> None:
        """Let go of the connection; what exists in the pool stays."""


@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """An open way to a machine's console: bytes go both ways through `socket`, which its taker closes. It ends (reads
    nothing more) when the machine goes off. `simulated`: there is no machine behind it."""

    socket: socket.socket
    simulated: bool = False


@runtime_checkable
class ConsoleDriver(Protocol):
    """What a machine driver may offer besides: consoles of its machines."""

    def consoles(self) -> tuple[ConsoleKind, ...]:
        """Return the kinds of console that this pool's machines have, the best one first."""

    def open_console(self, spec: MachineSpec, kind: ConsoleKind) -> ConsoleLine:
        """Open the console of a machine that runs. Raises Missing, Unreachable; Rejected also where it is in use."""


IngressProtocol = Literal["icmp", "ipv6-icmp", "tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Ingress:
    """What is let in to machines from outside: a protocol, from the addresses of `source` (CIDR). The ports of tcp and
    udp are `first` to `last`, both inclusive, or all of them where both are None."""

    protocol: IngressProtocol
    source: str
    first: int | None = None
    last: int | None = None

    @property
    def ports(self) -> str | None:
        """The ports as people write them: `443`, `8000-8080`; None for all."""
        if self.first is None:
            return None
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def __str__(self) -> str:
        return f"{self.protocol}{f'/{self.ports}' if self.ports else ''} {self.source}"


@dataclass(frozen=True, slots=True)
class Astray:
    """In what a department's ingress is not as it is wanted: what is `missing`, and what Steppe let in and nobody wants
    any more (`left`)."""

    missing: frozenset[Ingress] = frozenset()
    left: frozenset[Ingress] = frozenset()


@dataclass(frozen=True, slots=True)
class Tenant:
    """A department in a pool: the id that it has there, and its limits by resource class, None for unlimited."""

    id: str
    limits: dict[str, int | None]


@runtime_checkable
class TenantDriver(Protocol):
    """What a machine driver may offer besides: it keeps departments apart itself, and each to limits of its own. It
    makes a department's own networks with the first address on each, and lets in to its machines what its own ingress
    says besides what the pool says for all."""

    def limited(self) -> tuple[str, ...]:
        """Return the resource classes that this pool can limit. May raise Unreachable."""

    def tenants(self, departments: Collection[str]) -> dict[str, Tenant]:
        """Return those of the departments, by code, that exist in the pool, with their limits as they are."""

    def set_tenant(self, department: str, limits: dict[str, int | None], ingress: Collection[Ingress]) -> Tenant:
        """Let a department exist in the pool with just these limits and this ingress, and return it. What others let in
        to its machines stays."""

    def astray(self, ingress: Mapping[str, Collection[Ingress]]) -> dict[str, Astray]:
        """Return in what the ingress of departments, by code, is not what is given here. Departments that do not exist
        in the pool are left out. What it costs does not grow with their number: lists are read as wholes."""

    def networks(self, departments: Collection[str]) -> dict[str, frozenset[tuple[str, str]]]:
        """Return what was made of networks for departments, by code: of each its name and each CIDR that it has, ""
        where it has none. Departments that do not exist in the pool are left out."""

    def remove_network(self, department: str, network: str, cidr: str) -> None:
        """Remove one CIDR of a department's own network, with the network if that has no other. One that is gone
        already is no error. Rejected where it is used."""

    def remove_tenant(self, department: str) -> None:
        """Remove a department and what was made for it, its networks too. Raises Missing; Rejected where it holds
        anything still."""


@runtime_checkable
class FloatingDriver(Protocol):
    """What a machine driver may offer besides: machines that are made with a floating address, and others that get one
    later or lose it."""

    def set_floating(self, spec: MachineSpec) -> None:
        """Let the floating address of the spec, and no other that we gave, lead to the machine; none where it has none.
        It is done when this returns. What else an order writes down stays owed to that order. Raises Missing."""


LOST = ".snapshot_lost"


@runtime_checkable
class SnapshotDriver(Protocol):
    """What a machine driver may offer besides: what is on the first disk of a machine can be kept, and brought back."""

    def set_snapshots(self, spec: MachineSpec) -> None:
        """Let the machine have the snapshots of the spec and no other of ours: those that are too many go, one that was
        never taken is taken, of a machine that runs as well. One that was taken and is gone is Rejected, with a code
        that ends in LOST: it would not hold what it held. What else an order writes down stays owed to that order.
        Raises Missing."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a pool has of a resource class in all, what of it is kept back, and how many times the rest is given out."""

    total: int
    reserved: int = 0
    ratio: Decimal = Decimal(1)


@runtime_checkable
class RoomDriver(Protocol):
    """What a machine driver may offer besides: it knows how much there is."""

    def room(self) -> dict[str, Room]:
        """Return what the pool has, by resource class."""


@dataclass(frozen=True, slots=True)
class OfferedImage:
    """An image of the catalogue that a department can choose; `min_disk_gib` is the smallest disk that it may have."""

    code: str
    source: str | None
    min_disk_gib: int


@dataclass(frozen=True, slots=True)
class OfferedFlavor:
    """A size of the catalogue that a department can choose. Memory in MiB, disk in GiB."""

    code: str
    vcpu: int
    memory_mib: int
    disk_gib: int


MatchedBy = Literal["id", "checksum", "name", "path"]
Mismatch = Literal["missing", "several", "not_active", "too_large", "min_ram", "not_seen"]


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """What an image of the catalogue is in a pool: its `id` and `name` there, and `by` what it was known.

    `trouble` says why a machine cannot be made of it, or not as the catalogue says; None where it can. There is none,
    or there are `amount` of them; it is not ready for use; it needs a disk of `amount` GiB, or `amount` MiB of memory,
    which no flavor that is offered has. `not_seen`: it may be there, which only an order finds out.
    """

    code: str
    id: str | None = None
    name: str | None = None
    by: MatchedBy | None = None
    trouble: Mismatch | None = None
    amount: int | None = None

    @property
    def unusable(self) -> bool:
        """Whether it is known that machines cannot be made of it as the catalogue says."""
        return self.trouble not in {None, "not_seen"}


@dataclass(frozen=True, slots=True)
class FlavorMatch:
    """What a size of the catalogue is in a pool; without `id` it is made when it is first asked for."""

    code: str
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueMatch:
    """How a pool and the catalogue match. `flavors` is empty where a pool has machines of any size. `others`: names of
    images that are there for all and that no offered image stands for, MOST_OTHERS at most of `others_count`."""

    images: tuple[ImageMatch, ...]
    flavors: tuple[FlavorMatch, ...] = ()
    others: tuple[str, ...] = ()
    others_count: int = 0


MOST_OTHERS = 100


@runtime_checkable
class CatalogueDriver(Protocol):
    """What a machine driver may offer besides: it knows what the catalogue's images and sizes are in its pool."""

    def match_catalogue(self, images: Collection[OfferedImage], flavors: Collection[OfferedFlavor]) -> CatalogueMatch:
        """Return how they match, in the order in which they were given, as an order would find them now. Nothing is
        changed. Lists are read as wholes: what it costs does not grow with the catalogue."""


@dataclass(frozen=True, slots=True)
class TunnelGroup:
    """Accounts that share a treatment at a VPN gateway. Their tunnels get addresses of `cidr` and reach `networks`
    (CIDRs) and nothing else. Times in seconds; rates in kbit/s for each session, None for no limit."""

    name: str
    cidr: str
    networks: tuple[str, ...]
    session_seconds: int
    idle_seconds: int
    down_kbit: int | None = None
    up_kbit: int | None = None


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A session that is up at a gateway. `group` as the gateway took it from RADIUS; `session` is the gateway's own id
    of it; `since` in seconds since 1970; bytes as seen by the gateway."""

    username: str
    group: str
    session: str
    since: float
    client: str
    address: str
    bytes_in: int = 0
    bytes_out: int = 0


@runtime_checkable
class GatewayDriver(Protocol):
    """One VPN gateway. Who may come in is RADIUS's to say; the gateway carries the groups. Safe to use from several
    threads. Every method may raise Unreachable or Rejected."""

    def groups(self) -> frozenset[TunnelGroup]:
        """Return the groups as the gateway really has them: what is in force, not what was last written."""

    def set_groups(self, groups: Collection[TunnelGroup]) -> None:
        """Let the gateway have just these groups, at once for new sessions. Repeating it is harmless."""

    def tunnels(self) -> list[Tunnel]:
        """Return the sessions that are up."""

    def disconnect(self, sessions: Collection[str]) -> None:
        """End these sessions, by the gateway's ids; return once they are gone. One that is gone already is no error."""

    def close(self) -> None:
        """Let go of the connection; sessions stay up."""


Driver = MachineDriver | GatewayDriver

_MACHINE_SPEC = TypeAdapter(MachineSpec)
_CATALOGUE_MATCH = TypeAdapter(CatalogueMatch)


def dump_machine(spec: MachineSpec) -> dict[str, Any]:
    """Return `spec` as plain JSON values, for keeping in a record."""
    dumped: dict[str, Any] = _MACHINE_SPEC.dump_python(spec, mode="json")
    return dumped


def load_machine(record: dict[str, Any]) -> MachineSpec:
    """Return the spec that `dump_machine` made `record` of. Raises pydantic's ValidationError on a damaged record."""
    return _MACHINE_SPEC.validate_python(record)


def dump_catalogue(match: CatalogueMatch) -> dict[str, Any]:
    """Return `match` as plain JSON values, for keeping in a record."""
    dumped: dict[str, Any] = _CATALOGUE_MATCH.dump_python(match, mode="json")
    return dumped


def load_catalogue(record: dict[str, Any]) -> CatalogueMatch:
    """Return the match that `dump_catalogue` made `record` of. Raises ValidationError on a damaged record."""
    return _CATALOGUE_MATCH.validate_python(record)
