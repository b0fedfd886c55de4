"""Virtual machines that were found otherwise than recorded: what was found as a record, and taking over a stranger."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.errors import Invalid, NotFound
from controlplane.kinds import vm_snapshots
from controlplane.kinds.contract import Adopted, Change, Found, Owner
from controlplane.kinds.names import Code
from controlplane.kinds.vm import demand
from controlplane.models import Resource, System
from provisioners.contract import MachineSpec, dump_machine

_SIZES = ("vcpu", "memory_mib", "disk_gib")
_NAME = TypeAdapter(Code)


class VmAdoption(BaseModel):
    """Whose a machine is to be that somebody else made. Its sizes are those that were found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    department: Code
    system: Code = Field(description="code of the department's business system that it serves")
    name: Code | None = Field(None, description="the name that it has on its hypervisor where this is left out")
    addresses: dict[Code, Annotated[str, Field(max_length=45)]] = Field(
        default_factory=dict, max_length=2, description="addresses that it has, by the code of their subnet"
    )
    disk_gib: int | None = Field(
        None, ge=0, le=64 * 1024, description="its disks in all, in GiB; only where the hypervisor could not tell"
    )


def accept(vm: Resource, observed: Mapping[str, Any]) -> Change:
    """Return the change that makes the record as the machine was found. Raises Invalid."""
    wanted = {**vm.wanted, **observed}
    spec = dict(vm.spec)
    if observed.keys() & set(_SIZES):
        spec = {key: value for key, value in spec.items() if key != "flavor"} | {s: wanted[s] for s in _SIZES}
    data: list[int] = wanted.get("data_disks", [])
    if 0 in data:
        reason = f"data disk {data.index(0) + 1} is gone from before another; repair gives it an empty one"
        raise Invalid(field="data_disks", reason=reason)
    if "data_disks" in observed:
        spec["data_disks"] = data
    size = {name: wanted[name] for name in _SIZES}
    return Change(spec, wanted, demand(**size, data_disks=data, snapshots=vm_snapshots.sizes(vm)))


def adopt(session: Session, department: Owner, ask: VmAdoption, machine: UUID, observed: Mapping[str, Any]) -> Adopted:
    """Return what the record of a machine will say that was found with `observed`. Raises NotFound, Invalid."""
    system = session.scalar(
        select(System)
        .where(System.department_id == department.id, System.code == ask.system, System.deleted_at.is_(None))
        .with_for_update(read=True, key_share=True)
    )
    if system is None:
        raise NotFound(noun="system", name=ask.system)
    name = ask.name or _own_name(str(observed["name"]))
    size = {"vcpu": observed["vcpu"], "memory_mib": observed["memory_mib"], "disk_gib": _disk(ask, observed)}
    data: list[int] = observed.get("data_disks", [])
    order = MachineSpec(
        id=machine,
        name=name,
        department=department.code,
        system=system.code,
        generation=1,
        image="",
        power=observed["power"],
        adopted=True,
        data_disks=tuple(data),
        **size,
    )
    spec = {"name": name, "system": system.code, "image": "", "subnets": sorted(ask.addresses), "adopted": True, **size}
    if data:
        spec["data_disks"] = data
    demanded = demand(**size, data_disks=data)
    return Adopted(name, system.id, system.mlps_level, spec, dump_machine(order), demanded, ask.addresses)


def _own_name(name: str) -> str:
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        raise Invalid(field="name", reason=f"{name!r} cannot be its name here; give one") from error


def _disk(ask: VmAdoption, observed: Mapping[str, Any]) -> int:
    found = int(observed["disk_gib"])
    if found and ask.disk_gib not in {None, found}:
        raise Invalid(field="disk_gib", reason=f"it was found to have {found} GiB; leave this out")
    if not found and ask.disk_gib is None:
        raise Invalid(field="disk_gib", reason="the hypervisor could not tell how large its disks are; say so")
    return found or int(ask.disk_gib or 0)


_ACCEPTABLE = frozenset({"power", "boots", "builds", "data_disks", *_SIZES})

VM_FOUND = Found(acceptable=_ACCEPTABLE, accept=accept, adoption=VmAdoption, adopt=adopt)
