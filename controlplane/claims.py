"""Taking and giving back addresses under the subnet's row lock. Subnets are locked in id order, before any account."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from controlplane.errors import AddressTaken, Invalid, NoAddress, NotFound
from controlplane.ipam import Block, can_give, lowest_free, successor
from controlplane.models import Claim, Subnet
from quotas import wire
from quotas.pipeline import Reply

_AT_ONCE = 256


def block_of(subnet: Subnet) -> Block:
    """Return the subnet as `ipam` wants it."""
    return Block(subnet.cidr, subnet.gateway, (*subnet.reserved, *subnet.excluded))


def choose(session: Session, wanted: Mapping[UUID, int]) -> Callable[[], dict[UUID, list[str]]]:
    """Lock the subnets of `wanted` (id -> how many addresses); what is returned gives the lowest free ones of each.

    Two steps, so that in a pipeline the caller can send more before it waits. The addresses are the caller's until its
    transaction ends; `taking` writes them down. The second step raises NoAddress; NotFound where a subnet was removed
    since the caller read it.
    """
    ids = {"ids": wire.ids(wanted)}
    locked = wire.run(session, _LOCK, ids)
    # A statement of its own, after the lock: it sees what those before us in the queue have taken.
    claimed = wire.run(session, _CLAIMED, {**ids, "limit": _AT_ONCE})
    return partial(_chosen, session, wanted, locked, claimed)


def _chosen(session: Session, wanted: Mapping[UUID, int], locked: Reply, claimed: Reply) -> dict[UUID, list[str]]:
    subnets = [
        _Locked(id_, code, Block(cidr, gateway, tuple(kept)), start) for id_, code, start, cidr, gateway, kept in locked
    ]
    gone = wanted.keys() - {subnet.id for subnet in subnets}
    if gone:
        raise NotFound(noun="subnet", name=str(min(gone)))
    taken: dict[UUID, list[str]] = defaultdict(list)
    for subnet_id, address in claimed:
        taken[subnet_id].append(address)
    return {subnet.id: _lowest(session, subnet, taken[subnet.id], wanted[subnet.id]) for subnet in subnets}


def taking(rows: Sequence[tuple[UUID, str, UUID]]) -> wire.Write:
    """Return what writes down claims: (subnet, address, resource), in the order in which `choose` gave them."""
    last = {subnet: address for subnet, address, _ in rows}
    claimed, taken = _TAKEN.rows(rows)
    onward, first_free = _ONWARD.rows([(subnet, successor(address)) for subnet, address in last.items()])
    return wire.Write((*claimed, *onward), {**taken, **first_free})


def choose_these(session: Session, wanted: Mapping[str, str], lineage: Sequence[UUID]) -> list[tuple[UUID, str]]:
    """Lock the subnets of `wanted` (code -> address) and return (subnet, address) for `take`: addresses that somebody
    has already in fact, of a department of this `lineage`. Raises NotFound, AddressTaken, Invalid for one that the
    subnet cannot give."""
    usable = Subnet.department_id.is_(None) | Subnet.department_id.in_(lineage)
    statement = select(Subnet).where(Subnet.code.in_(wanted), usable).order_by(Subnet.id).with_for_update()
    subnets = session.scalars(statement.execution_options(populate_existing=True)).all()
    gone = wanted.keys() - {subnet.code for subnet in subnets}
    if gone:
        raise NotFound(noun="subnet", name=min(gone))
    for subnet in subnets:
        address = wanted[subnet.code]
        if subnet.floating:
            raise Invalid(field=f"addresses.{subnet.code}", reason="a floating address is on no card of a machine")
        if not can_give(block_of(subnet), address):
            raise Invalid(field=f"addresses.{subnet.code}", reason=f"{address} is no address that this subnet gives")
        taken = select(Claim.address).where(Claim.subnet_id == subnet.id, Claim.address == func.inet(address))
        if session.scalar(taken):
            raise AddressTaken(address=address, subnet=subnet.code)
    return [(subnet.id, wanted[subnet.code]) for subnet in subnets]


def take(session: Session, rows: Sequence[tuple[UUID, str, UUID]]) -> None:
    """Write down claims: (subnet, address, resource), of addresses that `choose_these` returned in this transaction."""
    if rows:
        session.execute(insert(Claim), [{"subnet_id": s, "address": a, "resource_id": r} for s, a, r in rows])


def release(session: Session, resource: UUID) -> list[str]:
    """Give back every address of a resource that is confirmed gone; return them."""
    return _give_back(session, Claim.resource_id == resource)


def release_floating(session: Session, resource: UUID, kept: str | None) -> list[str]:
    """Give back the floating addresses of a resource that are confirmed not to lead to it any more, all but `kept`;
    return them."""
    floating = Claim.subnet_id.in_(select(Subnet.id).where(Subnet.floating))
    return _give_back(session, Claim.resource_id == resource, floating, Claim.written().is_distinct_from(kept))


def _give_back(session: Session, *those: ColumnElement[bool]) -> list[str]:
    held = select(Claim.subnet_id).where(*those)
    subnets = session.scalars(select(Subnet).where(Subnet.id.in_(held)).order_by(Subnet.id).with_for_update())
    by_id = {subnet.id: subnet for subnet in subnets}
    if not by_id:
        return []
    gone = session.execute(delete(Claim).where(*those).returning(Claim.subnet_id, func.host(Claim.address))).all()
    for subnet_id, address in gone:
        # inet compares addresses of one family by value, whatever they look like written out.
        session.execute(
            update(Subnet)
            .where(Subnet.id == subnet_id, func.inet(Subnet.first_free) > func.inet(address))
            .values(first_free=address)
        )
        session.expire(by_id[subnet_id])
    return [str(address) for _, address in gone]


@dataclass(frozen=True, slots=True)
class _Locked:
    id: UUID
    code: str
    block: Block
    first_free: str


def _lowest(session: Session, subnet: _Locked, taken: list[str], count: int) -> list[str]:
    """Look through the claims from `first_free` on, some hundred at a time, until there are gaps enough."""
    found: list[str] = []
    start = subnet.first_free
    while True:
        last = taken[-1] if len(taken) == _AT_ONCE else None
        found += lowest_free(subnet.block, taken, count - len(found), start, last)
        if len(found) == count:
            return found
        if last is None:
            raise NoAddress(subnet=subnet.code, free=len(found), asked=count)
        start = successor(last)
        more = wire.run(session, _CLAIMED_FROM, {"subnet": subnet.id, "start": start, "limit": _AT_ONCE})
        taken = [address for (address,) in more]


_LOCK = """
    SELECT id, code, first_free, cidr, gateway, reserved || excluded FROM subnets
    WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR UPDATE
"""

_CLAIMED = "SELECT subnet, taken FROM taken_addresses(%(ids)s::uuid[], %(limit)s::integer)"

_CLAIMED_FROM = "SELECT taken_addresses_from(%(subnet)s, %(start)s::inet, %(limit)s::integer)"

_TAKEN = wire.Taking(
    "taken",
    (("subnet", "uuid"), ("address", "inet"), ("resource", "uuid")),
    (("claimed", "INSERT INTO claims (subnet_id, address, resource_id) SELECT * FROM {taken}"),),
)

_ONWARD = wire.Taking(
    "next",
    (("subnet", "uuid"), ("first_free", "text")),
    (
        (
            "onward",
            """
            UPDATE subnets s SET first_free = next.first_free, updated_at = now()
            FROM {next} WHERE s.id = next.subnet
            """,
        ),
    ),
)
