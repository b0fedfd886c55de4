"""What a look did is saved only if it is still what is wanted, and quota and addresses move at the right moments.

People do not wait for drivers: while one works, its machine may be ordered otherwise or deleted. Here such things
happen exactly while a driver works, by a driver that lets something happen first.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from controlplane.db import transaction
from controlplane.errors import OverQuota
from controlplane.models import Resource
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.resource import reconcile
from controlplane.services import departments, resources
from provisioners import registry
from provisioners.contract import MachineDriver, Rejected
from tests import factories
from tests.factories import ask, vm
from tests.people import ADMIN
from tests.reconcile.lab import Lab

REFUSED = Rejected("fake.full", "the hypervisor is full")


class Interrupted:
    """A driver that lets something happen once, while it does a step."""

    def __init__(self, driver: MachineDriver, step: str, happening: Callable[[], None]) -> None:
        self._driver = driver
        self._happenings = {step: [happening]}

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._driver, name)

        def call(*args: Any) -> Any:
            done = act(*args)
            if self._happenings.get(name):
                self._happenings[name].pop()()
            return done

        return call


def while_it_does(lab: Lab, step: str, happening: Callable[[], None]) -> Drivers:
    """Return drivers of the lab's pools during whose `step` something happens."""
    nodes = lab.installation.settings.state_dir / "nodes"
    return Drivers(
        lambda name, connection: Interrupted(registry.connect(name, connection, nodes), step, happening)  # type: ignore[return-value]
    )


# --- something newer is wanted


def test_a_stop_that_is_overtaken_by_a_deletion_is_not_saved(lab: Lab) -> None:
    web = lab.running()
    lab.act(web, "stop")
    lab.forget_jobs()
    assert lab.look(web, while_it_does(lab, "stop", lambda: lab.act(web, "delete"))) == "superseded"
    record = lab.record(web)
    assert (record.state, record.generation, record.observed_generation) == ("deleting", 3, 1)
    assert ("worker", "vm.stopped", "success") not in lab.actions(web)
    assert lab.look(web) == "gone"
    assert (lab.machines(), lab.used()) == ([], {})


def test_what_was_overtaken_is_looked_at_again_even_if_every_other_job_is_lost(lab: Lab) -> None:
    web = lab.running()
    lab.act(web, "stop")

    def overtake() -> None:
        lab.act(web, "delete")
        lab.forget_jobs()

    assert lab.look(web, while_it_does(lab, "stop", overtake)) == "superseded"
    assert lab.jobs(web) == 1


def test_a_repair_that_is_overtaken_by_an_order_does_not_undo_it(lab: Lab) -> None:
    web = lab.running()
    found = lab.machine(web)
    assert found is not None
    lab.driver().put(replace(found, power="off"))
    assert lab.look(web, while_it_does(lab, "start", lambda: lab.act(web, "stop"))) == "superseded"
    assert lab.record(web).state == "changing"
    assert lab.look(web) == "settled"
    stopped = lab.machine(web)
    assert stopped is not None
    assert (lab.record(web).state, stopped.power) == ("stopped", "off")


def test_a_refusal_of_what_is_no_longer_wanted_is_no_fault(lab: Lab) -> None:
    web = lab.running()
    lab.act(web, "stop")

    def overtake() -> None:
        lab.act(web, "delete")
        raise REFUSED

    assert lab.look(web, while_it_does(lab, "stop", overtake)) == "superseded"
    record = lab.record(web)
    assert (record.state, record.fault_code) == ("deleting", None)


def test_a_deletion_before_the_first_look_builds_nothing(lab: Lab) -> None:
    web = lab.ask()
    lab.act(web, "delete")
    assert lab.look(web) == "gone"
    assert [step for step, _ in lab.driver().calls] == ["observe"]
    assert (lab.used(), lab.picture(web).claims) == ({}, [])


