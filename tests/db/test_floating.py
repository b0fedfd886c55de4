"""Floating addresses on a real database: which subnets have them, who may have one, and none given twice."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import claims
from controlplane.asks.routing import Applies, StepOf
from controlplane.db import Sessions, transaction
from controlplane.errors import ApprovalNeeded, FloatNeedsApproval, Invalid, NoAddress, NoFloating, NoPool, NotFound
from controlplane.models import Claim, Pool, Resource
from controlplane.services import catalogue, resources, routing
from controlplane.services.resources import Order
from tests.db.test_races import race
from tests.factories import ask, given, make_subnet, small_centre, vm
from tests.people import ADMIN, SECURITY

OUTSIDE = {"network": "ext", "floating": True}
FIRST = "172.31.99.9"


@pytest.fixture
def session(shared: Sessions) -> Iterator[Session]:
    """A session with a small centre and a subnet of three floating addresses, whose work is thrown away."""
    with shared() as session:
        small_centre(session)
        outside(session)
        yield session
        session.rollback()


def outside(session: Session, **more: Any) -> None:
    make_subnet(session, "outside", "172.31.99.8/29", excluded=["172.31.99.12/30"], **OUTSIDE, **more)


def floated(name: str = "web-01", **more: Any) -> dict[str, Any]:
    return vm(name, floating_subnet="outside", **more)


def one(session: Session, **more: Any) -> Resource:
    [made] = ask(session, vm(**more))
    made.state = "running"
    return made


def float_(session: Session, resource: Resource, subnet: str = "outside") -> Resource:
    return resources.act(session, ADMIN, Order("vm", resource.id, "float", {"subnet": subnet}))


def refused(session: Session, item: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        ask(session, item)
    assert refusal.value.values["field"] == field


# --- which subnets have them


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"cidr": "172.31.98.0/24", "department": "finance"}, "for all departments"),
        ({"cidr": "fd31::/64"}, "IPv4"),
    ],
    ids=["a department's own", "IPv6"],
)
def test_a_floating_subnet_is_ipv4_and_for_all(session: Session, more: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        make_subnet(session, "more", **more, **OUTSIDE)
    assert refusal.value.values["field"] == "floating"


def test_a_subnet_is_none_unless_it_is_said(session: Session) -> None:
    make_subnet(session, "plain", "10.9.0.0/24")
    refused(session, vm(floating_subnet="plain"), "floating_subnet", "none that float")


def test_a_floating_subnet_gives_no_address_of_a_card(session: Session) -> None:
    refused(session, vm(subnets=["outside"]), "subnets", "are on no card")
    refused(session, vm(subnets=["outside", "business6"]), "subnets", "are on no card")


def test_a_floating_address_needs_an_ipv4_one_to_lead_to(session: Session) -> None:
    refused(session, floated(subnets=["business6"]), "floating_subnet", "the machine has none")
    with pytest.raises(Invalid, match="the machine has none"):
        float_(session, one(session, subnets=["business6"]))


def test_a_floating_subnet_of_another_site_gives_none(session: Session) -> None:
    catalogue.create_site(session, ADMIN, {"code": "far", "name": "远", "name_en": "Far", "level": "prefecture"})
    make_subnet(session, "far", "172.31.98.0/24", site="far", **OUTSIDE)
    refused(session, vm(floating_subnet="far"), "floating_subnet", "at another site")
    with pytest.raises(Invalid, match="at another site"):
        float_(session, one(session), "far")


def test_one_that_is_not_there_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound, match="subnet 'nowhere'"):
        ask(session, vm(floating_subnet="nowhere"))
    with pytest.raises(NotFound, match="subnet 'nowhere'"):
        float_(session, one(session), "nowhere")


# --- giving and taking


def test_the_lowest_free_one_is_claimed_with_the_others_and_stands_in_the_order(session: Session) -> None:
    made = ask(session, floated("a"), vm("b"), floated("c"))
    assert [sorted(str(c.address) for c in m.claims) for m in made] == [
        ["10.1.0.2", FIRST],
        ["10.1.0.3"],
        ["10.1.0.4", "172.31.99.10"],
    ]
    assert made[0].wanted["floating"] == {"address": FIRST, "network": "ext"}
    assert made[1].wanted["floating"] is None
    assert [nic["address"] for nic in made[0].wanted["nics"]] == ["10.1.0.2"]


def test_an_ask_for_more_than_there_are_takes_none(session: Session) -> None:
    with pytest.raises(NoAddress) as refusal:
        ask(session, *(floated(f"vm-{n}") for n in range(4)))
    assert refusal.value.numbers() == {"subnet": "outside", "free": 3, "asked": 4}


def test_one_that_is_given_afterwards_is_a_generation_of_its_own(session: Session) -> None:
    resource = one(session)
    ask(session, floated("other"))
    done = float_(session, resource)
    assert (done.generation, done.wanted["floating"]["address"], done.state) == (2, "172.31.99.10", "changing")
    assert done.spec["floating_subnet"] == "outside"
    assert {str(c.address) for c in done.claims} == {"10.1.0.2", "172.31.99.10"}


def test_an_ordinary_subnet_gives_none_afterwards_either(session: Session) -> None:
    with pytest.raises(Invalid, match="none that float"):
        float_(session, one(session), "business")


def test_the_last_one_is_given_once_and_afterwards_there_is_none(session: Session) -> None:
    ask(session, *(floated(f"vm-{n}") for n in range(3)))
    with pytest.raises(NoAddress):
        float_(session, one(session))


def test_a_machine_that_others_made_is_not_recorded_with_one(session: Session) -> None:
    with pytest.raises(Invalid, match="on no card"):
        claims.choose_these(session, {"outside": FIRST}, [])


# --- where


def test_a_pool_whose_driver_has_none_is_passed_over_and_counted(session: Session) -> None:
    for pool in session.scalars(select(Pool)):
        pool.driver = "libvirt"
    with pytest.raises(NoPool) as refusal:
        ask(session, floated())
    assert dict(refusal.value.removed)["floating"] == 2
    assert ask(session, vm())


def test_of_two_pools_the_one_that_has_them_is_taken(session: Session) -> None:
    first = session.scalars(select(Pool).order_by(Pool.code)).all()[0]
    first.driver = "libvirt"
    session.flush()
    made = ask(session, *(floated(f"vm-{n}") for n in range(3)))
    assert {m.pool.code for m in made} == {"hv-02"}


def test_a_machine_that_was_adopted_is_given_none(session: Session) -> None:
    resource = one(session)
    resource.wanted = {**resource.wanted, "adopted": True, "nics": []}
    with pytest.raises(NoFloating, match="was adopted"):
        float_(session, resource)


# --- who may


@pytest.mark.parametrize("more", [{}, {"amounts": {"vcpu": 2}}], ids=["it alone", "and a size"])
def test_a_rule_that_names_the_subnet_holds_for_one_that_is_given_afterwards_too(
    session: Session, more: dict[str, Any]
) -> None:
    resource, applies = one(session), Applies(networks=["outside"], **more)
    steps = [StepOf(role="system_admin")]
    routing.create(session, SECURITY, "outside", routing.RuleOf("外联", "Outside", True, applies, steps))
    with pytest.raises(ApprovalNeeded):
        ask(session, floated("other"))
    with pytest.raises(FloatNeedsApproval, match="ask for a new machine with it"):
        float_(session, resource)
    assert ask(session, vm("another"))


# --- at once


@pytest.mark.parametrize("_round", range(5))
def test_of_two_who_want_the_last_one_at_once_one_gets_it(sessions: Sessions, _round: int) -> None:
    given(sessions)
    with transaction(sessions) as session:
        outside(session)
        resource = one(session)
        ask(session, *(floated(f"vm-{n}") for n in range(2)))

    def asks() -> None:
        with transaction(sessions) as session:
            ask(session, floated("late"))

    def floats() -> None:
        with transaction(sessions) as session:
            float_(session, resource)

    assert race([asks], [floats]) == {"admitted": 1, NoAddress.code: 1}
    with sessions() as session:
        claimed = session.scalars(select(Claim.address).order_by(Claim.address)).all()
        assert [str(a) for a in claimed if str(a).startswith("172.")] == [FIRST, "172.31.99.10", "172.31.99.11"]
