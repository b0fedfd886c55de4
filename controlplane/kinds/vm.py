"""Virtual machines: the ask, what it needs of quota, pool and subnet, and the order that a driver gets."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import ipam
from controlplane.errors import Invalid, NotFound, NotItsDisk, Refusal, RowsRefused
from controlplane.kinds.contract import Change, Kind, Placed, Prepared, Verb
from controlplane.models import Department, Flavor, Image, Resource, Subnet, System
from controlplane.placement import Need
from provisioners.contract import MachineSpec, Nic, dump_machine

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
SshKey = Annotated[
    str,
    StringConstraints(pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?$"),
]
Vcpu = Annotated[int, Field(ge=1, le=256, description="virtual processors")]
MemoryMib = Annotated[int, Field(ge=128, le=4 * 1024 * 1024, description="memory in MiB")]
DiskGib = Annotated[int, Field(ge=1, le=64 * 1024, description="disk in GiB")]


class VmSize(BaseModel):
    """A size: a flavor's code, or vcpu, memory_mib and disk_gib, never both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flavor: Code | None = None
    vcpu: Vcpu | None = None
    memory_mib: MemoryMib | None = None
    disk_gib: DiskGib | None = None

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> "VmSize":
        explicit = [self.vcpu, self.memory_mib, self.disk_gib]
        if (self.flavor is None) == all(size is None for size in explicit):
            raise ValueError("give either flavor, or vcpu, memory_mib and disk_gib")
        if self.flavor is None and any(size is None for size in explicit):
            raise ValueError("vcpu, memory_mib and disk_gib go together")
        return self


class VmSpec(VmSize):
    """A virtual machine as it is asked for. Its addresses are the lowest free ones of the subnets."""

    name: Code = Field(description="unique among the department's VMs")
    system: Code = Field(description="code of the business system that it serves")
    image: Code
    subnets: list[Code] = Field(min_length=1, max_length=2, description="one, or one of each address family")
    ssh_keys: list[SshKey] = Field(default_factory=list, max_length=16)
    user_data: str | None = Field(None, max_length=65536, description="cloud-init user data, passed on as it is")
    anti_affinity: Code | None = Field(None, description="VMs of a department that share this never share a pool")
    lease_until: AwareDatetime | None = None


