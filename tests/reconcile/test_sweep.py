"""The sweep finds what nobody asked a look for: what drifted behind our back, and what lost its job.

It must ask each pool once however much the pool holds, add nothing to what is waited for already, and let no pool that
is in trouble keep it from the others.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from controlplane.db import make_engine, make_sessions, transaction
from controlplane.models import Drift
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.sweep import sweep
from provisioners.contract import Driver, Machine, Rejected, Unreachable
from tests.reconcile.lab import Lab
from tests.relay import Relay


def swept(lab: Lab) -> int:
    return sweep(lab.sessions, lab.drivers).looks


def quiet(lab: Lab, *names: str) -> list[UUID]:
    """Build VMs and finish their jobs, so that nothing waits."""
    made = [lab.running(name) for name in names]
    lab.forget_jobs()
    return made


def machine(lab: Lab, resource: UUID) -> Machine:
    found = lab.machine(resource)
    assert found is not None
    return found


def test_where_all_is_as_wanted_nothing_is_asked_for(lab: Lab) -> None:
    web, db = quiet(lab, "web-01", "db-01")
    assert swept(lab) == 0
    assert (lab.jobs(web), lab.jobs(db)) == (0, 0)


def test_what_was_stopped_behind_our_back_is_found_and_started(lab: Lab) -> None:
    web, db = quiet(lab, "web-01", "db-01")
    lab.driver().put(replace(machine(lab, web), power="off"))
    assert swept(lab) == 1
    assert (lab.jobs(web), lab.jobs(db)) == (1, 0)
    assert lab.look(web) == "settled"
    assert machine(lab, web).power == "on"
    assert [action for _, action, _ in lab.actions(web)][-3:] == ["vm.drifted", "vm.running", "vm.drift_repaired"]


def test_what_was_deleted_behind_our_back_is_found_and_built_again(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    before = lab.picture(web)
    lab.driver().delete(web)
    assert swept(lab) == 1
    assert lab.look(web) == "settled"
    assert lab.picture(web) == before


def test_what_was_given_another_size_behind_our_back_is_found(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    before = lab.picture(web)
    lab.driver().put(replace(machine(lab, web), memory_mib=512))
    assert swept(lab) == 1
    assert lab.look(web) == "settled"
    assert lab.picture(web) == before


def test_what_was_started_behind_our_back_is_found_and_stopped(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    lab.done(web, "stop")
    lab.forget_jobs()
    lab.driver().put(replace(machine(lab, web), power="on"))
    assert swept(lab) == 1
    assert lab.look(web) == "settled"
    assert machine(lab, web).power == "off"


@pytest.mark.parametrize("verb", ["create", "stop", "delete"])
def test_what_is_in_transition_without_a_job_is_found(lab: Lab, verb: str) -> None:
    web = lab.ask() if verb == "create" else lab.running()
    if verb != "create":
        lab.act(web, verb)
    lab.forget_jobs()
    assert swept(lab) == 1
    assert lab.jobs(web) == 1


def test_what_is_in_transition_and_whose_job_failed_is_found(lab: Lab) -> None:
    web = lab.ask()
    with transaction(lab.sessions) as session:
        session.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
    assert swept(lab) == 1
    assert lab.jobs(web) == 1


def test_what_waits_for_its_job_is_not_asked_for_again(lab: Lab) -> None:
    web = lab.ask()
    assert swept(lab) == 0
    assert lab.jobs(web) == 1


def test_what_is_being_looked_at_is_not_asked_for_again(lab: Lab) -> None:
    web = lab.ask()
    with transaction(lab.sessions) as session:
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    assert swept(lab) == 0
    assert lab.jobs(web) == 0


def test_drift_that_waits_for_its_job_is_not_asked_for_again(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    lab.driver().put(replace(machine(lab, web), power="off"))
    assert swept(lab) == 1
    assert swept(lab) == 0
    assert lab.jobs(web) == 1


def test_what_is_faulted_waits_for_a_person(lab: Lab) -> None:
    web = lab.ask()
    lab.driver().fail_next("create", Rejected("fake.full", "the hypervisor is full"))
    assert lab.look(web) == "faulted"
    lab.forget_jobs()
    assert swept(lab) == 0
    assert lab.jobs(web) == 0


def test_what_is_gone_is_gone(lab: Lab) -> None:
    [web] = quiet(lab, "web-01")
    lab.done(web, "delete")
    lab.forget_jobs()
    assert swept(lab) == 0


def test_each_pool_is_asked_once_however_much_it_holds(wide_lab: Lab) -> None:
    made = quiet(wide_lab, *(f"web-{n}" for n in range(9)))
    pools = {wide_lab.pool_of(r) for r in made}
    assert len(pools) == 3, "the VMs are to be spread over the pools"
    before = {code: len(wide_lab.driver(code).calls) for code in pools}
    assert swept(wide_lab) == 0
    for code in pools:
        assert wide_lab.driver(code).calls[before[code] :] == [("discover", None)]


def test_a_pool_that_should_hold_nothing_is_asked_too(lab: Lab) -> None:
    assert swept(lab) == 0
    assert lab.driver().calls == [("discover", None)]


@pytest.mark.parametrize(
    "trouble",
    [
        Unreachable("no route"),
        Rejected("fake.denied", "wrong key"),
        RuntimeError("a bug in a driver"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_a_pool_in_trouble_does_not_keep_the_sweep_from_the_others(wide_lab: Lab, trouble: Exception) -> None:
    made = {wide_lab.pool_of(r): r for r in quiet(wide_lab, *(f"web-{n}" for n in range(9)))}
    assert len(made) == 3, "the VMs are to be spread over the pools"
    for code, resource in made.items():
        wide_lab.driver(code).delete(resource)
    wide_lab.driver("hv-01").fail_next("discover", trouble)
    assert swept(wide_lab) == 2
    assert [wide_lab.jobs(made[code]) for code in ("hv-01", "hv-02", "hv-03")] == [0, 1, 1]
    assert swept(wide_lab) == 1, "the next sweep finds what this one could not see"


def test_the_sweep_itself_touches_nothing(lab: Lab) -> None:
    web, db = quiet(lab, "web-01", "db-01")
    lab.driver().put(replace(machine(lab, web), power="off"))
    lab.driver().delete(db)
    machines, record = lab.machines(), lab.picture(web).record
    swept(lab)
    assert (lab.machines(), lab.picture(web).record) == (machines, record)


@pytest.mark.parametrize(("missing", "looks"), [(5, 5), (6, 0), (8, 0)])
def test_a_pool_that_lost_many_machines_at_once_is_left_to_a_person(lab: Lab, missing: int, looks: int) -> None:
    made = quiet(lab, *(f"web-{n}" for n in range(8)))
    for resource in made[:missing]:
        lab.driver().delete(resource)
    assert swept(lab) == looks
    with transaction(lab.sessions) as session:
        assert session.scalar(select(func.count()).select_from(Drift).where(Drift.closed_at.is_(None))) == missing


def test_what_the_database_refuses_while_it_works_keeps_no_other_pool_from_being_looked_at(lab: Lab) -> None:
    lab.driver().fail_next("discover", DeadlockDetected("two waited for each other"))
    assert sweep(lab.sessions, lab.drivers).passed_over == ("hv-01",)


def test_a_database_that_goes_away_meanwhile_ends_the_sweep_and_is_no_pools_trouble(lab: Lab, url: str) -> None:
    with Relay(url) as relay, capture_logs() as said:

        def connect(_driver: str, _connection: dict[str, Any]) -> Driver:
            relay.close()
            return lab.driver()

        engine = make_engine(relay.url)
        with pytest.raises(OperationalError):
            sweep(make_sessions(engine), Drivers(connect))
        engine.dispose()
    assert [line["event"] for line in said] == []
