"""Virtual machines: the ask, what it needs of quota, pool and subnet, and the order that a driver gets."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from controlplane import ipam
from controlplane.errors import Invalid, NotFound, NotItsDisk, Refusal, RowsRefused
from controlplane.kinds import vm_floating, vm_snapshots
from controlplane.kinds.contract import Change, Kind, Owner, Placed, Prepared, Verb
from controlplane.kinds.names import Code
from controlplane.models import Resource
from controlplane.placement import Need, Wish
from provisioners.contract import MOST_DATA_DISKS, Floating, MachineSpec, Nic, OwnNetwork, dump_machine
from quotas import wire
from quotas.pipeline import Reply

T = TypeVar("T")

SshKey = Annotated[
    str,
    StringConstraints(pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?$"),
]
Vcpu = Annotated[int, Field(ge=1, le=256, description="virtual processors")]
MemoryMib = Annotated[int, Field(ge=128, le=4 * 1024 * 1024, description="memory in MiB")]
DiskGib = Annotated[int, Field(ge=1, le=64 * 1024, description="disk in GiB")]


class _Sized(BaseModel):
    """A size: a flavor's code, or vcpu, memory_mib and disk_gib, never both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flavor: Code | None = None
    vcpu: Vcpu | None = None
    memory_mib: MemoryMib | None = None
    disk_gib: DiskGib | None = None

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        explicit = [self.vcpu, self.memory_mib, self.disk_gib]
        if (self.flavor is None) == all(size is None for size in explicit):
            raise ValueError("give either flavor, or vcpu, memory_mib and disk_gib")
        if self.flavor is None and any(size is None for size in explicit):
            raise ValueError("vcpu, memory_mib and disk_gib go together")
        return self


class VmSize(_Sized):
    """Another size: a flavor's code, or vcpu, memory_mib and disk_gib, never both; and data disks, where there are to
    be larger ones or more."""

    data_disks: list[DiskGib] | None = Field(
        None,
        max_length=MOST_DATA_DISKS,
        description="sizes of all its data disks in GiB, in their order: each may grow, and more may follow; they stay"
        " as they are where this is left out",
    )


class VmSpec(_Sized):
    """A virtual machine as it is asked for. Its addresses are the lowest free ones of the subnets."""

    name: Code = Field(description="unique among the department's VMs")
    system: Code = Field(description="code of the business system that it serves")
    image: Code
    data_disks: list[DiskGib] = Field(
        default_factory=list,
        max_length=MOST_DATA_DISKS,
        description="sizes of further disks in GiB, in the order in which the guest sees them; a rebuild keeps them",
    )
    subnets: list[Code] = Field(min_length=1, max_length=2, description="one, or one of each address family")
    floating_subnet: Code | None = Field(
        None, description="a subnet of floating addresses: by the lowest free one it is reached from other networks"
    )
    ssh_keys: list[SshKey] = Field(default_factory=list, max_length=16)
    user_data: str | None = Field(None, max_length=65536, description="cloud-init user data, passed on as it is")
    anti_affinity: Code | None = Field(None, description="VMs of a department that share this never share a hypervisor")
    lease_until: AwareDatetime | None = None


class VmRebuild(BaseModel):
    """Start again from an image; without one, from the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: Code | None = None


class VmFloat(BaseModel):
    """A floating address for a machine: the lowest free one of a subnet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subnet: Code = Field(description="code of a subnet of floating addresses")


def prepare(session: Session, department: UUID, specs: Sequence[VmSpec]) -> Callable[[Owner], list[Prepared]]:
    """Ask for all that the specs name by code, with one read a table; what is returned resolves them.

    The second step raises RowsRefused.
    """
    named = _named_by(session, department, specs)

    def resolve(owner: Owner) -> list[Prepared]:
        names = _Names(session, named, owner)
        prepared: list[Prepared] = []
        problems: list[tuple[int, Refusal]] = []
        for row, spec in enumerate(specs):
            try:
                prepared.append(_prepare_one(names, owner, spec))
            except Refusal as refusal:
                problems.append((row, refusal))
        if problems:
            raise RowsRefused(problems)
        return prepared

    return resolve


