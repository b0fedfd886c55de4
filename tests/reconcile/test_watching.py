"""A pool that works by itself: orders are taken and finished later, and nobody waits for one machine meanwhile."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.reconcile.sweep import sweep
from controlplane.reconcile.watching import watch
from controlplane.services import pools
from provisioners.contract import Unreachable
from tests.people import ADMIN
from tests.reconcile.lab import Lab


@pytest.fixture
def cloud(installation: Installation) -> Iterator[Lab]:
    """A lab whose one pool works by itself."""
    with Lab(installation) as made:
        with transaction(made.sessions) as session:
            pools.update(session, ADMIN, "hv-01", {"connection": {"node": "cloud", "cloud": True}})
        yield made


def watched(lab: Lab) -> bool:
    return watch(lab.sessions, lab.drivers, lab.pool().id)


def marked(lab: Lab, resource: UUID) -> bool:
    return lab.record(resource).underway_since is not None


def watches(lab: Lab) -> int:
    with transaction(lab.sessions) as session:
        return session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'watch'")) or 0


def finished(lab: Lab, resource: UUID) -> str:
    """Let the pool finish what it was told, again and again, until a look has nothing more to order."""
    outcome = lab.look(resource)
    while outcome == "underway":
        lab.driver().settle(resource)
        outcome = lab.look(resource)
    return outcome


def test_an_order_that_was_taken_is_no_order_that_was_done(cloud: Lab) -> None:
    web = cloud.ask()
    assert cloud.look(web) == "underway"
    record = cloud.record(web)
    assert (record.state, record.observed_generation, record.waiting_reason) == ("building", 0, None)
    assert marked(cloud, web)
    assert watches(cloud) == 1


def test_a_look_at_what_is_being_worked_on_orders_nothing(cloud: Lab) -> None:
    web = cloud.ask()
    cloud.look(web)
    cloud.driver().calls.clear()
    assert cloud.look(web) == "underway"
    assert [step for step, _ in cloud.driver().calls] == ["observe"]
    assert watches(cloud) == 1, "one watch serves all"


def test_a_watch_asks_once_for_all_and_looks_at_those_that_are_done(cloud: Lab) -> None:
    made = [cloud.ask(f"web-{number:02}") for number in range(5)]
    for one in made:
        cloud.look(one)
    cloud.forget_jobs()
    for one in made[:2]:
        cloud.driver().settle(one)
    cloud.driver().calls.clear()
    assert watched(cloud)
    assert [step for step, _ in cloud.driver().calls] == ["observe"]
    assert [cloud.jobs(one) for one in made] == [1, 1, 0, 0, 0]
    assert [marked(cloud, one) for one in made] == [False, False, True, True, True]


def test_a_watch_ends_where_nothing_is_left_to_watch(cloud: Lab) -> None:
    web = cloud.ask()
    cloud.look(web)
    cloud.driver().settle(web)
    assert not watched(cloud)
    cloud.driver().calls.clear()
    assert not watched(cloud)
    assert cloud.driver().calls == []


def test_what_is_done_is_settled_and_the_trail_says_so(cloud: Lab) -> None:
    web = cloud.ask()
    assert finished(cloud, web) == "settled"
    assert cloud.record(web).state == "running"
    assert not marked(cloud, web)
    assert [action for _, action, _ in cloud.actions(web)][-1] == "vm.running"


def test_each_order_of_a_change_is_given_once(cloud: Lab) -> None:
    web = cloud.ask()
    finished(cloud, web)
    cloud.act(web, "resize", vcpu=4, memory_mib=8192, disk_gib=60)
    cloud.driver().calls.clear()
    assert finished(cloud, web) == "settled"
    assert [step for step, _ in cloud.driver().calls if step != "observe"] == ["stop", "resize", "start"]
    found = cloud.machine(web)
    assert found is not None
    assert (found.vcpu, found.power) == (4, "on")


def test_a_delete_is_over_when_it_is_gone_and_not_before(cloud: Lab) -> None:
    web = cloud.ask()
    finished(cloud, web)
    cloud.act(web, "delete")
    assert cloud.look(web) == "underway"
    assert cloud.used() != {}
    cloud.driver().settle(web)
    assert cloud.look(web) == "gone"
    assert cloud.used() == {}


def test_what_is_wanted_otherwise_meanwhile_is_done_after_it(cloud: Lab) -> None:
    web = cloud.ask()
    cloud.look(web)
    cloud.act(web, "delete")
    assert finished(cloud, web) == "gone"
    assert cloud.machines() == []


def test_a_machine_that_is_being_worked_on_is_no_drift(cloud: Lab) -> None:
    web = cloud.ask()
    finished(cloud, web)
    found = cloud.machine(web)
    assert found is not None
    cloud.driver().put(replace(found, power="off", busy=True))
    assert sweep(cloud.sessions, cloud.drivers).opened == 0


def test_a_pool_that_is_away_is_watched_again_later(cloud: Lab) -> None:
    web = cloud.ask()
    cloud.look(web)
    cloud.driver().fail_next("observe", Unreachable("no route"))
    with pytest.raises(Unreachable):
        watched(cloud)
    assert marked(cloud, web)


def test_what_lost_its_watch_is_found_by_the_sweep(cloud: Lab) -> None:
    web = cloud.ask()
    cloud.look(web)
    cloud.forget_jobs()
    sweep(cloud.sessions, cloud.drivers)
    assert cloud.jobs(web) == 1
    assert cloud.look(web) == "underway"
    assert watches(cloud) == 1
