"""A pool of machines in memory that fails when told to.

The reconcile loop must survive a failure at every step: before the effect, after the effect but before the answer, and
half way through. No real hypervisor fails on demand, so this one exists. It keeps the same contract and passes the same
tests as the real drivers. Nodes are named and outlive the driver objects that look at them, as a real pool would.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from threading import RLock
from typing import Any, Literal
from uuid import NAMESPACE_DNS, UUID, uuid5

from provisioners.contract import (
    LOST,
    Astray,
    CatalogueMatch,
    ConsoleKind,
    ConsoleLine,
    FlavorMatch,
    ImageMatch,
    Ingress,
    Machine,
    MachineSpec,
    Missing,
    OfferedFlavor,
    OfferedImage,
    Power,
    Rejected,
    Room,
    Tenant,
    Underway,
)
from provisioners.simulated_console import simulated_line

Step = Literal[
    "observe",
    "create",
    "start",
    "stop",
    "reboot",
    "resize",
    "rebuild",
    "adopt",
    "set_floating",
    "set_snapshots",
    "delete",
    "discover",
    "inspect",
    "match_catalogue",
    "set_tenant",
    "remove_tenant",
    "remove_network",
    "astray",
]
Moment = Literal["before", "half_way", "after"]


@dataclass
class _Node:
    machines: dict[UUID, Machine] = field(default_factory=dict)
    leaving: set[UUID] = field(default_factory=set)
    tenants: dict[str, dict[str, int | None]] = field(default_factory=dict)
    ingress: dict[str, set[Ingress]] = field(default_factory=lambda: defaultdict(set))
    networks: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    room: dict[str, Room] = field(default_factory=dict)
    images: dict[str, int] | None = None
    by_itself: bool = False
    lock: RLock = field(default_factory=RLock)


_NODES: defaultdict[tuple[str, str], _Node] = defaultdict(_Node)


class _Fault:
    """What happens to one call: nothing, or an error at one of its moments."""

    def __init__(self, moment: Moment | None, error: Exception | None) -> None:
        self._moment = moment
        self._error = error

    def at(self, moment: Moment) -> None:
        if self._error is not None and moment == self._moment:
            raise self._error


class FakeDriver:
    """Machines of one named node. Safe to use from several threads."""

    def __init__(self, node: _Node) -> None:
        self._node = node
        self._faults: defaultdict[str, deque[_Fault]] = defaultdict(deque)
        self.calls: list[tuple[Step, UUID | None]] = []

    def fail_next(self, step: Step, error: Exception, *, after: bool = False, half_way: bool = False) -> None:
        """Make the next call of `step` that has no fault yet raise `error`.

        By default nothing has happened by then. With `half_way` a part has: create, rebuild and delete leave remains
        (`complete` is false), a reboot has restarted nothing yet has stopped the machine, a floating address leads
        nowhere, and snapshots that are too many are gone. With `after` all of it has.
        """
        moment: Moment = "after" if after else "half_way" if half_way else "before"
        with self._node.lock:
            self._faults[step].append(_Fault(moment, error))

    def settle(self, machine: UUID) -> None:
        """Let a node that works by itself be done with a machine."""
        with self._node.lock:
            if machine in self._node.leaving:
                self._node.leaving.remove(machine)
                del self._node.machines[machine]
            else:
                self.put(replace(self._node.machines[machine], busy=False))

    def put(self, machine: Machine) -> None:
        """Let `machine` exist without an order, as somebody else would have made it."""
        with self._node.lock:
            self._node.machines[machine.id] = machine

    def observe(self, ids: Collection[UUID]) -> dict[UUID, Machine]:
        with self._call("observe", None):
            return {id: self._node.machines[id] for id in ids if id in self._node.machines}

    def create(self, spec: MachineSpec) -> None:
        with self._call("create", spec.id) as fault:
            found = self._node.machines.get(spec.id)
            _must_be_ours(spec, found)
            self._must_be_free(spec)
            if found is None:
                self.put(_remains(spec.id, spec.name))
            fault.at("half_way")
            if found is None or not found.complete:
                self.put(replace(_built(spec), snapshot_numbers=found.snapshot_numbers if found else ()))
            else:
                self.put(replace(found, power=spec.power, **_label(spec)))

    def start(self, spec: MachineSpec) -> None:
        self._set_power("start", spec, "on")

    def stop(self, spec: MachineSpec) -> None:
        self._set_power("stop", spec, "off")

    def reboot(self, spec: MachineSpec) -> None:
        with self._call("reboot", spec.id) as fault:
            found = self._find(spec.id)
            if found.boots < spec.boots:
                self.put(replace(found, power="off"))
                fault.at("half_way")
            self.put(replace(found, boots=max(found.boots, spec.boots), **_label(spec)))

    def resize(self, spec: MachineSpec) -> None:
        with self._call("resize", spec.id) as fault:
            found = self._find(spec.id)
            disks: dict[str, Any] = {"disk_gib": spec.disk_gib, "data_disks": spec.data_disks}
            size: dict[str, Any] = {"vcpu": spec.vcpu, "memory_mib": spec.memory_mib, **disks}
            if replace(found, **size) != found:
                _must_be_off(found)
            if replace(found, **disks) != found:
                _disk_must_be_ours(found)
            _must_not_shrink(found, spec)
            self.put(replace(found, **disks))
            fault.at("half_way")
            self.put(replace(found, **size, **_label(spec)))

    def rebuild(self, spec: MachineSpec) -> None:
        with self._call("rebuild", spec.id) as fault:
            found = self._find(spec.id)
            fresh: dict[str, Any] = {}
            if found.builds < spec.builds:
                _must_be_off(found)
                _disk_must_be_ours(found)
                self.put(replace(found, complete=False))
                fault.at("half_way")
                fresh = {"image": spec.image, "disk_gib": spec.disk_gib, "builds": spec.builds, "complete": True}
            self.put(replace(found, **fresh, **_label(spec)))

    def adopt(self, spec: MachineSpec) -> None:
        with self._call("adopt", spec.id):
            disks: dict[str, Any] = {"disk_gib": spec.disk_gib, "data_disks": spec.data_disks}
            counters: dict[str, Any] = {"boots": spec.boots, "builds": spec.builds}
            self.put(replace(self._find(spec.id), adopted=True, **disks, **counters, **_label(spec)))

    def set_floating(self, spec: MachineSpec) -> None:
        with self._call("set_floating", spec.id) as fault:
            found = self._find(spec.id)
            self._must_be_free(spec)
            if found.floating_address != spec.floating_address:
                self.put(replace(found, floating_address=None))
                fault.at("half_way")
                self.put(replace(found, floating_address=spec.floating_address))

    def set_snapshots(self, spec: MachineSpec) -> None:
        with self._call("set_snapshots", spec.id) as fault:
            found = self._find(spec.id)
            has = tuple(number for number in found.snapshot_numbers if number in spec.snapshot_numbers)
            self.put(replace(found, snapshot_numbers=has))
            fault.at("half_way")
            lost = [one.name for one in spec.snapshots if one.taken and one.number not in has]
            if lost:
                raise Rejected(f"fake{LOST}", f"snapshot {lost[0]} of {spec.name} is gone")
            self.put(replace(found, snapshot_numbers=spec.snapshot_numbers))

    def delete(self, machine: UUID) -> tuple[str, ...]:
        with self._call("delete", machine) as fault:
            found = self._node.machines.get(machine)
            if found is None:
                raise Missing(f"no machine {machine}")
            self.put(replace(found, power="off", complete=False, snapshot_numbers=()))
            fault.at("half_way")
            if self._node.by_itself:
                self._node.leaving.add(machine)
                return ()
            del self._node.machines[machine]
            return (f"disk of {found.name}",) if found.adopted else ()

    def inspect(self, machine: UUID) -> Machine | None:
        with self._call("inspect", machine):
            return self._node.machines.get(machine)

    def discover(self) -> list[Machine]:
        with self._call("discover", None):
            return list(self._node.machines.values())

    def consoles(self) -> tuple[ConsoleKind, ...]:
        return ("text",)

    def open_console(self, spec: MachineSpec, kind: ConsoleKind) -> ConsoleLine:
        if kind not in self.consoles():
            raise Rejected("fake.no_console", f"a fake machine has no {kind} console")
        return simulated_line(spec)

    def close(self) -> None:
        """Nothing to let go of."""

    def _set_power(self, step: Step, spec: MachineSpec, power: Power) -> None:
        with self._call(step, spec.id):
            self.put(replace(self._find(spec.id), power=power, **_label(spec)))

    def _find(self, machine: UUID) -> Machine:
        """Remains without a machine are Missing to every order but create and delete."""
        found = self._node.machines.get(machine)
        if found is None or found.vcpu == 0:
            raise Missing(f"no machine {machine}")
        return found

    def _must_be_free(self, spec: MachineSpec) -> None:
        others = (m.floating_address for m in self._node.machines.values() if m.id != spec.id)
        if spec.floating and spec.floating_address in others:
            raise Rejected("fake.address_taken", f"{spec.floating_address} leads to another machine")

    @contextmanager
    def _call(self, step: Step, machine: UUID | None) -> Iterator[_Fault]:
        with self._node.lock:
            self.calls.append((step, machine))
            fault = self._faults[step].popleft() if self._faults[step] else _Fault(None, None)
            fault.at("before")
            before = self._node.machines.get(machine) if machine else None
            yield fault
            fault.at("after")
            after = self._node.machines.get(machine) if machine else None
            if self._node.by_itself and after and after != before:
                self.put(replace(after, busy=True))
                raise Underway(f"{after.name} is being worked on")


class FakeCloud(FakeDriver):
    """A node that works as clouds do: it takes orders and is busy with them until it is told to `settle`, and it keeps
    departments to limits, gives them networks of their own and lets in what they say."""

    def room(self) -> dict[str, Room]:
        with self._call("observe", None):
            return dict(self._node.room)

    def set_room(self, **room: Room) -> None:
        """Let the node have so much."""
        self._node.room = room

    def put_network(self, department: str, network: str, cidr: str) -> None:
        """Let there be a network that was made for a department."""
        self._node.networks[department].add((network, cidr))

    def match_catalogue(self, images: Collection[OfferedImage], flavors: Collection[OfferedFlavor]) -> CatalogueMatch:
        with self._call("match_catalogue", None):
            found = tuple(_match(image, self._node.images) for image in images)
            others = sorted((self._node.images or {}).keys() - {match.id for match in found})
            return CatalogueMatch(found, tuple(FlavorMatch(f.code) for f in flavors), tuple(others), len(others))

    def set_images(self, **images: int) -> None:
        """Let the node have just these images, by name, each with the disk in GiB that it needs. One that was never
        told has whatever it is asked for."""
        self._node.images = images

    def limited(self) -> tuple[str, ...]:
        return ("vm", "vcpu", "memory_mib")

    def tenants(self, departments: Collection[str]) -> dict[str, Tenant]:
        with self._call("observe", None):
            known = self._node.tenants
            return {code: self._tenant(code) for code in departments if code in known}

    def set_tenant(self, department: str, limits: dict[str, int | None], ingress: Collection[Ingress]) -> Tenant:
        with self._call("set_tenant", None):
            self._node.tenants[department] = dict(limits)
            self._node.ingress[department] = set(ingress)
            return self._tenant(department)

    def astray(self, ingress: Mapping[str, Collection[Ingress]]) -> dict[str, Astray]:
        with self._call("astray", None):
            known = self._node.tenants
            return {code: self._astray(code, frozenset(rules)) for code, rules in ingress.items() if code in known}

    def ingress_of(self, department: str) -> set[Ingress]:
        """What is let in to a department's machines, to be looked at and changed as somebody else would."""
        return self._node.ingress[department]

    def create(self, spec: MachineSpec) -> None:
        for nic in spec.nics:
            if nic.own:
                block = ip_network(f"{nic.address}/{nic.prefix}", strict=False)
                self.put_network(nic.own.department, nic.network, str(block))
        super().create(spec)

    def networks(self, departments: Collection[str]) -> dict[str, frozenset[tuple[str, str]]]:
        with self._call("observe", None):
            return {code: frozenset(self._node.networks[code]) for code in departments if code in self._node.tenants}

    def remove_network(self, department: str, network: str, cidr: str) -> None:
        with self._call("remove_network", None):
            self._node.networks[department].discard((network, cidr))

    def remove_tenant(self, department: str) -> None:
        with self._call("remove_tenant", None):
            self._node.networks.pop(department, None)
            self._node.ingress.pop(department, None)
            if self._node.tenants.pop(department, None) is None:
                raise Missing(f"no department {department}")

    def _astray(self, department: str, wanted: frozenset[Ingress]) -> Astray:
        there = self._node.ingress[department]
        return Astray(wanted - there, frozenset(there - wanted))

    def _tenant(self, department: str) -> Tenant:
        return Tenant(str(uuid5(NAMESPACE_DNS, department)), dict(self._node.tenants[department]))


