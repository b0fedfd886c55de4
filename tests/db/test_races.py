"""Many clients at once, through the services, on a real database: what there is room for is given, never one more.

Each race starts its clients together and counts afterwards what the record, the claims, the jobs and the ledger say.
`STEPPE_RACE_ROUNDS` sets how often each race for the last of something is run, each time on a database of its own; 20
is the figure that is claimed, and less than that is run by default where a round takes long.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from controlplane.db import Sessions, transaction
from controlplane.errors import AlreadyExists, NoAddress, NoPool, NotNow, OverQuota, Refusal, RowsRefused
from controlplane.models import AuditEvent, Claim, Department, Pool, Resource
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.resource import reconcile
from controlplane.services import departments, pools, requests, resources
from controlplane.services.pools import Capacity
from provisioners import registry
from quotas import metering
from quotas.verify import verify
from tests import factories
from tests.factories import GIB, given, vm
from tests.people import ADMIN

CLIENTS = 16
ADDRESS_ROUNDS, POOL_ROUNDS, QUOTA_ROUNDS = (
    range(int(os.environ.get("STEPPE_RACE_ROUNDS", default))) for default in ("20", "5", "2")
)

Outcome = str
"""What became of one ask: `admitted`, or the code of its refusal."""


def outcome(act: Callable[[], object]) -> Outcome:
    """Run `act`; anything but a refusal is let through, so a raw database error fails the test."""
    try:
        act()
    except Refusal as refusal:
        return refusal.code
    return "admitted"


def race(*clients: Sequence[Callable[[], object]]) -> Counter[Outcome]:
    """Let each client do its acts one after the other, all clients starting together; count what became of the acts."""
    start = Barrier(len(clients))

    def run(acts: Sequence[Callable[[], object]]) -> list[Outcome]:
        start.wait(timeout=60)
        return [outcome(act) for act in acts]

    with ThreadPoolExecutor(len(clients)) as threads:
        running = [threads.submit(run, acts) for acts in clients]
        return Counter(result for client in running for result in client.result(timeout=120))


def ask_for(sessions: Sessions, *items: dict[str, object], department: str = "environment") -> None:
    with transaction(sessions) as session:
        requests.submit(session, ADMIN, requests.Ask("vm", department, items))


def asks(sessions: Sessions, count: int) -> list[list[Callable[[], None]]]:
    """Return `count` asks for one VM each, dealt out to the clients."""
    all_asks = [partial(ask_for, sessions, vm(f"vm-{number:03}")) for number in range(count)]
    return [all_asks[client::CLIENTS] for client in range(CLIENTS)]


def assert_admitted(sessions: Sessions, count: int) -> None:
    """Make sure that record, claims, jobs, audit and ledger all say that `count` VMs were admitted."""
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Resource)) == count
        addresses = session.scalars(select(Claim.address)).all()
        assert len(addresses) == len(set(addresses)) == count
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == count
        made = select(func.count()).where(AuditEvent.action == "vm.create")
        assert session.scalar(made) == count
        assert {c: used for c, _, used, _ in metering.totals(session, "department")}["vm"] == count
        assert {c: used for c, _, used, _ in metering.totals(session, "pool")}["vm"] == count
        assert list(verify(session)) == []


@pytest.fixture
def drivers(tmp_path: Path) -> Iterator[Drivers]:
    drivers = Drivers(partial(registry.connect, state_dir=tmp_path))
    yield drivers
    drivers.close()


# The last of something


@pytest.mark.parametrize("_round", QUOTA_ROUNDS)
def test_sixteen_clients_and_200_asks_on_a_quota_for_50_admit_exactly_50(sessions: Sessions, _round: int) -> None:
    given(sessions, limits=factories.ROOMY | {"vm": 50})
    assert race(*asks(sessions, 200)) == {"admitted": 50, OverQuota.code: 150}
    assert_admitted(sessions, 50)


@pytest.mark.parametrize("_round", ADDRESS_ROUNDS)
def test_the_last_address_goes_to_exactly_one_of_sixteen(sessions: Sessions, _round: int) -> None:
    with transaction(sessions) as session:
        factories.small_centre(session)
        factories.make_subnet(session, "tiny", "10.9.0.0/30", gateway="10.9.0.1")
    clients = [[partial(ask_for, sessions, vm(f"vm-{n}", subnets=["tiny"]))] for n in range(CLIENTS)]
    assert race(*clients) == {"admitted": 1, NoAddress.code: 15}
    assert_admitted(sessions, 1)


@pytest.mark.parametrize("_round", POOL_ROUNDS)
def test_the_last_room_of_the_last_pool_goes_to_exactly_one_of_sixteen(sessions: Sessions, _round: int) -> None:
    given(sessions, hypervisors=0)
    with transaction(sessions) as session:
        make_pool_for(session, "hv", vms=1)
    assert race(*asks(sessions, CLIENTS)) == {"admitted": 1, NoPool.code: 15}
    assert_admitted(sessions, 1)


def make_pool_for(session: Session, code: str, *, vms: int) -> None:
    """Make a pool that has room for `vms` small VMs."""
    room = {"vm": vms, "vcpu": 2 * vms, "memory_mib": 4 * GIB * vms, "disk_gib": 50 * vms}
    capacity = {c: Capacity(total, 0, Decimal(1)) for c, total in room.items()}
    pools.create(session, ADMIN, pools.NewPool(code, code, "vm", "nm", 3, "fake", {"node": code}, capacity))


def test_pools_that_fill_up_meanwhile_send_the_ask_to_the_next_and_are_filled_to_the_last_room(
    sessions: Sessions,
) -> None:
    given(sessions, hypervisors=0)
    with transaction(sessions) as session:
        for number in range(4):
            make_pool_for(session, f"hv-{number}", vms=3)
    assert race(*asks(sessions, 2 * CLIENTS)) == {"admitted": 12, NoPool.code: 20}
    assert_admitted(sessions, 12)
    with sessions() as session:
        by_pool = select(func.count()).select_from(Resource).group_by(Resource.pool_id)
        assert session.scalars(by_pool).all() == [3, 3, 3, 3]


def test_a_limit_of_the_parent_is_kept_by_children_that_race_for_it(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        factories.make_department(session, "parent", limits={"vm": 20})
        for n in range(CLIENTS):
            factories.make_department(session, f"child-{n}", parent="parent", limits=factories.ROOMY)
            factories.make_system(session, f"child-{n}")
    clients = [
        [partial(ask_for, sessions, vm(f"vm-{n}"), department=f"child-{client}") for n in range(3)]
        for client in range(CLIENTS)
    ]
    assert race(*clients) == {"admitted": 20, OverQuota.code: 28}
    with sessions() as session:
        assert used_by(session, "parent") == 20
        assert list(verify(session)) == []


def used_by(session: Session, department: str, resource_class: str = "vm") -> int:
    owner = session.scalars(select(Department.id).where(Department.code == department)).one()
    return {b.resource_class: b.used for b in metering.balances(session, [owner])[owner]}[resource_class]


# Names and groups


def test_a_name_asked_for_by_sixteen_at_once_is_given_once_and_refused_as_taken_to_the_rest(
    sessions: Sessions,
) -> None:
    given(sessions)
    clients = [[partial(ask_for, sessions, vm("same"))] for _ in range(CLIENTS)]
    assert race(*clients) == {"admitted": 1, AlreadyExists.code: 15}
    assert_admitted(sessions, 1)


def test_two_asks_for_the_same_names_in_opposite_order_do_not_deadlock(sessions: Sessions) -> None:
    given(sessions)
    names = [vm(f"vm-{n}") for n in range(20)]
    clients = [[partial(ask_for, sessions, *items)] for items in (names, names[::-1])]
    # Who comes after the other's commit is told of each row, who comes before it of the first that the index refuses.
    assert race(*clients) in ({"admitted": 1, code: 1} for code in (AlreadyExists.code, RowsRefused.code))
    assert_admitted(sessions, 20)


def test_members_of_a_spread_group_that_are_asked_for_at_once_never_share_a_pool(sessions: Sessions) -> None:
    given(sessions, hypervisors=5)
    clients = [[partial(ask_for, sessions, vm(f"db-{n}", anti_affinity="db"))] for n in range(8)]
    assert race(*clients) == {"admitted": 5, NoPool.code: 3}
    with sessions() as session:
        pools_of = session.scalars(select(Resource.pool_id)).all()
        assert len(set(pools_of)) == len(pools_of) == 5
    assert_admitted(sessions, 5)


# Changes of what is there


@pytest.mark.parametrize("_round", range(3))
def test_an_ancestors_first_limit_set_by_two_while_others_allocate_counts_each_vm_once(
    sessions: Sessions, _round: int
) -> None:
    given(sessions)
    with transaction(sessions) as session:
        factories.make_department(session, "parent")
        for code in ("left", "right"):
            factories.make_department(session, code, parent="parent", limits=factories.ROOMY)
            factories.make_system(session, code)

    def set_quota(limit: int) -> None:
        with transaction(sessions) as session:
            departments.set_quota(session, ADMIN, "parent", {"vm": limit, "vcpu": 8 * limit})

    clients = [
        [partial(ask_for, sessions, vm(f"vm-{client}-{n}"), department=("left", "right")[client % 2]) for n in range(4)]
        for client in range(6)
    ]
    result = race(*clients, [partial(set_quota, 60)], [partial(set_quota, 50)])
    assert result == {"admitted": 6 * 4 + 2}
    with sessions() as session:
        assert used_by(session, "parent") == 24
        assert used_by(session, "parent", "vcpu") == 48
        assert list(verify(session)) == []


def test_a_limit_that_is_cut_while_asks_run_admits_nothing_beyond_it_afterwards(sessions: Sessions) -> None:
    given(sessions)

    def cut() -> None:
        with transaction(sessions) as session:
            departments.set_quota(session, ADMIN, "environment", {"vm": 10})

    counted = race(*asks(sessions, 64), [cut])
    admitted = counted["admitted"] - 1
    assert counted.total() == 65
    assert counted[OverQuota.code] == 64 - admitted
    assert admitted >= 10
    assert_admitted(sessions, admitted)
    assert outcome(partial(ask_for, sessions, vm("one-more"))) == OverQuota.code


@pytest.mark.parametrize("_round", range(3))
def test_a_resize_that_races_a_delete_leaves_nothing_behind(sessions: Sessions, drivers: Drivers, _round: int) -> None:
    given(sessions)
    with transaction(sessions) as session:
        made = [r.id for r in factories.ask(session, *(vm(f"vm-{n}") for n in range(4)))]
    for id in made:
        assert reconcile(sessions, drivers, id) == "settled"

    def resize(id: UUID) -> None:
        with transaction(sessions) as session:
            size = {"vcpu": 8, "memory_mib": 8 * GIB, "disk_gib": 60}
            resources.act(session, ADMIN, resources.Order("vm", id, "resize", size))

    def delete(id: UUID) -> None:
        with transaction(sessions) as session:
            resources.delete(session, ADMIN, "vm", id)

    counted = race(*([partial(verb, id)] for id in made for verb in (resize, delete)))
    assert set(counted) <= {"admitted", NotNow.code}
    assert counted["admitted"] >= len(made)
    for id in made:
        assert reconcile(sessions, drivers, id) == "gone"
    with sessions() as session:
        assert session.scalars(select(Claim)).all() == []
        assert [used for _, _, used, _ in metering.totals(session, "department")] == [0] * 4
        assert [used for _, _, used, _ in metering.totals(session, "pool")] == [0] * 4
        assert list(verify(session)) == []


def test_two_resizes_of_one_vm_at_once_are_taken_one_after_the_other(sessions: Sessions, drivers: Drivers) -> None:
    given(sessions)
    with transaction(sessions) as session:
        [resource] = factories.ask(session, vm())
    reconcile(sessions, drivers, resource.id)

    def resize(vcpu: int) -> None:
        with transaction(sessions) as session:
            size = {"vcpu": vcpu, "memory_mib": 8 * GIB, "disk_gib": 60}
            resources.act(session, ADMIN, resources.Order("vm", resource.id, "resize", size))

    assert race([partial(resize, 8)], [partial(resize, 16)]) == {"admitted": 1, NotNow.code: 1}
    with sessions() as session:
        demand = session.scalars(select(Resource.demand)).one()
        assert used_by(session, "environment", "vcpu") == demand["vcpu"]
        assert list(verify(session)) == []


def test_addresses_given_back_while_others_are_taken_are_not_lost(sessions: Sessions, drivers: Drivers) -> None:
    with transaction(sessions) as session:
        factories.small_centre(session)
        factories.make_subnet(session, "tight", "10.9.0.0/27", gateway="10.9.0.1")
        old = [r.id for r in factories.ask(session, *(vm(f"old-{n}", subnets=["tight"]) for n in range(14)))]
    for id in old:
        reconcile(sessions, drivers, id)
        with transaction(sessions) as session:
            resources.delete(session, ADMIN, "vm", id)
    removals = [[partial(reconcile, sessions, drivers, id) for id in old[n::4]] for n in range(4)]
    creations = [
        [partial(ask_for, sessions, vm(f"new-{c}-{n}", subnets=["tight"])) for n in range(3)] for c in range(4)
    ]
    assert race(*removals, *creations) == {"admitted": 14 + 12}
    with transaction(sessions) as session:
        taken = {str(a) for a in session.scalars(select(func.host(Claim.address)))}
        assert len(taken) == 12
        rest = factories.ask(session, *(vm(f"rest-{n}", subnets=["tight"]) for n in range(29 - 12)))
        taken |= {str(c.address) for r in rest for c in r.claims}
    assert taken == {f"10.9.0.{n}" for n in range(2, 31)}


# Locks


def test_allocations_over_many_departments_subnets_and_pools_in_any_order_do_not_deadlock(
    sessions: Sessions, drivers: Drivers
) -> None:
    codes = [f"unit-{n}" for n in range(5)]
    with transaction(sessions) as session:
        factories.small_centre(session, hypervisors=4)
        factories.make_department(session, "parent", limits={"vm": 10_000, "vcpu": 100_000})
        for code in codes:
            factories.make_department(session, code, parent="parent", limits=factories.ROOMY)
            factories.make_system(session, code)
    subnets = [["business"], ["business6"], ["business", "business6"], ["business6", "business"]]

    def settle_some(chance: random.Random) -> None:
        with sessions() as session:
            ids = session.scalars(select(Resource.id).where(Resource.deleted_at.is_(None))).all()
        for id in chance.sample(ids, min(3, len(ids))):
            reconcile(sessions, drivers, id)

    def remove_one(chance: random.Random) -> None:
        with transaction(sessions) as session:
            ids = session.scalars(select(Resource.id).where(Resource.desired == "present")).all()
            if ids:
                resources.delete(session, ADMIN, "vm", chance.choice(ids))

    def set_parents_limit(chance: random.Random) -> None:
        with transaction(sessions) as session:
            departments.set_quota(session, ADMIN, "parent", {"vm": chance.choice([None, 10_000])})

    def client(number: int) -> list[Callable[[], object]]:
        chance = random.Random(number)
        acts: list[Callable[[], object]] = []
        for turn in range(12):
            items = [
                vm(
                    f"vm-{number}-{turn}-{n}",
                    subnets=chance.choice(subnets),
                    **({"anti_affinity": chance.choice(["red", "blue"])} if n == 0 else {}),
                )
                for n in range(chance.randint(1, 4))
            ]
            acts.append(partial(ask_for, sessions, *items, department=chance.choice(codes)))
            acts.append(partial(chance.choice([settle_some, settle_some, remove_one, set_parents_limit]), chance))
        return acts

    counted = race(*(client(number) for number in range(8)))
    assert set(counted) <= {"admitted", NoPool.code, "not_found"}
    assert counted["admitted"] > 96
    with transaction(sessions) as session:
        departments.set_quota(session, ADMIN, "parent", {"vm": 10_000})
        live = session.scalar(select(func.count()).where(Resource.deleted_at.is_(None)))
        assert used_by(session, "parent") == live
        assert list(verify(session)) == []
        by_pool = dict(
            session.execute(
                select(Pool.id, func.count()).join(Resource).where(Resource.deleted_at.is_(None)).group_by(Pool.id)
            ).all()
        )
        for pool, balances in metering.balances(session, list(by_pool)).items():
            assert {b.resource_class: b.used for b in balances}["vm"] == by_pool[pool]