class VmRebuild(BaseModel):
    """Start again from an image; without one, from the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: Code | None = None


def prepare(session: Session, department: Department, specs: Sequence[VmSpec]) -> list[Prepared]:
    """Resolve the codes of all asks with one read a table. Raises RowsRefused."""
    names = _Names(session, department, specs)
    prepared: list[Prepared] = []
    problems: list[tuple[int, Refusal]] = []
    for row, spec in enumerate(specs):
        try:
            prepared.append(_prepare_one(names, department, spec))
        except Refusal as refusal:
            problems.append((row, refusal))
    if problems:
        raise RowsRefused(problems)
    return prepared


class _Names:
    """The catalogue entries that a set of asks names, by code."""

    def __init__(self, session: Session, department: Department, specs: Sequence[VmSpec]) -> None:
        def by_code(model: Any, codes: Iterable[str], *where: Any, keep: bool = False) -> dict[str, Any]:
            statement = select(model).where(model.code.in_(set(codes)), *where)
            if keep:
                statement = statement.order_by(model.id).with_for_update(read=True, key_share=True)
            return {row.code: row for row in session.scalars(statement)}

        flavors = {s.flavor for s in specs if s.flavor}
        self.systems: dict[str, System] = by_code(
            System,
            (s.system for s in specs),
            System.department_id == department.id,
            System.deleted_at.is_(None),
            keep=True,
        )
        self.images: dict[str, Image] = by_code(Image, (s.image for s in specs), Image.offered)
        self.flavors: dict[str, Flavor] = by_code(Flavor, flavors, Flavor.offered) if flavors else {}
        self.subnets: dict[str, Subnet] = by_code(Subnet, (c for s in specs for c in s.subnets))


def _named(found: dict[str, Any], noun: str, code: str) -> Any:
    if code not in found:
        raise NotFound(noun=noun, name=code)
    return found[code]


def _size(spec: VmSize, flavors: dict[str, Flavor]) -> tuple[int, int, int]:
    if spec.flavor:
        flavor: Flavor = _named(flavors, "flavor", spec.flavor)
        return flavor.vcpu, flavor.memory_mib, flavor.disk_gib
    assert spec.vcpu and spec.memory_mib and spec.disk_gib  # noqa: S101 - VmSize saw to it
    return spec.vcpu, spec.memory_mib, spec.disk_gib


def demand(vcpu: int, memory_mib: int, disk_gib: int) -> dict[str, int]:
    """Return what one VM of this size takes of every class."""
    return {"vm": 1, "vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disk_gib}


def _prepare_one(names: _Names, department: Department, spec: VmSpec) -> Prepared:
    system: System = _named(names.systems, "system", spec.system)
    image: Image = _named(names.images, "image", spec.image)
    subnets: list[Subnet] = [_named(names.subnets, "subnet", code) for code in spec.subnets]
    vcpu, memory_mib, disk_gib = _size(spec, names.flavors)
    _check_disk(disk_gib, image)
    if len({ipam.version(s.cidr) for s in subnets}) < len(subnets):
        raise Invalid(field="subnets", reason="two subnets of one address family; give at most one of each")
    amounts = demand(vcpu, memory_mib, disk_gib)
    order = MachineSpec(
        id=UUID(int=0),
        name=spec.name,
        department=department.code,
        system=system.code,
        generation=1,
        vcpu=vcpu,
        memory_mib=memory_mib,
        disk_gib=disk_gib,
        image=image.code,
        image_source=image.source,
        ssh_keys=tuple(spec.ssh_keys),
        user_data=spec.user_data,
    )
    return Prepared(
        name=spec.name,
        system_id=system.id,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        demand=amounts,
        need=Need(spec.name, amounts, system.mlps_level, subnets[0].site_id, spec.anti_affinity),
        subnets=tuple(s.id for s in subnets),
        lease_until=spec.lease_until,
        wanted=partial(_wanted, order, subnets),
    )


def _check_disk(disk_gib: int, image: Image) -> None:
    if disk_gib < image.min_disk_gib:
        raise Invalid(field="disk_gib", reason=f"image {image.code} needs at least {image.min_disk_gib} GiB")


def _wanted(order: MachineSpec, subnets: Sequence[Subnet], placed: Placed) -> dict[str, Any]:
    nics = tuple(
        Nic(
            mac=_mac(placed.id, number),
            network=subnet.network,
            address=placed.addresses[subnet.id],
            prefix=ipam.prefix_length(subnet.cidr),
            gateway=subnet.gateway,
            dns=tuple(subnet.dns),
        )
        for number, subnet in enumerate(subnets)
    )
    return dump_machine(replace(order, id=placed.id, nics=nics))


def _mac(resource: UUID, number: int) -> str:
    """Derive a locally administered MAC address from the last 32, random, bits of the id, so it never changes."""
    tail = ((resource.int & 0xFFFFFFFF) + number) & 0xFFFFFFFF
    return ":".join(("52", "54", *(f"{byte:02x}" for byte in tail.to_bytes(4, "big"))))


def _power(power: str, _session: Session, vm: Resource, _body: None) -> Change:
    return Change(vm.spec, {**vm.wanted, "power": power}, vm.demand)


def _reboot(_session: Session, vm: Resource, _body: None) -> Change:
    return Change(vm.spec, {**vm.wanted, "power": "on", "boots": vm.wanted["boots"] + 1}, vm.demand)


def _again(_session: Session, vm: Resource, _body: None) -> Change:
    return Change(vm.spec, vm.wanted, vm.demand)


def _resize(session: Session, vm: Resource, body: VmSize) -> Change:
    flavors = {f.code: f for f in session.scalars(select(Flavor).where(Flavor.code == body.flavor, Flavor.offered))}
    vcpu, memory_mib, disk_gib = _size(body, flavors)
    if disk_gib < vm.wanted["disk_gib"]:
        raise Invalid(field="disk_gib", reason=f"a disk cannot shrink; it has {vm.wanted['disk_gib']} GiB")
    if disk_gib > vm.wanted["disk_gib"]:
        _check_its_disk(vm)
    size = {"vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disk_gib}
    kept = {k: v for k, v in vm.spec.items() if k not in {"flavor", *size}}
    return Change(kept | body.model_dump(exclude_none=True), vm.wanted | size, demand(**size))


def _check_its_disk(vm: Resource) -> None:
    if vm.wanted.get("adopted"):
        raise NotItsDisk(name=vm.name)


def _rebuild(session: Session, vm: Resource, body: VmRebuild) -> Change:
    _check_its_disk(vm)
    code = body.image or vm.wanted["image"]
    image = session.scalar(select(Image).where(Image.code == code, Image.offered))
    if image is None:
        raise NotFound(noun="image", name=code)
    _check_disk(vm.wanted["disk_gib"], image)
    wanted = vm.wanted | {"image": code, "image_source": image.source, "builds": vm.wanted["builds"] + 1}
    return Change(vm.spec | {"image": code}, wanted, vm.demand)


VM = Kind(
    name="vm",
    classes=("vm", "vcpu", "memory_mib", "disk_gib"),
    drivers=("libvirt", "fake"),
    spec=VmSpec,
    prepare=prepare,
    verbs={
        "start": Verb(frozenset({"stopped", "faulted"}), partial(_power, "on")),
        "stop": Verb(frozenset({"running", "faulted"}), partial(_power, "off")),
        "reboot": Verb(frozenset({"running"}), _reboot),
        "resize": Verb(frozenset({"running", "stopped", "faulted"}), _resize, VmSize),
        "rebuild": Verb(frozenset({"running", "stopped", "faulted"}), _rebuild, VmRebuild),
        "retry": Verb(frozenset({"faulted"}), _again),
    },
)