def test_a_deletion_while_it_is_built_leaves_no_machine(lab: Lab) -> None:
    web = lab.ask()
    assert lab.look(web, while_it_does(lab, "create", lambda: lab.act(web, "delete"))) == "superseded"
    assert lab.record(web).state == "deleting"
    assert [m.id for m in lab.machines()] == [web]
    assert lab.used()["environment", "vm"] == 1, "its quota is not free while its machine is there"
    assert lab.look(web) == "gone"
    left = lab.picture(web)
    assert (left.machines, left.used, left.claims, left.discrepancies) == ([], {}, [], [])


def test_what_was_deleted_by_another_look_meanwhile_is_not_saved_twice(lab: Lab) -> None:
    web = lab.running()
    lab.act(web, "delete")

    def another_look() -> None:
        assert lab.look(web) == "gone"

    assert lab.look(web, while_it_does(lab, "delete", another_look)) == "superseded"
    assert [a for _, a, _ in lab.actions(web)].count("vm.deleted") == 1
    assert lab.picture(web).discrepancies == []


def test_several_looks_at_once_build_one_machine(lab: Lab) -> None:
    web = lab.ask()
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: reconcile(lab.sessions, lab.drivers, web), range(8)))
    assert ended == ["settled"] * 8
    picture = lab.picture(web)
    assert (len(picture.machines), picture.record["state"], picture.discrepancies) == (1, "running", [])


def test_a_look_at_what_is_gone_or_never_was_does_nothing(lab: Lab) -> None:
    web = lab.running()
    lab.done(web, "delete")
    calls = len(lab.driver().calls)
    assert (lab.look(web), lab.look(uuid4())) == ("nothing", "nothing")
    assert len(lab.driver().calls) == calls


# --- when quota and addresses move


def test_growth_is_taken_at_once(lab: Lab) -> None:
    web = lab.running()
    lab.act(web, "resize", vcpu=8, memory_mib=8192, disk_gib=50)
    ordered = lab.used()
    assert ordered["environment", "vcpu"] == ordered["hv-01", "vcpu"] == 8
    assert lab.look(web) == "settled"
    assert lab.used() == ordered


def test_what_shrinks_is_given_back_when_it_is_done(lab: Lab) -> None:
    web = lab.running(vcpu=8, memory_mib=8192, disk_gib=50)
    before = lab.used()
    lab.act(web, "resize", vcpu=2, memory_mib=2048, disk_gib=50)
    assert lab.used() == before
    lab.driver().fail_next("start", REFUSED)
    assert lab.look(web) == "faulted"
    assert lab.used() == before
    lab.done(web, "retry")
    after = lab.used()
    for owner in ("environment", "hv-01"):
        assert (after[owner, "vcpu"], after[owner, "memory_mib"], after[owner, "disk_gib"]) == (2, 2048, 50)


def test_one_class_may_grow_while_another_shrinks(lab: Lab) -> None:
    web = lab.running()
    lab.act(web, "resize", vcpu=4, memory_mib=1024, disk_gib=50)
    ordered = lab.used()
    assert (ordered["environment", "vcpu"], ordered["environment", "memory_mib"]) == (4, 4096)
    assert lab.look(web) == "settled"
    done = lab.used()
    assert (done["environment", "vcpu"], done["environment", "memory_mib"]) == (4, 1024)
    assert lab.picture(web).discrepancies == []