def wish(specs: Sequence[VmSpec]) -> Wish:
    """Return what the specs tell of the pools that they need; what a flavor takes is not known yet."""
    systems, subnets = {spec.system for spec in specs}, {code for spec in specs for code in spec.subnets}
    sizes = [
        (s.vcpu, s.memory_mib, s.disk_gib + sum(s.data_disks)) for s in specs if s.vcpu and s.memory_mib and s.disk_gib
    ]
    known = len(sizes) == len(specs)
    amounts = demand(*(min(size) for size in zip(*sizes, strict=True))) if known else {}
    return Wish(frozenset(systems), frozenset(subnets), amounts)


class _System(NamedTuple):
    code: str
    id: UUID
    mlps_level: int


class _Image(NamedTuple):
    code: str
    source: str | None
    min_disk_gib: int


class _Flavor(NamedTuple):
    code: str
    vcpu: int
    memory_mib: int
    disk_gib: int


class _Subnet(NamedTuple):
    code: str
    id: UUID
    site: UUID
    cidr: str
    network: str
    gateway: str | None
    dns: list[str]
    floating: bool
    owner: str | None


def _named_by(session: Session, department: UUID, specs: Sequence[VmSpec]) -> Reply:
    """Ask for the catalogue entries that a set of asks names. The systems are kept from being closed meanwhile."""
    codes = {
        "department": department,
        "systems": wire.words({s.system for s in specs}),
        "images": wire.words({s.image for s in specs}),
        "flavors": wire.words({s.flavor for s in specs if s.flavor}),
        "subnets": wire.words({c for s in specs for c in (*s.subnets, s.floating_subnet) if c}),
    }
    return wire.run(session, _NAMED, codes)


class _Names:
    """The catalogue entries that a set of asks of a department names, by code; a subnet that is another department's
    own is none."""

    def __init__(self, session: Session, named: Reply, department: Owner) -> None:
        [(systems, images, flavors, subnets)] = named
        self.systems = {code: _System(code, UUID(id_), level) for code, id_, level in systems}
        self.images = {row[0]: _Image(*row) for row in images}
        self.flavors = {row[0]: _Flavor(*row) for row in flavors}
        owners = {UUID(row[-1]) for row in subnets if row[-1]}
        codes = _codes(session, department, owners) if owners else {}
        self.subnets = {
            code: _Subnet(code, UUID(id_), UUID(site), cidr, network, gateway, dns, floating, codes.get(owner or ""))
            for code, id_, site, cidr, network, gateway, dns, floating, owner in subnets
            if owner is None or owner in codes
        }


def _codes(session: Session, department: Owner, owners: set[UUID]) -> dict[str, str]:
    """Return the codes of those of the owners that the department is or is below, by their ids as JSON has them."""
    above = owners.intersection(department.lineage)
    return {str(id_): code for id_, code in wire.run(session, _CODES, {"ids": wire.ids(above)})}


_NAMED = """
    WITH kept AS (
        SELECT code, id, mlps_level FROM systems
        WHERE department_id = %(department)s AND deleted_at IS NULL
        AND code = ANY(%(systems)s::text[])
        ORDER BY id FOR KEY SHARE
    )
    SELECT (SELECT coalesce(json_agg(json_build_array(code, id, mlps_level)), '[]') FROM kept),
           (SELECT coalesce(json_agg(json_build_array(code, source, min_disk_gib)), '[]')
            FROM images WHERE code = ANY(%(images)s::text[]) AND offered),
           (SELECT coalesce(json_agg(json_build_array(code, vcpu, memory_mib, disk_gib)), '[]')
            FROM flavors WHERE code = ANY(%(flavors)s::text[]) AND offered),
           (SELECT coalesce(json_agg(json_build_array(
                code, id, site_id, cidr, network, gateway, dns, floating, department_id
            )), '[]')
            FROM subnets WHERE code = ANY(%(subnets)s::text[]))
"""
_CODES = "SELECT id, code FROM departments WHERE id = ANY(%(ids)s::uuid[])"
_IMAGE = "SELECT code, source, min_disk_gib FROM images WHERE code = %(code)s AND offered"
_FLAVOR = "SELECT code, vcpu, memory_mib, disk_gib FROM flavors WHERE code = %(code)s AND offered"


