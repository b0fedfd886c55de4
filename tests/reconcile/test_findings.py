"""What a check finds, tells once, has repaired, and sees end: on a fake pool and on libvirt's own simulated one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from provisioners.contract import Rejected, Unreachable
from tests.reconcile import behind
from tests.reconcile.behind import drift, drifts, policy, quiet, swept
from tests.reconcile.lab import Lab


@pytest.fixture(params=["fake", "libvirt"])
def lab(request: pytest.FixtureRequest, installation: Installation) -> Iterator[Lab]:
    """A lab with one hypervisor, of each driver in turn."""
    with Lab(installation, driver=request.param) as made:
        yield made


def power(wanted: str, observed: str) -> dict[str, Any]:
    return {"power": {"wanted": wanted, "observed": observed}}


DRIFTS: dict[str, tuple[Callable[[Lab, UUID], None], str, dict[str, Any]]] = {
    "stopped": (behind.stop, "different", power("on", "off")),
    "deleted": (behind.delete, "missing", {"existence": {"wanted": "present", "observed": "absent"}}),
    "of another size": (
        lambda lab, vm: behind.resize(lab, vm, vcpu=4, memory_mib=8192),
        "different",
        {"vcpu": {"wanted": 2, "observed": 4}, "memory_mib": {"wanted": 4096, "observed": 8192}},
    ),
    "of a larger disk": (
        lambda lab, vm: behind.resize(lab, vm, disk_gib=60),
        "different",
        {"disk_gib": {"wanted": 50, "observed": 60}},
    ),
}
every_drift = pytest.mark.parametrize(("change", "kind", "differences"), DRIFTS.values(), ids=DRIFTS.keys())

# A disk never shrinks: what becomes of one that grew is a test of its own.
REPAIRABLE = [change for name, (change, _, _) in DRIFTS.items() if name != "of a larger disk"]


def test_a_data_disk_that_was_taken_away_is_found_and_put_back(lab: Lab) -> None:
    web = lab.running(data_disks=[10, 30])
    lab.forget_jobs()
    behind.take_last_data_disk(lab, web)
    assert swept(lab).opened == 1
    found = drift(lab)
    assert (found.kind, found.differences) == ("different", {"data_disks": {"wanted": [10, 30], "observed": [10]}})
    assert lab.look(web) == "settled"
    machine = lab.machine(web)
    assert machine is not None
    assert (machine.data_disks, machine.power) == ((10, 30), "on")
    lab.forget_jobs()
    assert swept(lab).opened == 0
    assert drift(lab).outcome == "repaired"


def test_a_record_that_is_older_than_data_disks_agrees_with_a_machine_without(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    with transaction(lab.sessions) as session:
        session.execute(text("UPDATE resources SET wanted = wanted - 'data_disks'"))
    assert (swept(lab).opened, swept(lab).passed_over) == (0, ())
    lab.done(web, "resize", vcpu=4, memory_mib=8192, disk_gib=50, data_disks=[10])
    machine = lab.machine(web)
    assert machine is not None
    assert machine.data_disks == (10,)


@every_drift
def test_what_was_done_behind_our_back_is_found_with_both_sides(
    lab: Lab, change: Callable[[Lab, UUID], None], kind: str, differences: dict[str, Any]
) -> None:
    web, _db = quiet(lab, "web-01", "db-01")
    policy(lab, "report")
    change(lab, web)
    assert swept(lab).opened == 1
    found = drift(lab)
    assert (found.kind, found.resource_id, found.external_id, found.name) == (kind, web, web, "web-01")
    assert found.differences == differences
    assert (found.generation, found.closed_at, found.decision) == (1, None, None)


def test_what_was_started_behind_our_back_is_found(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    lab.done(web, "stop")
    lab.forget_jobs()
    behind.start(lab, web)
    swept(lab)
    assert drift(lab).differences == power("off", "on")


def test_where_all_is_as_recorded_nothing_is_found(lab: Lab) -> None:
    quiet(lab, "web-01", "db-01")
    assert swept(lab).opened == 0
    assert drifts(lab) == []


def test_a_machine_that_nobody_recorded_is_found_with_what_is_known_of_it(lab: Lab) -> None:
    machine = behind.make_foreign(lab)
    assert swept(lab).opened == 1
    found = drift(lab)
    assert (found.kind, found.external_id, found.resource_id, found.name) == ("unknown", machine, None, "legacy-db")
    assert {name: both["observed"] for name, both in found.differences.items()} == {
        "existence": "present", "power": "on", "vcpu": 3, "memory_mib": 512, "disk_gib": 7, "department": None,
        "system": None,
    }  # fmt: skip


def test_the_disk_of_a_stranger_is_still_known_at_the_next_check(lab: Lab) -> None:
    behind.make_foreign(lab)
    swept(lab)
    first = drift(lab)
    swept(lab)
    assert (drift(lab).differences, drift(lab).version) == (first.differences, first.version)
    assert drift(lab).last_seen > first.last_seen


def test_a_machine_that_nobody_recorded_is_never_touched(lab: Lab) -> None:
    machine = behind.make_foreign(lab)
    before = lab.machine(machine)
    assert [swept(lab).looks for _ in range(3)] == [0, 0, 0]
    assert lab.look(machine) == "nothing"
    assert lab.machine(machine) == before
    assert behind.foreign_disk_is_there(lab)


@pytest.mark.parametrize("change", REPAIRABLE)
def test_where_the_pool_repairs_the_next_look_repairs_and_ends_the_finding(
    lab: Lab, change: Callable[[Lab, UUID], None]
) -> None:
    [web] = quiet(lab, "web-01")
    before = lab.picture(web)
    change(lab, web)
    assert swept(lab).looks == 1
    assert (drift(lab).decision, drift(lab).decided_by_name) == ("repair", "worker")
    assert lab.look(web) == "settled"
    assert (drift(lab).outcome, drift(lab).closed_at is not None) == ("repaired", True)
    assert lab.picture(web) == before
    lab.forget_jobs()
    assert (swept(lab).looks, swept(lab).opened) == (0, 0)


def test_a_disk_that_grew_cannot_be_repaired_and_faults_its_resource(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    behind.resize(lab, web, disk_gib=60)
    swept(lab)
    assert lab.look(web) == "faulted"
    assert str(lab.record(web).fault_code).endswith("disk_shrinks")
    lab.forget_jobs()
    swept(lab)
    assert drift(lab).closed_at is None, "the finding stays until somebody decides"


def test_where_the_pool_only_reports_nothing_is_touched(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.stop(lab, web)
    assert swept(lab).looks == 0
    assert lab.jobs(web) == 0
    assert drift(lab).decision is None
    machine = lab.machine(web)
    assert machine is not None
    assert machine.power == "off"


def test_each_finding_is_told_once(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.stop(lab, web)
    with capture_logs() as lines:
        for _ in range(3):
            swept(lab)
    [alarm] = [line for line in lines if line["event"] == "drift.found"]
    assert (alarm["log_level"], alarm["kind"], alarm["name"], alarm["pool"]) == (
        "warning", "different", "web-01", "hv-01",
    )  # fmt: skip
    assert [action for _, action, _ in lab.actions(web)].count("vm.drifted") == 1
    assert len(drifts(lab)) == 1


def test_what_ended_and_begins_again_is_another_finding_and_told_again(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    for _ in range(2):
        behind.stop(lab, web)
        swept(lab)
        lab.look(web)
        lab.forget_jobs()
    assert [d.outcome for d in drifts(lab)] == ["repaired", "repaired"]
    assert [action for _, action, _ in lab.actions(web)].count("vm.drifted") == 2


def test_what_differs_more_at_the_next_check_is_the_same_finding(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.resize(lab, web, vcpu=4)
    swept(lab)
    behind.stop(lab, web)
    swept(lab)
    found = drift(lab)
    assert (found.differences.keys(), found.version) == ({"vcpu", "power"}, 2)


def test_what_differed_and_then_vanished_is_another_finding(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.stop(lab, web)
    swept(lab)
    behind.delete(lab, web)
    swept(lab)
    assert [(d.kind, d.outcome) for d in drifts(lab)] == [("different", "vanished"), ("missing", None)]


def test_what_mended_itself_is_told_as_vanished(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.stop(lab, web)
    swept(lab)
    behind.start(lab, web)
    swept(lab)
    assert drift(lab).outcome == "vanished"
    assert lab.actions(web)[-1] == ("worker", "vm.drift_vanished", "success")


def test_a_stranger_that_left_is_told_as_vanished(lab: Lab) -> None:
    machine = behind.make_foreign(lab)
    swept(lab)
    behind.take_foreign_away(lab, machine)
    swept(lab)
    assert drift(lab).outcome == "vanished"


def test_what_is_being_changed_is_no_drift(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    behind.stop(lab, web)
    lab.act(web, "stop")
    swept(lab)
    assert drifts(lab) == []


def test_what_waits_for_a_look_is_no_drift(lab: Lab) -> None:
    web = lab.running("web-01")
    assert lab.jobs(web) == 1
    behind.stop(lab, web)
    swept(lab)
    assert drifts(lab) == []


def test_an_order_for_a_resource_that_drifted_mends_it_and_ends_the_finding(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.delete(lab, web)
    swept(lab)
    lab.done(web, "reboot")
    assert drift(lab).outcome == "repaired"


def test_deleting_a_resource_that_drifted_ends_the_finding(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    policy(lab, "report")
    behind.stop(lab, web)
    swept(lab)
    lab.done(web, "delete")
    assert drift(lab).outcome == "vanished"


def test_a_machine_that_came_back_after_its_deletion_is_found_and_removed(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    spec = behind.spec_of(lab, web)
    lab.done(web, "delete")
    lab.forget_jobs()
    behind.restore(lab, spec)
    assert swept(lab).looks == 1
    found = drift(lab)
    assert (found.kind, found.resource_id, found.decision) == ("unknown", web, "repair")
    assert lab.look(web) == "gone"
    assert lab.machines() == []
    assert drift(lab).outcome == "removed"
    assert [action for _, action, _ in lab.actions(web)][-3:] == ["vm.deleted", "vm.drifted", "vm.drift_removed"]
    assert lab.used() == {}


def test_a_machine_that_came_back_stays_where_the_pool_only_reports(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    spec = behind.spec_of(lab, web)
    lab.done(web, "delete")
    lab.forget_jobs()
    policy(lab, "report")
    behind.restore(lab, spec)
    assert swept(lab).looks == 0
    assert lab.look(web) == "nothing"
    assert [m.id for m in lab.machines()] == [web]


def test_a_machine_that_lives_in_another_pool_is_unknown_here_and_left_alone(installation: Installation) -> None:
    with Lab(installation, hypervisors=2) as lab:
        [web] = quiet(lab, "web-01")
        other = {"hv-01": "hv-02", "hv-02": "hv-01"}[lab.pool_of(web)]
        lab.driver(other).create(behind.spec_of(lab, web))
        assert swept(lab).looks == 0
        found = drift(lab)
        assert (found.kind, found.resource_id, found.pool.code, found.decision) == ("unknown", web, other, None)


def test_two_checks_at_once_record_one_finding(lab: Lab) -> None:
    quiet(lab, "web-01", "web-02", "web-03")
    behind.make_foreign(lab)
    for machine in lab.machines():
        if machine.department:
            behind.stop(lab, machine.id)
    together = Barrier(4)

    def check(_: int) -> int:
        together.wait(10)
        return swept(lab).opened

    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(check, range(4)))
    assert sum(opened) == 4
    assert sorted(d.name for d in drifts(lab)) == ["legacy-db", "web-01", "web-02", "web-03"]
    assert [lab.jobs(d.external_id) for d in drifts(lab) if d.resource_id] == [1, 1, 1]


@pytest.mark.parametrize("trouble", [Unreachable("no route"), Rejected("fake.denied", "wrong key"), KeyError("bug")])
def test_a_pool_that_cannot_be_looked_at_ends_no_finding_and_is_said_so(
    installation: Installation, trouble: Exception
) -> None:
    with Lab(installation) as lab:
        [web] = quiet(lab, "web-01")
        policy(lab, "report")
        behind.stop(lab, web)
        swept(lab)
        lab.driver().fail_next("discover", trouble)
        assert swept(lab).passed_over == ("hv-01",)
        assert drift(lab).closed_at is None


def test_a_look_at_what_nobody_knows_is_nothing(lab: Lab) -> None:
    assert lab.look(uuid4()) == "nothing"
