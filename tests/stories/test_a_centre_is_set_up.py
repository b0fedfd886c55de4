"""What administrators set up: departments in a tree, quotas, subnets, pools, and what they are refused."""

from decimal import Decimal

import pytest

from controlplane import lookups
from controlplane.db import Sessions, transaction
from controlplane.errors import InUse, Invalid, NoPool, OverQuota
from controlplane.paging import Listing
from controlplane.reports import quota
from controlplane.services import catalogue, departments, pools, systems
from controlplane.services.pools import Capacity
from quotas.verify import verify
from tests.factories import ROOMY, ask, given, make_department, make_pool, make_subnet, make_system, vm
from tests.people import ADMIN, staff_of


def test_an_ask_counts_against_every_department_above_that_has_a_limit(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        government = make_department(session, "government", "政府", limits={"vcpu": 3})
        make_department(session, "bureau", "局", parent="government", limits=ROOMY)
        make_system(session, "bureau")
        ask(session, vm(), department="bureau")
        [vcpu] = quota.of_departments(session, ADMIN, [government.id])[government.id]
        assert (vcpu.resource_class, vcpu.used, vcpu.left) == ("vcpu", 2, 1)
        with pytest.raises(OverQuota) as refused:
            ask(session, vm("web-02"), department="bureau")
        assert refused.value.numbers()["owner"] == "政府"


def test_a_departments_people_see_what_is_below_it_and_nothing_beside_it(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        above = make_department(session, "government")
        make_department(session, "bureau", parent="government")
        manager = staff_of(session, above).manager
        seen = lookups.departments(session, manager, Listing()).items
        assert [d.code for d in seen] == ["bureau", "government"]


def test_a_limit_below_what_is_used_stops_growth_and_takes_nothing_away(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        ask(session, vm("a"), vm("b"))
        department = departments.set_quota(session, ADMIN, "environment", {"vcpu": 1})
        balances = {b.resource_class: b for b in quota.of_departments(session, ADMIN, [department.id])[department.id]}
        assert (balances["vcpu"].used, balances["vcpu"].left) == (4, -3)
        with pytest.raises(OverQuota):
            ask(session, vm("c"))
        assert list(verify(session)) == []


def test_a_quota_of_an_unknown_class_is_refused_with_the_known_ones(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session, pytest.raises(Invalid, match="memory_mib"):
        departments.set_quota(session, ADMIN, "environment", {"memory": 1})


def test_what_is_used_cannot_be_removed(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        [resource] = ask(session, vm())
        with pytest.raises(InUse, match="1 resources"):
            departments.delete(session, ADMIN, "environment")
        with pytest.raises(InUse):
            systems.delete(session, ADMIN, str(resource.system_id))
        with pytest.raises(InUse, match="1 addresses"):
            catalogue.delete_subnet(session, ADMIN, "business")
        with pytest.raises(InUse):
            pools.delete(session, ADMIN, str(resource.pool_id))


def test_subnets_of_one_network_never_overlap(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        with pytest.raises(Invalid, match=r"overlaps 10\.1\.0\.0/24"):
            make_subnet(session, "inner", "10.1.0.128/25")
        make_subnet(session, "elsewhere", "10.1.0.128/25", network="other")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"gateway": "10.9.0.1"}, "lies outside"),
        ({"reserved": ["10.2.0.9-10.2.1.9"]}, "lies outside"),
        ({"excluded": ["nonsense"]}, "no address"),
        ({"cidr": "10.2.0.1/24"}, "names a host"),
    ],
)
def test_a_subnet_that_makes_no_sense_is_refused(sessions: Sessions, wrong: dict[str, object], reason: str) -> None:
    given(sessions)
    with transaction(sessions) as session, pytest.raises(Invalid, match=reason):
        values = {"code": "new", "name": "new", "site": "nm", "cidr": "10.2.0.0/24", "network": "default"}
        catalogue.create_subnet(session, ADMIN, {**values, **wrong})


def test_a_pools_capacity_is_what_is_not_reserved_times_the_ratio() -> None:
    assert Capacity(64, 4, Decimal("1.5")).limit == 90
    assert Capacity(None).limit is None


def test_a_closed_pool_takes_nothing_new(sessions: Sessions) -> None:
    given(sessions, hypervisors=1)
    with transaction(sessions) as session:
        pools.update(session, ADMIN, "hv-01", {"accepting": False})
        with pytest.raises(NoPool, match="1 removed by accepting"):
            ask(session, vm())


def test_a_full_pool_gives_way_to_the_next(sessions: Sessions) -> None:
    given(sessions, hypervisors=0, limits=dict.fromkeys(ROOMY))
    with transaction(sessions) as session:
        make_pool(session, "small", vcpu=1)
        make_pool(session, "large", vcpu=2)
        made = ask(session, *(vm(f"web-{n}") for n in range(6)))
        by_pool = {code: sum(r.pool.code == code for r in made) for code in ("small", "large")}
        assert by_pool == {"small": 2, "large": 4}
        with pytest.raises(NoPool, match="2 removed by capacity"):
            ask(session, vm("one-more"))


def test_a_pool_with_an_unknown_driver_is_refused_with_the_known_ones(sessions: Sessions) -> None:
    given(sessions)
    capacity = {c: Capacity(None) for c in ROOMY}
    new = pools.NewPool("odd", "odd", "vm", "nm", 3, "vmware", {}, capacity)
    with transaction(sessions) as session, pytest.raises(Invalid, match="libvirt, openstack, fake"):
        pools.create(session, ADMIN, new)


def test_a_pool_that_never_held_anything_can_be_removed(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        pools.delete(session, ADMIN, "hv-01")
        assert [p.code for p in lookups.pools(session, ADMIN, Listing()).items] == ["hv-02"]
        assert list(verify(session)) == []
