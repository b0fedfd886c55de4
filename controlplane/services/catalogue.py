"""Sites, flavors, images and subnets: what an administrator sets up and departments choose from."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controlplane import audit, claims, ipam, jobs, lookups
from controlplane.actor import Actor
from controlplane.conflicts import lock_row, refusing_duplicates
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, InUse, Invalid, Stale
from controlplane.models import Claim, Flavor, Image, Site, Subnet
from controlplane.policy import authorize

T = TypeVar("T", Site, Flavor, Image, Subnet)


def create_site(session: Session, actor: Actor, values: Mapping[str, Any]) -> Site:
    """Create a site; `parent` is a site's code. Raises AlreadyExists, NotFound."""
    authorize(actor, "catalogue.write")
    plain = dict(values)
    parent_code = plain.pop("parent", None)
    parent = lookups.site_for(session, actor, parent_code) if parent_code else None
    site = Site(id=new_id(), parent_id=parent.id if parent else None, **plain)
    site.parent = parent
    return _add(session, actor, Site, site)


def create_flavor(session: Session, actor: Actor, values: Mapping[str, Any]) -> Flavor:
    """Create a flavor. Raises AlreadyExists."""
    authorize(actor, "catalogue.write")
    return _add(session, actor, Flavor, Flavor(id=new_id(), **values))


def create_image(session: Session, actor: Actor, values: Mapping[str, Any]) -> Image:
    """Create an image. Raises AlreadyExists."""
    authorize(actor, "catalogue.write")
    return _add(session, actor, Image, Image(id=new_id(), **values))


def create_subnet(session: Session, actor: Actor, values: Mapping[str, Any]) -> Subnet:
    """Create a subnet; with `department`, a code, it is that department's own; a `floating` one is for all. Raises
    AlreadyExists, NotFound for site and department; Invalid where it overlaps another on the same network or of the
    same department, its ranges lie outside it, a name server is no address, or a floating one is IPv6 or somebody's."""
    authorize(actor, "catalogue.write")
    plain = {"gateway": None, "dns": [], "reserved": [], "excluded": [], "floating": False, **values}
    _check_name_servers(plain)
    if plain["floating"] and plain.get("department"):
        raise Invalid(field="floating", reason="floating addresses are for all departments; leave out the department")
    site = lookups.site_for(session, actor, plain.pop("site"))
    code = plain.pop("department", None)
    owner = lookups.department_for(session, actor, code, "catalogue.write", keep=True) if code else None
    subnet = Subnet(id=new_id(), site_id=site.id, department_id=owner.id if owner else None, **plain)
    subnet.site, subnet.department = site, owner
    # Two that overlap must not be made at the same moment; subnets are few and seldom made.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("subnets", 0))))
    beside = Subnet.network == subnet.network
    if owner:
        # What is one department's is linked by one router, whatever networks it is on.
        beside |= Subnet.department_id == owner.id
    others = session.scalars(select(Subnet.cidr).where(beside)).all()
    try:
        if owner:
            first, last = ipam.of_its_network(subnet.cidr, subnet.gateway)
            subnet.excluded = [*subnet.excluded, f"{first}-{last}"]
        ranges = ipam.usable(claims.block_of(subnet))
        clash = ipam.overlap(subnet.cidr, others)
        if subnet.floating and ipam.version(subnet.cidr) != 4:
            raise Invalid(field="floating", reason="floating addresses are IPv4; IPv6 ones are reached as they are")
    except ipam.BadBlock as error:
        raise Invalid(field="cidr", reason=str(error)) from error
    if clash:
        where = f"on network {subnet.network}" + (f" or of department {owner.code}" if owner else "")
        raise Invalid(field="cidr", reason=f"{subnet.cidr} overlaps {clash} {where}")
    if not ranges:
        raise Invalid(field="cidr", reason="no address is left to give out")
    subnet.first_free = ipam.lowest_free(claims.block_of(subnet), (), 1)[0]
    return _add(session, actor, Subnet, subnet)


def update(session: Session, actor: Actor, thing: T, values: Mapping[str, Any], version: int | None = None) -> T:
    """Change plain values of a catalogue entry. What exists already keeps what it was built with. Raises Stale; Invalid
    for a name server that is no address."""
    authorize(actor, "catalogue.write")
    _check_name_servers(values)
    if version is not None and version != thing.version:
        raise Stale
    before = {key: getattr(thing, key) for key in values}
    for key, value in values.items():
        setattr(thing, key, value)
    thing.version += 1
    _said(session, actor, thing, "update", {"before": before, "after": dict(values)})
    session.flush()
    return thing


def _check_name_servers(values: Mapping[str, Any]) -> None:
    for server in values.get("dns") or ():
        if not ipam.is_address(server):
            raise Invalid(field="dns", reason=f"{server!r} is no IP address")


def delete_subnet(session: Session, actor: Actor, ref: str) -> None:
    """Remove a subnet of which no address is claimed. Raises InUse, NotFound."""
    subnet = lookups.subnet_for(session, actor, ref, "catalogue.write")
    lock_row(session, subnet)
    count = session.scalar(select(func.count()).where(Claim.subnet_id == subnet.id))
    if count:
        raise InUse(noun="subnet", name=subnet.code, users=f"{count} addresses")
    _said(session, actor, subnet, "delete", {"cidr": subnet.cidr, **_owner(subnet)})
    session.delete(subnet)
    session.flush()
    if subnet.department_id:
        # Where its network was made for the department, that goes as well.
        jobs.enqueue_follow(session, subnet.department_id, actor.trace)


def delete_entry(session: Session, actor: Actor, thing: T) -> None:
    """Remove a flavor or an image from the catalogue; what was built from it is not touched."""
    authorize(actor, "catalogue.write")
    _said(session, actor, thing, "delete", {})
    session.delete(thing)
    session.flush()


def _add(session: Session, actor: Actor, model: type[T], thing: T) -> T:
    if session.scalar(select(model.id).where(model.code == thing.code)):
        raise AlreadyExists(noun=model.__name__.lower(), name=thing.code)
    session.add(thing)
    with refusing_duplicates(model.__name__.lower(), thing.code):
        session.flush()
    _said(session, actor, thing, "create", _owner(thing) if isinstance(thing, Subnet) else {})
    return thing


def _owner(subnet: Subnet) -> dict[str, str]:
    return {"department": subnet.department.code} if subnet.department else {}


def _said(session: Session, actor: Actor, thing: T, verb: str, details: dict[str, Any]) -> None:
    noun = type(thing).__name__.lower()
    owner = thing.department_id if isinstance(thing, Subnet) else None
    audit.record(session, actor, [audit.Act(f"{noun}.{verb}", noun, thing.id, thing.name, owner, details)])
