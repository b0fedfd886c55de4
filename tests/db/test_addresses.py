"""Addresses on a real database: the lowest free one is given, none twice, and none before its last holder is gone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import claims
from controlplane.db import Sessions, transaction
from controlplane.errors import NoAddress, NotFound
from controlplane.ipam import lowest_free
from controlplane.models import Resource, Subnet
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.resource import reconcile
from controlplane.services import resources
from provisioners import registry
from provisioners.contract import Rejected
from provisioners.fake_driver import FakeDriver
from quotas import wire
from tests.factories import ask, given, make_subnet, small_centre, vm
from tests.people import ADMIN


@pytest.fixture
def session(shared: Sessions) -> Iterator[Session]:
    """A session with a small centre, whose work is thrown away."""
    with shared() as session:
        small_centre(session, limits=dict.fromkeys(("vm", "vcpu", "memory_mib", "disk_gib")))
        yield session
        session.rollback()


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[Drivers]:
    drivers = Drivers(partial(registry.connect, state_dir=tmp_path))
    yield drivers
    drivers.close()


def subnet(session: Session, code: str) -> Subnet:
    return session.scalars(select(Subnet).where(Subnet.code == code)).one()


def addresses(made: list[Resource]) -> list[str]:
    return [str(claim.address) for resource in made for claim in resource.claims]


def one(session: Session, code: str = "business", name: str | None = None) -> str:
    """Ask for one VM and return its address."""
    [address] = addresses(ask(session, vm(name or f"vm-{uuid4().hex[:8]}", subnets=[code])))
    return address


def test_the_lowest_free_address_is_given(session: Session) -> None:
    make_subnet(
        session, "kept", "10.2.0.0/24", gateway="10.2.0.1", reserved=["10.2.0.2-10.2.0.9"], excluded=["10.2.0.11"]
    )
    assert [one(session, "kept") for _ in range(3)] == ["10.2.0.10", "10.2.0.12", "10.2.0.13"]


def test_an_address_that_was_given_back_is_the_next_one_given(session: Session) -> None:
    made = ask(session, *(vm(f"vm-{n}") for n in range(5)))
    assert claims.release(session, made[3].id) == ["10.1.0.5"]
    assert claims.release(session, made[1].id) == ["10.1.0.3"]
    assert [one(session) for _ in range(3)] == ["10.1.0.3", "10.1.0.5", "10.1.0.7"]


def test_giving_an_address_back_lowers_the_first_free_one_and_never_raises_it(session: Session) -> None:
    made = ask(session, *(vm(f"vm-{n}") for n in range(12)))
    business = subnet(session, "business")
    assert business.first_free == "10.1.0.14"
    # 10.1.0.9 is lower than 10.1.0.10 though it is written with a larger first digit.
    for number, first_free in ((8, "10.1.0.10"), (7, "10.1.0.9"), (11, "10.1.0.9"), (0, "10.1.0.2")):
        claims.release(session, made[number].id)
        assert business.first_free == first_free


def test_a_resource_without_addresses_gives_none_back(session: Session) -> None:
    assert claims.release(session, uuid4()) == []


def test_addresses_of_both_families_are_given_and_given_back_together(session: Session) -> None:
    [resource] = ask(session, vm(subnets=["business", "business6"]))
    assert {str(c.address) for c in resource.claims} == {"10.1.0.2", "fd00:1::2"}
    assert sorted(claims.release(session, resource.id)) == ["10.1.0.2", "fd00:1::2"]
    assert (subnet(session, "business").first_free, subnet(session, "business6").first_free) == (
        "10.1.0.2",
        "fd00:1::2",
    )


def test_an_address_is_given_again_only_after_its_resource_is_gone(sessions: Sessions, drivers: Drivers) -> None:
    given(sessions)

    def next_address() -> str:
        with sessions() as session:
            address = one(session)
            session.rollback()
        return address

    with transaction(sessions) as session:
        [resource] = ask(session, vm())
    reconcile(sessions, drivers, resource.id)
    with transaction(sessions) as session:
        resources.delete(session, ADMIN, "vm", resource.id)
    assert next_address() == "10.1.0.3"
    driver = drivers.of(resource.pool_id, "fake", {"node": pool_code(sessions, resource.id)})
    assert isinstance(driver, FakeDriver)
    driver.fail_next("delete", Rejected("busy", "the disk is busy"))
    assert reconcile(sessions, drivers, resource.id) == "faulted"
    assert next_address() == "10.1.0.3"
    with transaction(sessions) as session:
        resources.delete(session, ADMIN, "vm", resource.id)
    assert reconcile(sessions, drivers, resource.id) == "gone"
    assert next_address() == "10.1.0.2"


def pool_code(sessions: Sessions, resource: UUID) -> str:
    with sessions() as session:
        return session.scalars(select(Resource).where(Resource.id == resource)).one().pool.code


@pytest.mark.parametrize("batch", [1, 100, 256, 300])
def test_a_subnet_of_300_addresses_is_given_out_in_order_whatever_the_batch(session: Session, batch: int) -> None:
    make_subnet(session, "large", "10.3.0.0/23", gateway="10.3.0.1", reserved=["10.3.1.46-10.3.1.255"])
    large = subnet(session, "large")
    [resource] = ask(session, vm())
    expected = lowest_free(claims.block_of(large), (), 300)
    assert (len(expected), expected[0], expected[-1]) == (300, "10.3.0.2", "10.3.1.45")
    taken: list[str] = []
    while len(taken) < 300:
        chosen = claims.choose(session, {large.id: min(batch, 300 - len(taken))})()[large.id]
        wire.write(session, claims.taking([(large.id, address, resource.id) for address in chosen]))
        taken += chosen
    assert taken == expected
    with pytest.raises(NoAddress):
        claims.choose(session, {large.id: 1})()


def test_gaps_far_apart_are_found_across_several_reads(session: Session) -> None:
    make_subnet(session, "large", "10.3.0.0/22", gateway="10.3.0.1")
    large = subnet(session, "large")
    [resource, other] = ask(session, vm("a"), vm("b"))
    chosen = claims.choose(session, {large.id: 900})()[large.id]
    gaps = [chosen[n] for n in (0, 255, 256, 257, 600, 899)]
    wire.write(session, claims.taking([(large.id, a, (other if a in gaps else resource).id) for a in chosen]))
    freed = [a for a in claims.release(session, other.id) if a.startswith("10.3.")]
    assert sorted(freed) == sorted(gaps)
    assert claims.choose(session, {large.id: 7})()[large.id] == [*gaps, "10.3.3.134"]


def test_no_address_tells_how_many_are_left_and_takes_none(session: Session) -> None:
    make_subnet(session, "tiny", "10.4.0.0/29", gateway="10.4.0.1")
    [resource] = ask(session, vm(subnets=["tiny"]))
    tiny = subnet(session, "tiny")
    with pytest.raises(NoAddress) as refused:
        claims.choose(session, {tiny.id: 5})()
    assert refused.value.numbers() == {"subnet": "tiny", "free": 4, "asked": 5}
    chosen = claims.choose(session, {tiny.id: 4})()[tiny.id]
    assert chosen == ["10.4.0.3", "10.4.0.4", "10.4.0.5", "10.4.0.6"]
    wire.write(session, claims.taking([(tiny.id, address, resource.id) for address in chosen]))
    with pytest.raises(NoAddress) as refused:
        claims.choose(session, {tiny.id: 1})()
    assert refused.value.numbers()["free"] == 0


def test_a_subnet_that_was_removed_meanwhile_is_refused_as_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        claims.choose(session, {uuid4(): 1, subnet(session, "business").id: 1})()


def test_what_was_read_of_a_subnet_before_its_lock_is_read_again(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        made = ask(session, *(vm(f"vm-{n}") for n in range(4)))
    with transaction(sessions) as late:
        seen = subnet(late, "business")
        assert seen.first_free == "10.1.0.6"
        with transaction(sessions) as session:
            claims.release(session, made[1].id)
        assert claims.choose(late, {seen.id: 1})()[seen.id] == ["10.1.0.3"]


def test_a_subnet_of_one_address_gives_that_one(session: Session) -> None:
    make_subnet(session, "host", "10.5.0.9/32")
    make_subnet(session, "link6", "fd00:5::8/127")
    assert one(session, "host") == "10.5.0.9"
    assert [one(session, "link6") for _ in range(2)] == ["fd00:5::8", "fd00:5::9"]
