"""What a department has at a VPN gateway: addresses for its tunnels, and what they reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netaddr import AddrFormatError, IPNetwork
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import audit, jobs, lookups
from controlplane.actor import Actor
from controlplane.conflicts import lock_row, refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, InUse, Invalid, Stale
from controlplane.ipam import BadBlock, overlap, version
from controlplane.kinds import KINDS
from controlplane.models import Pool, Resource, VpnGroup
from controlplane.vpn_blocks import lowest_block

CLIENTS = "clients"
"""In the connection of a gateway: the network of which groups get their blocks, in CIDR form."""


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group to be. `prefix`: how long the prefix of its block is; `cidr` names the block itself instead."""

    gateway: str
    department: str
    system: str | None = None
    prefix: int = 24
    cidr: str | None = None
    networks: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def create(session: Session, actor: Actor, new: NewGroup) -> VpnGroup:
    """Give a department, or one of its systems, a group at a gateway. Raises NotFound, AlreadyExists, Invalid."""
    gateway = lookups.pool_for(session, actor, new.gateway, "pool.write")
    if not KINDS[gateway.kind].batched:
        raise Invalid(field="gateway", reason=f"{gateway.code} is no VPN gateway")
    department = lookups.department_for(session, actor, new.department, "pool.write", keep=True)
    system = lookups.system_of(session, actor, department.id, new.system) if new.system else None
    # Two groups that are opened at once must not get one block.
    lock_row(session, gateway)
    _check_networks(new.networks)
    group = VpnGroup(
        id=new_id(),
        pool_id=gateway.id,
        department_id=department.id,
        system_id=system and system.id,
        name=f"{department.code}_{system.code}" if system else department.code,
        cidr=_block(session, gateway, new),
        networks=sorted(new.networks),
        **new.more,
    )
    group.pool, group.department, group.system = gateway, department, system
    _refuse_second(session, group)
    session.add(group)
    with refusing_duplicates("VPN group", group.name):
        session.flush()
    _said(session, actor, group, "create", {"gateway": gateway.code, "cidr": group.cidr, "networks": group.networks})
    jobs.enqueue_pools(session, [gateway.id], actor.trace)
    return group


def update(session: Session, actor: Actor, ref: Any, values: Mapping[str, Any], version: int | None = None) -> VpnGroup:
    """Change what a group reaches, its times, rates, rule and second factor. Raises NotFound, Stale, Invalid."""
    group = lookups.vpn_group_for(session, actor, ref, "pool.write", lock=True)
    if version is not None and version != group.version:
        raise Stale
    if "networks" in values:
        _check_networks(values["networks"])
        values = {**values, "networks": sorted(values["networks"])}
    for name, value in values.items():
        setattr(group, name, value)
    group.version += 1
    _said(session, actor, group, "update", {"after": dict(values)})
    session.flush()
    jobs.enqueue_pools(session, [group.pool_id], actor.trace)
    return group


def delete(session: Session, actor: Actor, ref: Any) -> None:
    """Take a group from its gateway. Raises NotFound; InUse where it carries accounts."""
    group = lookups.vpn_group_for(session, actor, ref, "pool.write", lock=True)
    carried = session.scalar(
        select(func.count()).where(
            Resource.pool_id == group.pool_id,
            Resource.department_id == group.department_id,
            Resource.system_id.is_not_distinct_from(group.system_id),
            Resource.deleted_at.is_(None),
        )
    )
    if carried:
        raise InUse(noun="VPN group", name=group.name, users=f"{carried} accounts")
    _said(session, actor, group, "delete", {})
    session.delete(group)
    session.flush()
    jobs.enqueue_pools(session, [group.pool_id], actor.trace)


def _block(session: Session, gateway: Pool, new: NewGroup) -> str:
    clients = gateway.connection.get(CLIENTS)
    if not clients:
        raise Invalid(field="gateway", reason=f"{gateway.code} says of no network for clients: connection.{CLIENTS}")
    taken = session.scalars(select(VpnGroup.cidr).where(VpnGroup.pool_id == gateway.id)).all()
    try:
        if new.cidr:
            if IPNetwork(new.cidr) not in IPNetwork(clients):
                raise Invalid(field="cidr", reason=f"{new.cidr} is not within {clients}")
            clash = overlap(new.cidr, taken)
            if clash:
                raise Invalid(field="cidr", reason=f"{new.cidr} overlaps {clash}, which another group has")
            return str(IPNetwork(new.cidr).cidr)
        return lowest_block(clients, new.prefix, taken)
    except (BadBlock, AddrFormatError, ValueError) as error:
        raise Invalid(field="cidr" if new.cidr else "prefix", reason=str(error)) from error


def _check_networks(networks: Sequence[str]) -> None:
    for number, network in enumerate(networks):
        try:
            version(network)
        except BadBlock as error:
            raise Invalid(field=f"networks.{number}", reason=str(error)) from error


def _refuse_second(session: Session, group: VpnGroup) -> None:
    same = select(VpnGroup.id).where(
        VpnGroup.pool_id == group.pool_id,
        VpnGroup.department_id == group.department_id,
        VpnGroup.system_id.is_not_distinct_from(group.system_id),
    )
    with session.no_autoflush:
        if session.scalar(same):
            raise AlreadyExists(noun="VPN group", name=group.name)


def _said(session: Session, actor: Actor, group: VpnGroup, verb: str, details: dict[str, Any]) -> None:
    act = audit.Act(f"vpn_group.{verb}", "vpn_group", group.id, group.name, group.department_id, details)
    audit.record(session, actor, [act])
