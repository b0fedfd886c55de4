"""Each decision on each kind of drift, on a fake pool and on libvirt's own simulated one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.errors import (
    AddressTaken,
    AlreadyExists,
    DriftOver,
    Invalid,
    LivesElsewhere,
    NotFound,
    NothingToAccept,
    NothingToAdopt,
    NotItsDisk,
    NotOurs,
    OverQuota,
    Refusal,
    Stale,
    WasOurs,
)
from controlplane.kinds import FOUND
from controlplane.lookups import history
from controlplane.models import Drift, Pool
from controlplane.services import departments, resources
from controlplane.services import drift as service
from controlplane.services.resources import Order
from quotas.limits import set_limit
from tests.people import ADMIN
from tests.reconcile import behind
from tests.reconcile.behind import drift, drifts, policy, quiet, swept
from tests.reconcile.lab import Lab

OURS = {"department": "environment", "system": "monitoring"}
Act = Callable[[Lab, UUID], None]


@pytest.fixture(params=["fake", "libvirt"])
def lab(request: pytest.FixtureRequest, installation: Installation) -> Iterator[Lab]:
    """A lab with one hypervisor that only reports, of each driver in turn."""
    with Lab(installation, driver=request.param) as made:
        policy(made, "report")
        yield made


def decide(lab: Lab, verb: str, finding: Drift, *more: Any, **named: Any) -> Any:
    with transaction(lab.sessions) as session:
        return getattr(service, verb)(session, ADMIN, finding.id, *more, **named)


def found(lab: Lab, change: Act, name: str = "web-01") -> tuple[UUID, Drift]:
    """Build a VM, change it behind our back, and return it with the finding that comes of it."""
    [web] = quiet(lab, name)
    change(lab, web)
    swept(lab)
    return web, drift(lab)


def stranger(lab: Lab, **more: Any) -> tuple[UUID, Drift]:
    machine = behind.make_foreign(lab, **more)
    swept(lab)
    return machine, next(d for d in drifts(lab) if d.external_id == machine)


def bigger(lab: Lab, web: UUID) -> None:
    behind.resize(lab, web, vcpu=4, memory_mib=8192, disk_gib=60)


def come_back(lab: Lab, web: UUID) -> None:
    spec = behind.spec_of(lab, web)
    lab.done(web, "delete")
    lab.forget_jobs()
    behind.restore(lab, spec)


# --- repair


@pytest.mark.parametrize(
    "change", [behind.stop, behind.delete, lambda lab, web: behind.resize(lab, web, vcpu=4)], ids=["off", "gone", "big"]
)
def test_repair_makes_it_as_recorded(lab: Lab, change: Act) -> None:
    [web] = quiet(lab, "web-01")
    before = lab.picture(web)
    change(lab, web)
    swept(lab)
    decide(lab, "repair", drift(lab))
    assert (drift(lab).decision, drift(lab).decided_by_name, drift(lab).closed_at) == ("repair", "Admin", None)
    assert lab.look(web) == "settled"
    assert lab.picture(web) == before
    assert drift(lab).outcome == "repaired"
    assert [a for _, a, _ in lab.actions(web)][-4:] == [
        "vm.drifted", "vm.drift_repair", "vm.running", "vm.drift_repaired",
    ]  # fmt: skip


def test_repair_removes_a_machine_that_came_back_after_its_deletion(lab: Lab) -> None:
    web, finding = found(lab, come_back)
    decide(lab, "repair", finding)
    assert lab.look(web) == "gone"
    assert (lab.machines(), drift(lab).outcome) == ([], "removed")


def test_a_repair_whose_job_was_lost_is_asked_for_again_by_the_sweep(lab: Lab) -> None:
    web, finding = found(lab, behind.stop)
    decide(lab, "repair", finding)
    lab.forget_jobs()
    assert swept(lab).looks == 1
    assert lab.jobs(web) == 1


def test_what_steppe_never_made_is_not_removed(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    with pytest.raises(NotOurs):
        decide(lab, "repair", finding)
    assert len(lab.machines()) == 1


# --- accept


def test_accepting_a_machine_that_was_switched_off_records_it_as_stopped(lab: Lab) -> None:
    web, finding = found(lab, behind.stop)
    decide(lab, "accept", finding)
    assert drift(lab).outcome == "accepted"
    assert lab.look(web) == "settled"
    assert (lab.record(web).state, lab.record(web).wanted["power"], lab.record(web).generation) == ("stopped", "off", 2)
    lab.forget_jobs()
    assert swept(lab).opened == 0


def test_accepting_another_size_takes_it_from_quota_and_capacity_at_once(lab: Lab) -> None:
    web, finding = found(lab, bigger)
    decide(lab, "accept", finding)
    picture = lab.picture(web)
    size = {"vcpu": 4, "memory_mib": 8192, "disk_gib": 60}
    for owner in ("environment", "hv-01"):
        assert {c: picture.used[owner, c] for c in size} == size
    assert picture.discrepancies == []
    spec = lab.record(web).spec
    assert {c: spec[c] for c in size} == size
    assert "flavor" not in spec
    assert lab.look(web) == "settled"
    lab.forget_jobs()
    assert swept(lab).opened == 0


def test_accepting_a_smaller_size_gives_back_at_once(lab: Lab) -> None:
    web, finding = found(lab, lambda lab, web: behind.resize(lab, web, vcpu=1, memory_mib=1024))
    decide(lab, "accept", finding)
    assert lab.used()["environment", "vcpu"] == 1
    assert lab.used()["hv-01", "memory_mib"] == 1024
    assert lab.picture(web).discrepancies == []


def test_accepting_that_a_data_disk_is_gone_gives_its_quota_back(lab: Lab) -> None:
    web = lab.running(data_disks=[10, 30])
    lab.forget_jobs()
    behind.take_last_data_disk(lab, web)
    swept(lab)
    decide(lab, "accept", drift(lab))
    picture, record = lab.picture(web), lab.record(web)
    assert (record.wanted["data_disks"], record.spec["data_disks"], record.spec["flavor"]) == ([10], [10], "small")
    assert picture.used["environment", "disk_gib"] == picture.used["hv-01", "disk_gib"] == 60
    assert picture.discrepancies == []
    assert lab.look(web) == "settled"
    lab.forget_jobs()
    assert swept(lab).opened == 0


def test_that_a_data_disk_is_gone_from_before_another_cannot_be_accepted(lab: Lab) -> None:
    web = lab.running(data_disks=[10, 30])
    with pytest.raises(Invalid, match="data disk 1 is gone"):
        FOUND["vm"].accept(lab.record(web), {"data_disks": [0, 30]})


@pytest.mark.parametrize("owner", ["department", "pool"])
def test_growth_that_does_not_fit_is_refused_with_the_numbers(lab: Lab, owner: str) -> None:
    web, finding = found(lab, bigger)
    with transaction(lab.sessions) as session:
        if owner == "department":
            departments.set_quota(session, ADMIN, "environment", {"vcpu": 3})
        else:
            set_limit(session, lab.pool().id, "pool", {"vcpu": 3})
    before = lab.picture(web)
    with pytest.raises(OverQuota) as refused:
        decide(lab, "accept", finding)
    numbers = refused.value.numbers()
    assert (numbers["class"], numbers["owner_kind"], numbers["limit"], numbers["used"], numbers["asked"]) == (
        "vcpu", owner, 3, 2, 2,
    )  # fmt: skip
    assert lab.picture(web) == before
    assert drift(lab).closed_at is None


def test_accepting_that_it_is_missing_records_it_as_deleted_and_gives_everything_back(lab: Lab) -> None:
    web, finding = found(lab, behind.delete)
    decide(lab, "accept", finding)
    picture = lab.picture(web)
    assert (picture.record["state"], picture.record["deleted"], picture.record["desired"]) == (
        "deleted",
        True,
        "absent",
    )
    assert (picture.used, picture.claims, picture.machines, picture.discrepancies) == ({}, [], [], [])
    assert [a for _, a, _ in lab.actions(web)][-2:] == ["vm.deleted", "vm.drift_accepted"]
    assert lab.look(web) == "nothing"
    assert lab.running("web-01") != web, "its name is free again"


def test_accepting_that_a_part_is_missing_clears_the_rest_away(installation: Installation) -> None:
    with Lab(installation) as lab:
        policy(lab, "report")
        web, finding = found(lab, lambda lab, web: lab.driver().put(_broken(lab, web)))
        assert finding.kind == "missing"
        decide(lab, "accept", finding)
        assert lab.look(web) == "gone"
        assert (lab.machines(), lab.used()) == ([], {})


def _broken(lab: Lab, web: UUID) -> Any:
    machine = lab.machine(web)
    assert machine is not None
    return replace(machine, complete=False)


def test_what_has_no_record_cannot_be_accepted(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    with pytest.raises(NothingToAccept):
        decide(lab, "accept", finding)


def test_a_finding_is_decided_once(lab: Lab) -> None:
    _web, finding = found(lab, behind.stop)
    decide(lab, "accept", finding)
    for verb in ("accept", "repair"):
        with pytest.raises(DriftOver):
            decide(lab, verb, finding)


def test_a_finding_that_changed_since_it_was_read_is_not_decided_on(lab: Lab) -> None:
    web, finding = found(lab, behind.stop)
    behind.resize(lab, web, vcpu=4)
    behind.stop(lab, web)
    swept(lab)
    with pytest.raises(Stale):
        decide(lab, "accept", finding, version=finding.version)


def test_what_was_ordered_otherwise_since_is_not_overruled(lab: Lab) -> None:
    web, finding = found(lab, behind.stop)
    lab.act(web, "resize", vcpu=4, memory_mib=8192, disk_gib=50)
    with pytest.raises(Stale):
        decide(lab, "accept", finding)
    assert lab.record(web).wanted["power"] == "on"


def test_accepting_while_somebody_resizes_leaves_one_of_both_and_a_ledger_that_agrees(lab: Lab) -> None:
    web, finding = found(lab, lambda lab, web: behind.resize(lab, web, vcpu=3))
    together = Barrier(2)

    def resize() -> None:
        together.wait(10)
        with transaction(lab.sessions) as session:
            size = {"vcpu": 8, "memory_mib": 4096, "disk_gib": 50}
            resources.act(session, ADMIN, Order("vm", web, "resize", size, version=version))

    def accept() -> None:
        together.wait(10)
        decide(lab, "accept", finding)

    version = lab.record(web).version
    with ThreadPoolExecutor(2) as threads:
        ended = [threads.submit(work) for work in (resize, accept)]
        refusals = [work.exception(30) for work in ended]
    assert [type(r) for r in refusals if r] == [Stale], "just one of them came too late"
    lab.look(web)
    picture = lab.picture(web)
    assert picture.used["environment", "vcpu"] == (3 if refusals[0] else 8)
    assert picture.machines[0].vcpu == picture.used["environment", "vcpu"]
    assert picture.discrepancies == []


# --- adopt


def test_a_stranger_is_adopted_with_its_sizes_quota_capacity_and_addresses(lab: Lab) -> None:
    machine, finding = stranger(lab)
    decide(lab, "adopt", finding, {**OURS, "name": "legacy", "addresses": {"business": "10.1.0.77"}})
    assert lab.look(machine) == "settled"
    picture = lab.picture(machine)
    assert picture.record["state"] == "running"
    for owner in ("environment", "hv-01"):
        used = {c: picture.used[owner, c] for c in ("vm", "vcpu", "memory_mib", "disk_gib")}
        assert used == {"vm": 1, "vcpu": 3, "memory_mib": 512, "disk_gib": 7}
    assert picture.claims == ["10.1.0.77"]
    assert picture.discrepancies == []
    [found] = picture.machines
    assert (found.adopted, found.power, found.department, found.system) == (True, "on", "environment", "monitoring")
    assert (drift(lab).outcome, drift(lab).resource_id) == ("adopted", machine)
    lab.forget_jobs()
    assert (swept(lab).opened, swept(lab).looks) == (0, 0)


def test_the_data_disks_of_a_stranger_are_adopted_and_counted(lab: Lab) -> None:
    machine = behind.make_foreign(lab, data_gib=50)
    swept(lab)
    swept(lab)
    finding = drift(lab)
    assert finding.differences["disk_gib"]["observed"] == 7
    assert finding.differences["data_disks"]["observed"] == [50]
    decide(lab, "adopt", finding, OURS)
    assert lab.look(machine) == "settled"
    picture, record = lab.picture(machine), lab.record(machine)
    assert (record.wanted["disk_gib"], record.wanted["data_disks"], record.spec["data_disks"]) == (7, [50], [50])
    assert picture.used["environment", "disk_gib"] == picture.used["hv-01", "disk_gib"] == 57
    assert picture.discrepancies == []
    lab.forget_jobs()
    assert swept(lab).opened == 0
    with pytest.raises(NotItsDisk):
        lab.act(machine, "resize", vcpu=3, memory_mib=512, disk_gib=7, data_disks=[50, 10])
    lab.done(machine, "resize", vcpu=4, memory_mib=512, disk_gib=7)
    assert lab.used()["environment", "disk_gib"] == 57


def test_an_adopted_machine_keeps_its_own_name_where_none_is_given(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    assert decide(lab, "adopt", finding, OURS).name == "legacy-db"


@pytest.fixture
def adopted(lab: Lab) -> UUID:
    machine, finding = stranger(lab)
    decide(lab, "adopt", finding, OURS)
    assert lab.look(machine) == "settled"
    lab.forget_jobs()
    return machine


def test_an_adopted_machine_is_stopped_started_rebooted_and_resized(lab: Lab, adopted: UUID) -> None:
    for verb, state in (("stop", "stopped"), ("start", "running"), ("reboot", "running")):
        lab.done(adopted, verb)
        assert lab.record(adopted).state == state
    lab.done(adopted, "resize", vcpu=4, memory_mib=1024, disk_gib=7)
    machine = lab.machine(adopted)
    assert machine is not None
    assert (machine.vcpu, machine.memory_mib, machine.disk_gib, machine.power) == (4, 1024, 7, "on")
    assert lab.used()["environment", "vcpu"] == 4


def test_the_disk_of_an_adopted_machine_is_neither_grown_nor_rebuilt(lab: Lab, adopted: UUID) -> None:
    with pytest.raises(NotItsDisk):
        lab.act(adopted, "resize", vcpu=4, memory_mib=1024, disk_gib=20)
    with pytest.raises(NotItsDisk):
        lab.act(adopted, "rebuild", image="debian-12")


def test_deleting_an_adopted_machine_leaves_its_disk_and_the_trail_says_so(lab: Lab, adopted: UUID) -> None:
    lab.done(adopted, "delete")
    assert (lab.machines(), lab.used()) == ([], {})
    assert behind.foreign_disk_is_there(lab)
    with transaction(lab.sessions) as session:
        [deleted] = [e for e in history(session, ADMIN, adopted) if e.action == "vm.deleted"]
    assert len(deleted.details["disks_left"]) == 1


def test_drift_of_an_adopted_machine_is_found_and_repaired(lab: Lab, adopted: UUID) -> None:
    behind.stop(lab, adopted)
    swept(lab)
    finding = drifts(lab)[-1]
    assert (finding.kind, finding.differences.keys()) == ("different", {"power"})
    decide(lab, "repair", finding)
    assert lab.look(adopted) == "settled"
    machine = lab.machine(adopted)
    assert machine is not None
    assert machine.power == "on"


def test_an_adopted_machine_that_vanished_is_not_made_anew_but_faulted(lab: Lab, adopted: UUID) -> None:
    behind.take_foreign_away(lab, adopted)
    swept(lab)
    decide(lab, "repair", drifts(lab)[-1])
    assert lab.look(adopted) == "faulted"
    assert str(lab.record(adopted).fault_code).endswith(".adopted")
    assert lab.machines() == []


def refused_adoption(lab: Lab, finding: Drift, body: dict[str, Any], refusal: type[Refusal]) -> Refusal:
    before = lab.used()
    with pytest.raises(refusal) as refused:
        decide(lab, "adopt", finding, body)
    assert lab.used() == before
    assert next(d for d in drifts(lab) if d.id == finding.id).closed_at is None
    return refused.value


def test_an_adoption_over_quota_is_refused_with_the_numbers(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    with transaction(lab.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", {"vcpu": 2})
    refusal = refused_adoption(lab, finding, OURS, OverQuota)
    assert (refusal.numbers()["class"], refusal.numbers()["asked"]) == ("vcpu", 3)


def test_an_adoption_that_the_pools_capacity_does_not_cover_is_refused(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    with transaction(lab.sessions) as session:
        set_limit(session, lab.pool().id, "pool", {"disk_gib": 6})
    assert refused_adoption(lab, finding, OURS, OverQuota).numbers()["owner_kind"] == "pool"


BAD_ADOPTIONS: dict[str, tuple[dict[str, Any], type[Refusal]]] = {
    "no such department": ({**OURS, "department": "nobody"}, NotFound),
    "no such system": ({**OURS, "system": "nothing"}, NotFound),
    "no such subnet": ({**OURS, "addresses": {"nowhere": "10.1.0.5"}}, NotFound),
    "an address of another subnet": ({**OURS, "addresses": {"business": "10.2.0.5"}}, Invalid),
    "the gateway": ({**OURS, "addresses": {"business": "10.1.0.1"}}, Invalid),
    "no address": ({**OURS, "addresses": {"business": "everywhere"}}, Invalid),
    "an address that is taken": ({**OURS, "addresses": {"business": "10.1.0.2"}}, AddressTaken),
    "a name that is taken": ({**OURS, "name": "web-01"}, AlreadyExists),
    "a name that is none": ({**OURS, "name": "No Name"}, Invalid),
    "another size than was found": ({**OURS, "disk_gib": 9}, Invalid),
    "an unknown field": ({**OURS, "vcpu": 1}, Invalid),
}


@pytest.mark.parametrize(("body", "refusal"), BAD_ADOPTIONS.values(), ids=BAD_ADOPTIONS.keys())
def test_a_bad_adoption_is_refused_and_takes_nothing(lab: Lab, body: dict[str, Any], refusal: type[Refusal]) -> None:
    quiet(lab, "web-01")
    _machine, finding = stranger(lab)
    refused_adoption(lab, finding, body, refusal)


def test_a_system_is_not_adopted_into_a_pool_below_its_level(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    with transaction(lab.sessions) as session:
        pool = session.get(Pool, finding.pool_id)
        assert pool is not None
        pool.mlps_level = 1
    refused_adoption(lab, finding, OURS, Invalid)


def test_what_came_back_after_its_deletion_is_not_adopted(lab: Lab) -> None:
    _web, finding = found(lab, come_back)
    refused_adoption(lab, finding, OURS, WasOurs)


def test_what_is_recorded_is_not_adopted(lab: Lab) -> None:
    _web, finding = found(lab, behind.stop)
    refused_adoption(lab, finding, OURS, NothingToAdopt)


def test_what_lives_in_another_pool_is_neither_removed_nor_adopted(installation: Installation) -> None:
    with Lab(installation, hypervisors=2) as lab:
        [web] = quiet(lab, "web-01")
        other = {"hv-01": "hv-02", "hv-02": "hv-01"}[lab.pool_of(web)]
        lab.driver(other).create(behind.spec_of(lab, web))
        swept(lab)
        refused_adoption(lab, drift(lab), OURS, LivesElsewhere)
        with pytest.raises(LivesElsewhere):
            decide(lab, "repair", drift(lab))


def test_two_who_adopt_the_same_machine_make_one_resource(lab: Lab) -> None:
    _machine, finding = stranger(lab)
    together = Barrier(2)

    def adopt(name: str) -> None:
        together.wait(10)
        decide(lab, "adopt", finding, {**OURS, "name": name})

    with ThreadPoolExecutor(2) as threads:
        ended = [threads.submit(adopt, name) for name in ("one", "two")]
        refusals = [work.exception(30) for work in ended]
    assert [type(r) for r in refusals if r] == [DriftOver]
    assert lab.used()["environment", "vm"] == 1