def connect(connection: Mapping[str, Any], state_dir: Path) -> FakeDriver:
    """Return a driver of the node `connection["node"]` (`default` where it names none) among those of `state_dir`; with
    `connection["cloud"]`, of one that works as clouds do."""
    node = _NODES[str(state_dir), str(connection.get("node", "default"))]
    node.by_itself = bool(connection.get("cloud", False))
    return FakeCloud(node) if node.by_itself else FakeDriver(node)


def _remains(machine: UUID, name: str) -> Machine:
    return Machine(machine, name, power="off", vcpu=0, memory_mib=0, disk_gib=0, image="", complete=False)


def _built(spec: MachineSpec) -> Machine:
    return Machine(
        id=spec.id,
        power=spec.power,
        vcpu=spec.vcpu,
        memory_mib=spec.memory_mib,
        disk_gib=spec.disk_gib,
        image=spec.image,
        boots=spec.boots,
        builds=spec.builds,
        data_disks=spec.data_disks,
        floating_address=spec.floating_address,
        **_label(spec),
    )


def _label(spec: MachineSpec) -> dict[str, Any]:
    """What every order writes down, whatever else it does."""
    return {
        "name": spec.name,
        "generation": spec.generation,
        "department": spec.department,
        "system": spec.system,
    }


def _match(image: OfferedImage, known: dict[str, int] | None) -> ImageMatch:
    name = image.source or image.code
    if known is None:
        return ImageMatch(image.code, name, name, "name")
    if name not in known:
        return ImageMatch(image.code, trouble="missing")
    if known[name] > image.min_disk_gib:
        return ImageMatch(image.code, name, name, "name", "too_large", known[name])
    return ImageMatch(image.code, name, name, "name")


def _must_be_ours(spec: MachineSpec, found: Machine | None) -> None:
    if spec.adopted and found is None:
        raise Rejected("fake.adopted", f"{spec.name} was adopted: there is no image to make it from")


def _disk_must_be_ours(found: Machine) -> None:
    if found.adopted:
        raise Rejected("fake.adopted", f"{found.name} was adopted: its disk is not ours")


def _must_not_shrink(found: Machine, spec: MachineSpec) -> None:
    has, wanted = (found.disk_gib, *found.data_disks), (spec.disk_gib, *spec.data_disks)
    if len(wanted) < len(has) or any(want < size for want, size in zip(wanted, has, strict=False)):
        raise Rejected("fake.disk_shrinks", f"its disks have {has} GiB, {wanted} were asked")


def _must_be_off(found: Machine) -> None:
    if found.power == "on":
        raise Rejected("fake.not_off", f"{found.name} is running; power it off first")
