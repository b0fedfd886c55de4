"""Floating addresses of virtual machines: which subnets have them, and giving one to a machine or taking it away."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane import claims, ipam
from controlplane.capacity import FLOATING
from controlplane.errors import HasFloating, HasNoFloating, Invalid, NoFloating, NotFound
from controlplane.kinds.contract import Change
from controlplane.models import Resource
from quotas import wire


class Subnet(Protocol):
    """A subnet as far as it matters whether it is floating."""

    @property
    def code(self) -> str: ...
    @property
    def site(self) -> UUID: ...
    @property
    def cidr(self) -> str: ...
    @property
    def floating(self) -> bool: ...


class _Named(NamedTuple):
    id: UUID
    code: str
    site: UUID
    cidr: str
    network: str
    floating: bool


def check(subnets: Sequence[Subnet], floating: Subnet | None) -> None:
    """Raise Invalid where a floating subnet is to be on a card, or an ordinary one to be floating; and where a floating
    address would have nothing to lead to: no IPv4 address at its own site."""
    for subnet in subnets:
        if subnet.floating:
            reason = f"{subnet.code} has floating addresses, which are on no card; name it as floating_subnet"
            raise Invalid(field="subnets", reason=reason)
    if floating is None:
        return
    _must_float(floating, "floating_subnet")
    if all(ipam.version(subnet.cidr) != 4 for subnet in subnets):
        raise Invalid(field="floating_subnet", reason=_NO_IPV4)
    _must_be_at(floating, subnets[0].site, "floating_subnet")


def could_have(vm: Resource) -> bool:
    """Tell whether a machine has no floating address and is in a pool where it could have one: we made its ports."""
    return not has_one(vm) and not vm.wanted.get("adopted") and vm.pool.driver in FLOATING


def has_one(vm: Resource) -> bool:
    """Tell whether a machine has a floating address."""
    return bool(vm.wanted.get("floating"))


def give(session: Session, vm: Resource, body: Any) -> Change:
    """Return the change that gives a machine the lowest free address of the floating subnet `body.subnet`.

    Raises NotFound, Invalid, NoAddress; HasFloating where it has one, NoFloating where its pool has none.
    """
    if has_one(vm):
        raise HasFloating(name=vm.name, address=vm.wanted["floating"]["address"])
    if not could_have(vm):
        raise NoFloating(name=vm.name)
    found = wire.run(session, _NAMED, {"code": body.subnet}).fetchall()
    if not found:
        raise NotFound(noun="subnet", name=body.subnet)
    subnet = _Named(*found[0])
    _must_float(subnet, "subnet")
    if all(":" in nic["address"] for nic in vm.wanted["nics"]):
        raise Invalid(field="subnet", reason=_NO_IPV4)
    _must_be_at(subnet, vm.pool.site_id, "subnet")
    address, taken = _address(session, vm, subnet.id)
    wanted = {**vm.wanted, "floating": {"address": address, "network": subnet.network}}
    return Change({**vm.spec, "floating_subnet": subnet.code}, wanted, vm.demand, taken)


def take_away(_session: Session, vm: Resource, _body: None) -> Change:
    """Return the change that takes a machine's floating address away; it is given back when that is done. Raises
    HasNoFloating."""
    if not has_one(vm):
        raise HasNoFloating(name=vm.name)
    spec = {name: value for name, value in vm.spec.items() if name != "floating_subnet"}
    return Change(spec, {**vm.wanted, "floating": None}, vm.demand)


def _must_float(subnet: Subnet | _Named, field: str) -> None:
    if not subnet.floating:
        raise Invalid(field=field, reason=f"the addresses of {subnet.code} are none that float; choose another subnet")


def _must_be_at(subnet: Subnet | _Named, site: UUID, field: str) -> None:
    if subnet.site != site:
        raise Invalid(field=field, reason=f"{subnet.code} is at another site than the machine")


def _address(session: Session, vm: Resource, subnet: UUID) -> tuple[str, Mapping[UUID, str]]:
    """Return an address and what is to be claimed: nothing where it is one that was taken away and not given back."""
    chosen = claims.choose(session, {subnet: 1})
    kept = wire.run(session, _KEPT, {"subnet": subnet, "resource": vm.id}).fetchall()
    if kept:
        return kept[0][0], {}
    address = chosen()[subnet][0]
    return address, {subnet: address}


_NO_IPV4 = "a floating address leads to an IPv4 address, and the machine has none"

_NAMED = "SELECT id, code, site_id, cidr, network, floating FROM subnets WHERE code = %(code)s"

_KEPT = """
    SELECT host(address) FROM claims WHERE subnet_id = %(subnet)s AND resource_id = %(resource)s
    ORDER BY address LIMIT 1
"""