def test_growth_beyond_the_quota_is_refused_and_nothing_is_wanted_otherwise(lab: Lab) -> None:
    web = lab.running()
    with transaction(lab.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", {"vcpu": 3})
    before = lab.picture(web)
    with pytest.raises(OverQuota):
        lab.act(web, "resize", vcpu=4, memory_mib=4096, disk_gib=50)
    assert lab.picture(web) == before
    assert lab.look(web) == "settled"


def test_departments_above_get_back_what_shrinks_and_what_goes(lab: Lab) -> None:
    with transaction(lab.sessions) as session:
        factories.make_department(session, "lake", parent="environment", limits=factories.ROOMY)
        factories.make_system(session, "lake", "lake-monitoring")
        [made] = ask(session, vm(system="lake-monitoring", vcpu=8, memory_mib=8192, disk_gib=50), department="lake")
        lake = made.id
    assert lab.look(lake) == "settled"
    assert lab.used()["environment", "vcpu"] == lab.used()["lake", "vcpu"] == 8
    lab.done(lake, "resize", vcpu=2, memory_mib=8192, disk_gib=50)
    assert lab.used()["environment", "vcpu"] == lab.used()["lake", "vcpu"] == 2
    lab.done(lake, "delete")
    assert lab.used() == {}


def test_a_deletion_frees_quota_and_address_only_when_the_machine_is_gone(lab: Lab) -> None:
    web = lab.running()
    before = lab.picture(web)
    lab.act(web, "delete")
    deleting = lab.picture(web)
    assert (deleting.used, deleting.claims) == (before.used, before.claims)
    other = lab.running("other")
    assert lab.picture(web).claims == ["10.1.0.2", "10.1.0.3"], "an address that may still answer is nobody else's"
    assert lab.look(web) == "gone"
    lab.done(other, "delete")
    assert (lab.used(), lab.picture(web).claims) == ({}, [])
    lab.ask("next")
    assert lab.picture(web).claims == ["10.1.0.2"]


# --- what the trail says


def test_the_trail_tells_what_was_asked_and_what_came_of_it_in_order(lab: Lab) -> None:
    web = lab.running()
    lab.done(web, "stop")
    lab.done(web, "resize", vcpu=4, memory_mib=4096, disk_gib=50)
    lab.act(web, "start")
    lab.driver().fail_next("start", REFUSED)
    lab.look(web)
    lab.done(web, "retry")
    lab.done(web, "delete")
    assert lab.actions(web) == [
        ("Admin", "vm.create", "success"),
        ("worker", "vm.running", "success"),
        ("Admin", "vm.stop", "success"),
        ("worker", "vm.stopped", "success"),
        ("Admin", "vm.resize", "success"),
        ("worker", "vm.stopped", "success"),
        ("Admin", "vm.start", "success"),
        ("worker", "vm.faulted", "failure"),
        ("Admin", "vm.retry", "success"),
        ("worker", "vm.running", "success"),
        ("Admin", "vm.delete", "success"),
        ("worker", "vm.deleted", "success"),
    ]


def test_a_look_that_finds_nothing_to_do_leaves_no_trace(lab: Lab) -> None:
    web = lab.running()
    before, version = lab.actions(web), lab.record(web).version
    assert lab.look(web) == "settled"
    assert (lab.actions(web), lab.record(web).version) == (before, version)
    assert lab.record(web).observed_at is not None


def test_what_a_failed_shrink_left_in_place_stays_taken_until_a_later_change_is_done(lab: Lab) -> None:
    web = lab.running(vcpu=8, memory_mib=4096, disk_gib=50)
    lab.driver().fail_next("resize", REFUSED)
    lab.act(web, "resize", vcpu=2, memory_mib=4096, disk_gib=50)
    assert lab.look(web) == "faulted"
    lab.act(web, "resize", vcpu=4, memory_mib=4096, disk_gib=50)
    assert lab.used()["environment", "vcpu"] == 8
    assert lab.look(web) == "settled"
    assert lab.used()["environment", "vcpu"] == 4


def test_a_machine_whose_deletion_was_refused_can_be_deleted_again(lab: Lab) -> None:
    web = lab.running()
    lab.driver().fail_next("delete", REFUSED)
    lab.act(web, "delete")
    assert lab.look(web) == "faulted"
    with transaction(lab.sessions) as session:
        assert resources.possible(session.get_one(Resource, web))["delete"]
    lab.done(web, "delete")
