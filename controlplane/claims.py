"""Taking and giving back addresses under the subnet's row lock. Subnets are locked in id order, before any account."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from controlplane.errors import AddressTaken, Invalid, NoAddress, NotFound
from controlplane.ipam import Block, can_give, lowest_free, successor
from controlplane.models import Claim, Subnet

_AT_ONCE = 256


def block_of(subnet: Subnet) -> Block:
    """Return the subnet as `ipam` wants it."""
    return Block(subnet.cidr, subnet.gateway, (*subnet.reserved, *subnet.excluded))


def choose(session: Session, wanted: Mapping[UUID, int]) -> dict[UUID, list[str]]:
    """Lock the subnets of `wanted` (id -> how many addresses) and return the lowest free addresses of each.

    They are the caller's until its transaction ends; `take` writes them down. Raises NoAddress; NotFound where a
    subnet was removed since the caller read it.
    """
    statement = select(Subnet).where(Subnet.id.in_(wanted)).order_by(Subnet.id).with_for_update()
    # What the session read of a subnet before it had the lock is out of date: `first_free` may be lower by now.
    subnets = session.scalars(statement.execution_options(populate_existing=True)).all()
    gone = wanted.keys() - {subnet.id for subnet in subnets}
    if gone:
        raise NotFound(noun="subnet", name=str(min(gone)))
    return {subnet.id: _lowest(session, subnet, wanted[subnet.id]) for subnet in subnets}


def choose_these(session: Session, wanted: Mapping[str, str]) -> list[tuple[UUID, str]]:
    """Lock the subnets of `wanted` (code -> address) and return (subnet, address) for `take`: addresses that somebody
    has already in fact. Raises NotFound, AddressTaken, Invalid for one that the subnet cannot give."""
    statement = select(Subnet).where(Subnet.code.in_(wanted)).order_by(Subnet.id).with_for_update()
    subnets = session.scalars(statement.execution_options(populate_existing=True)).all()
    gone = wanted.keys() - {subnet.code for subnet in subnets}
    if gone:
        raise NotFound(noun="subnet", name=min(gone))
    for subnet in subnets:
        address = wanted[subnet.code]
        if not can_give(block_of(subnet), address):
            raise Invalid(field=f"addresses.{subnet.code}", reason=f"{address} is no address that this subnet gives")
        taken = select(Claim.address).where(Claim.subnet_id == subnet.id, Claim.address == func.inet(address))
        if session.scalar(taken):
            raise AddressTaken(address=address, subnet=subnet.code)
    return [(subnet.id, wanted[subnet.code]) for subnet in subnets]


def take(session: Session, rows: Sequence[tuple[UUID, str, UUID]]) -> None:
    """Write down claims: (subnet, address, resource). The addresses must come from `choose` in this transaction."""
    if rows:
        session.execute(insert(Claim), [{"subnet_id": s, "address": a, "resource_id": r} for s, a, r in rows])


def release(session: Session, resource: UUID) -> list[str]:
    """Give back every address of a resource that is confirmed gone; return them."""
    held = select(Claim.subnet_id).where(Claim.resource_id == resource)
    subnets = session.scalars(select(Subnet).where(Subnet.id.in_(held)).order_by(Subnet.id).with_for_update())
    by_id = {subnet.id: subnet for subnet in subnets}
    gone = session.execute(
        delete(Claim).where(Claim.resource_id == resource).returning(Claim.subnet_id, func.host(Claim.address))
    ).all()
    for subnet_id, address in gone:
        # inet compares addresses of one family by value, whatever they look like written out.
        session.execute(
            update(Subnet)
            .where(Subnet.id == subnet_id, func.inet(Subnet.first_free) > func.inet(address))
            .values(first_free=address)
        )
        session.expire(by_id[subnet_id])
    return [str(address) for _, address in gone]


def _lowest(session: Session, subnet: Subnet, count: int) -> list[str]:
    """Read the claims from `first_free` on, some hundred at a time, until enough gaps between them are found."""
    block = block_of(subnet)
    found: list[str] = []
    start = subnet.first_free
    while len(found) < count:
        taken = session.scalars(
            select(func.host(Claim.address))
            .where(Claim.subnet_id == subnet.id, Claim.address >= func.inet(start))
            .order_by(Claim.address)
            .limit(_AT_ONCE)
        ).all()
        last = str(taken[-1]) if len(taken) == _AT_ONCE else None
        found += lowest_free(block, taken, count - len(found), start, last)
        if last is None:
            break
        start = successor(last)
    if len(found) < count:
        raise NoAddress(subnet=subnet.code, free=len(found), asked=count)
    subnet.first_free = successor(found[-1])
    return found