def _named(found: Mapping[str, T], noun: str, code: str) -> T:
    if code not in found:
        raise NotFound(noun=noun, name=code)
    return found[code]


def _size(spec: _Sized, flavors: Mapping[str, _Flavor]) -> tuple[int, int, int]:
    if spec.flavor:
        flavor = _named(flavors, "flavor", spec.flavor)
        return flavor.vcpu, flavor.memory_mib, flavor.disk_gib
    assert spec.vcpu and spec.memory_mib and spec.disk_gib  # noqa: S101 - VmSize saw to it
    return spec.vcpu, spec.memory_mib, spec.disk_gib


def demand(
    vcpu: int, memory_mib: int, disk_gib: int, data_disks: Sequence[int] = (), snapshots: Sequence[int] = ()
) -> dict[str, int]:
    """Return what one VM of this size takes of every class; its disks and what is kept of them are of one."""
    disks = disk_gib + sum(data_disks) + sum(snapshots)
    return {"vm": 1, "vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disks}


def _prepare_one(names: _Names, department: Owner, spec: VmSpec) -> Prepared:
    system = _named(names.systems, "system", spec.system)
    image = _named(names.images, "image", spec.image)
    subnets = [_named(names.subnets, "subnet", code) for code in spec.subnets]
    vcpu, memory_mib, disk_gib = _size(spec, names.flavors)
    _check_disk(disk_gib, image)
    if len({ipam.version(s.cidr) for s in subnets}) < len(subnets):
        raise Invalid(field="subnets", reason="two subnets of one address family; give at most one of each")
    floating = _named(names.subnets, "subnet", spec.floating_subnet) if spec.floating_subnet else None
    vm_floating.check(subnets, floating)
    amounts = demand(vcpu, memory_mib, disk_gib, spec.data_disks)
    order = partial(
        MachineSpec,
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
        spread_group=spec.anti_affinity,
        data_disks=tuple(spec.data_disks),
    )
    return Prepared(
        name=spec.name,
        system_id=system.id,
        spec=spec.model_dump(mode="json", exclude_unset=True),
        demand=amounts,
        need=Need(
            *(spec.name, amounts, system.mlps_level, subnets[0].site, spec.anti_affinity), floating=floating is not None
        ),
        subnets={s.id: s.code for s in (*subnets, floating) if s},
        lease_until=spec.lease_until,
        wanted=partial(_wanted, order, subnets, floating),
    )


def _check_disk(disk_gib: int, image: _Image) -> None:
    if disk_gib < image.min_disk_gib:
        raise Invalid(field="disk_gib", reason=f"image {image.code} needs at least {image.min_disk_gib} GiB")


def _wanted(
    order: Callable[..., MachineSpec], subnets: Sequence[_Subnet], floating: _Subnet | None, placed: Placed
) -> dict[str, Any]:
    nics = tuple(
        Nic(
            mac=_mac(placed.id, number),
            network=subnet.network,
            address=placed.addresses[subnet.id],
            prefix=ipam.prefix_length(subnet.cidr),
            gateway=subnet.gateway,
            dns=tuple(subnet.dns),
            own=_own(subnet),
        )
        for number, subnet in enumerate(subnets)
    )
    from_outside = Floating(placed.addresses[floating.id], floating.network) if floating else None
    return dump_machine(order(id=placed.id, nics=nics, floating=from_outside))


def _own(subnet: _Subnet) -> OwnNetwork | None:
    if subnet.owner is None:
        return None
    return OwnNetwork(subnet.owner, *ipam.of_its_network(subnet.cidr, subnet.gateway))


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
    flavors = wire.run(session, _FLAVOR, {"code": body.flavor})
    vcpu, memory_mib, disk_gib = _size(body, {row[0]: _Flavor(*row) for row in flavors})
    if disk_gib < vm.wanted["disk_gib"]:
        raise Invalid(field="disk_gib", reason=f"a disk cannot shrink; it has {vm.wanted['disk_gib']} GiB")
    if disk_gib > vm.wanted["disk_gib"]:
        _check_its_disk(vm)
    size = {"vcpu": vcpu, "memory_mib": memory_mib, "disk_gib": disk_gib}
    kept = {k: v for k, v in vm.spec.items() if k not in {"flavor", *size}}
    data = _resized_data_disks(vm, body.data_disks)
    wanted = vm.wanted | size | {"data_disks": data}
    taken = demand(**size, data_disks=data, snapshots=vm_snapshots.sizes(vm))
    return Change(kept | body.model_dump(exclude_none=True), wanted, taken)


def _resized_data_disks(vm: Resource, asked: list[int] | None) -> list[int]:
    has: list[int] = vm.wanted.get("data_disks", [])
    if asked is None or asked == has:
        return has
    if len(asked) < len(has):
        sizes = " and ".join(map(str, has))
        raise Invalid(
            field="data_disks",
            reason=f"a data disk cannot be removed; give the sizes of all that it has ({sizes} GiB), then new ones",
        )
    for number, (gib, least) in enumerate(zip(asked, has, strict=False), 1):
        if gib < least:
            raise Invalid(field="data_disks", reason=f"data disk {number} cannot shrink; it has {least} GiB")
    _check_its_disk(vm)
    return asked


def _check_its_disk(vm: Resource) -> None:
    if vm.wanted.get("adopted"):
        raise NotItsDisk(name=vm.name)


def _rebuild(session: Session, vm: Resource, body: VmRebuild) -> Change:
    _check_its_disk(vm)
    code = body.image or vm.wanted["image"]
    images = wire.run(session, _IMAGE, {"code": code})
    image = _named({row[0]: _Image(*row) for row in images}, "image", code)
    _check_disk(vm.wanted["disk_gib"], image)
    fresh = {"image": code, "image_source": image.source, "restored": None}
    wanted = vm.wanted | fresh | {"builds": vm.wanted["builds"] + 1}
    return Change(vm.spec | {"image": code}, wanted, vm.demand)


VM = Kind(
    name="vm",
    classes=("vm", "vcpu", "memory_mib", "disk_gib"),
    drivers=("libvirt", "openstack", "fake"),
    spec=VmSpec,
    prepare=prepare,
    wish=wish,
    halted={"power": "off"},
    verbs={
        "start": Verb(frozenset({"stopped", "faulted"}), partial(_power, "on")),
        "stop": Verb(frozenset({"running", "faulted"}), partial(_power, "off")),
        "reboot": Verb(frozenset({"running"}), _reboot),
        "resize": Verb(frozenset({"running", "stopped", "faulted"}), _resize, VmSize),
        "rebuild": Verb(frozenset({"running", "stopped", "faulted"}), _rebuild, VmRebuild),
        "float": Verb(
            frozenset({"running", "stopped", "faulted"}), vm_floating.give, VmFloat, suits=vm_floating.could_have
        ),
        "unfloat": Verb(frozenset({"running", "stopped", "faulted"}), vm_floating.take_away, suits=vm_floating.has_one),
        "snapshot": Verb(
            frozenset({"running", "stopped"}),
            vm_snapshots.take,
            vm_snapshots.VmSnapshot,
            suits=vm_snapshots.could_have,
        ),
        "restore": Verb(
            frozenset({"running", "stopped", "faulted"}),
            vm_snapshots.restore,
            vm_snapshots.VmOfSnapshot,
            suits=vm_snapshots.has_any,
        ),
        "drop_snapshot": Verb(
            frozenset({"running", "stopped", "faulted"}),
            vm_snapshots.drop,
            vm_snapshots.VmOfSnapshot,
            suits=vm_snapshots.has_any,
        ),
        "retry": Verb(frozenset({"faulted"}), _again),
    },
)
