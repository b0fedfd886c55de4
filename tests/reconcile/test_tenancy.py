"""Departments in a pool that knows tenants: projects come with the first machine, and their quota is the ledger's."""

from collections.abc import Iterator
from typing import cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.errors import OthersProject
from controlplane.models import Department, Drift, Project
from controlplane.reconcile import tenancy
from controlplane.reconcile.sweep import sweep
from controlplane.services import departments, drift, pools
from provisioners.contract import Machine, Rejected, Unreachable
from provisioners.fake_driver import FakeCloud
from tests.factories import make_department
from tests.people import ADMIN
from tests.reconcile.lab import Lab


@pytest.fixture
def cloud(installation: Installation) -> Iterator[Lab]:
    """A lab whose one pool is a cloud, with a limit for the department that asks."""
    with Lab(installation) as made:
        with transaction(made.sessions) as session:
            pools.update(session, ADMIN, "hv-01", {"connection": {"node": "cloud", "cloud": True}})
        limit(made, vm=10, vcpu=40)
        yield made


IN_USE = Rejected("fake.project_in_use", "project environment still has ports")
STRANDED = {
    "existence": {"wanted": "absent", "observed": "present"},
    "refusal": {"wanted": None, "observed": str(IN_USE)},
}


@pytest.fixture
def two_clouds(installation: Installation) -> Iterator[Lab]:
    """A lab with two clouds, in each of which the department has a project."""
    with Lab(installation, hypervisors=2) as made:
        limit(made, vm=10, vcpu=40)
        for code in ("hv-01", "hv-02"):
            with transaction(made.sessions) as session:
                pools.update(session, ADMIN, code, {"connection": {"node": code, "cloud": True}})
            tenancy.ensure(made.sessions, made.driver(code), made.pool(code).id, "environment")
        yield made


def limit(lab: Lab, **limits: int | None) -> None:
    with transaction(lab.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", limits)


def over_there(lab: Lab) -> FakeCloud:
    return cast("FakeCloud", lab.driver())


def quota(lab: Lab) -> dict[str, int | None]:
    return over_there(lab).tenants(["environment"])["environment"].limits


def built(lab: Lab) -> UUID:
    web = lab.ask()
    while lab.look(web) == "underway":
        lab.driver().settle(web)
    return web


def follow(lab: Lab) -> int:
    with transaction(lab.sessions) as session:
        department = session.scalars(select(Department.id).where(Department.code == "environment")).one()
    return tenancy.follow(lab.sessions, lab.drivers, department)


def findings(lab: Lab) -> list[Drift]:
    with transaction(lab.sessions) as session:
        return list(session.scalars(select(Drift).where(Drift.kind == "quota").order_by(Drift.first_seen)))


def report_only(lab: Lab) -> None:
    with transaction(lab.sessions) as session:
        pools.update(session, ADMIN, "hv-01", {"drift_policy": "report"})


def changed_behind_our_back(lab: Lab) -> None:
    over_there(lab).set_tenant("environment", {**quota(lab), "vm": 99}, ())


def test_a_department_has_no_project_before_its_first_machine(cloud: Lab) -> None:
    assert over_there(cloud).tenants(["environment"]) == {}


def test_the_first_machine_brings_a_project_with_the_ledgers_limits(cloud: Lab) -> None:
    built(cloud)
    assert quota(cloud)["vm"] == 10
    assert quota(cloud)["vcpu"] == 40


def test_the_second_machine_writes_no_quota_again(cloud: Lab) -> None:
    built(cloud)
    cloud.driver().calls.clear()
    other = cloud.ask("web-02")
    cloud.look(other)
    assert "set_tenant" not in [step for step, _ in cloud.driver().calls]


def test_a_new_limit_asks_for_the_project_to_follow(cloud: Lab) -> None:
    built(cloud)
    limit(cloud, vm=20)
    with transaction(cloud.sessions) as session:
        waiting = session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'follow'"))
    assert waiting == 1
    assert follow(cloud) == 1
    assert quota(cloud)["vm"] == 20
    assert follow(cloud) == 0, "what is as it should be is not written again"


def test_a_limit_of_a_department_without_a_project_asks_for_nothing(cloud: Lab) -> None:
    limit(cloud, vm=20)
    with transaction(cloud.sessions) as session:
        assert not session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'follow'"))


def test_a_limit_above_binds_those_below(cloud: Lab) -> None:
    with transaction(cloud.sessions) as session:
        make_department(session, "above", limits={"vm": 4})
        session.execute(
            text("""
                UPDATE departments d SET parent_id = a.id, lineage = ARRAY[a.id, d.id]
                FROM departments a WHERE a.code = 'above' AND d.code = 'environment'
            """)
        )
    built(cloud)
    assert quota(cloud)["vm"] == 4


def test_a_quota_that_was_changed_over_there_is_drift_and_is_set_right(cloud: Lab) -> None:
    built(cloud)
    changed_behind_our_back(cloud)
    assert sweep(cloud.sessions, cloud.drivers).opened == 1
    [found] = findings(cloud)
    assert (found.name, found.differences) == ("environment", {"vm": {"wanted": 10, "observed": 99}})
    assert (found.outcome, quota(cloud)["vm"]) == ("repaired", 10)


def test_where_the_pool_only_reports_a_quota_waits_for_somebody(cloud: Lab) -> None:
    built(cloud)
    report_only(cloud)
    changed_behind_our_back(cloud)
    assert sweep(cloud.sessions, cloud.drivers).opened == 1
    assert sweep(cloud.sessions, cloud.drivers).opened == 0, "it is one finding"
    [found] = findings(cloud)
    assert (found.closed_at, quota(cloud)["vm"]) == (None, 99)
    with transaction(cloud.sessions) as session:
        drift.repair(session, ADMIN, found.id)
    sweep(cloud.sessions, cloud.drivers)
    assert (findings(cloud)[0].outcome, quota(cloud)["vm"]) == ("repaired", 10)


def test_a_quota_that_is_right_again_by_itself_is_no_finding_any_more(cloud: Lab) -> None:
    built(cloud)
    report_only(cloud)
    changed_behind_our_back(cloud)
    sweep(cloud.sessions, cloud.drivers)
    over_there(cloud).set_tenant("environment", {**quota(cloud), "vm": 10}, ())
    sweep(cloud.sessions, cloud.drivers)
    assert findings(cloud)[0].outcome == "vanished"


def test_a_project_that_somebody_removed_is_made_again(cloud: Lab) -> None:
    built(cloud)
    over_there(cloud).remove_tenant("environment")
    sweep(cloud.sessions, cloud.drivers)
    assert findings(cloud)[0].differences == {"existence": {"wanted": "present", "observed": "absent"}}
    assert quota(cloud)["vm"] == 10


def closed(lab: Lab) -> None:
    with transaction(lab.sessions) as session:
        session.execute(text("UPDATE departments SET deleted_at = now() WHERE code = 'environment'"))


def projects(lab: Lab) -> int | None:
    with transaction(lab.sessions) as session:
        return session.scalar(select(func.count()).select_from(Project))


def test_a_closed_department_leaves_no_project(cloud: Lab) -> None:
    built(cloud)
    closed(cloud)
    assert follow(cloud) == 1
    assert over_there(cloud).tenants(["environment"]) == {}
    assert projects(cloud) == 0
    sweep(cloud.sessions, cloud.drivers)
    assert findings(cloud) == [], "what went as it was to go is no finding"


def test_a_closed_departments_project_that_holds_something_is_a_finding_until_the_sweep_could_remove_it(
    cloud: Lab,
) -> None:
    built(cloud)
    report_only(cloud)
    closed(cloud)
    over_there(cloud).fail_next("remove_tenant", IN_USE)
    assert follow(cloud) == 0
    [found] = findings(cloud)
    assert (found.name, found.closed_at, found.decision, found.differences) == ("environment", None, "repair", STRANDED)
    over_there(cloud).fail_next("remove_tenant", IN_USE)
    assert sweep(cloud.sessions, cloud.drivers).opened == 0, "it is one finding"
    sweep(cloud.sessions, cloud.drivers)
    assert [found.outcome for found in findings(cloud)] == ["removed"]
    assert (over_there(cloud).tenants(["environment"]), projects(cloud)) == ({}, 0)


def test_the_sweep_finds_a_project_that_a_lost_job_left_behind(cloud: Lab) -> None:
    built(cloud)
    closed(cloud)
    sweep(cloud.sessions, cloud.drivers)
    assert projects(cloud) == 0


def test_a_finding_of_a_project_ends_with_the_last_project_of_its_pool(cloud: Lab) -> None:
    built(cloud)
    report_only(cloud)
    changed_behind_our_back(cloud)
    sweep(cloud.sessions, cloud.drivers)
    closed(cloud)
    follow(cloud)
    sweep(cloud.sessions, cloud.drivers)
    assert [found.outcome for found in findings(cloud)] == ["removed"]


@pytest.mark.parametrize("trouble", [IN_USE, Unreachable("no route")], ids=lambda e: type(e).__name__)
def test_a_pool_in_trouble_does_not_keep_a_closed_departments_project_in_another(
    two_clouds: Lab, trouble: Exception
) -> None:
    closed(two_clouds)
    two_clouds.driver("hv-01").fail_next("remove_tenant", trouble)
    if isinstance(trouble, Unreachable):
        with pytest.raises(Unreachable):
            follow(two_clouds)
    else:
        assert follow(two_clouds) == 1
    assert cast("FakeCloud", two_clouds.driver("hv-02")).tenants(["environment"]) == {}
    assert projects(two_clouds) == 1


def test_a_limit_that_the_pool_refuses_is_a_finding_and_written_by_a_later_sweep(cloud: Lab) -> None:
    built(cloud)
    report_only(cloud)
    limit(cloud, vm=20)
    over_there(cloud).fail_next("set_tenant", Rejected("fake.denied", "policy"))
    assert follow(cloud) == 0
    [found] = findings(cloud)
    assert found.differences["vm"] == {"wanted": 20, "observed": 10}
    assert found.differences["refusal"]["observed"] == "fake.denied: policy"
    sweep(cloud.sessions, cloud.drivers)
    assert (findings(cloud)[0].outcome, quota(cloud)["vm"]) == ("repaired", 20)


def test_a_project_that_is_refused_does_not_keep_the_check_from_the_others(cloud: Lab) -> None:
    built(cloud)
    with transaction(cloud.sessions) as session:
        make_department(session, "water", limits={"vm": 4})
    tenancy.ensure(cloud.sessions, cloud.driver(), cloud.pool().id, "water")
    changed_behind_our_back(cloud)
    over_there(cloud).set_tenant("water", {"vm": 99}, ())
    over_there(cloud).fail_next("set_tenant", Rejected("fake.denied", "policy"))
    assert sweep(cloud.sessions, cloud.drivers).opened == 2
    assert over_there(cloud).tenants(["water"])["water"].limits["vm"] == 4
    assert {found.name: found.outcome for found in findings(cloud)} == {"environment": None, "water": "repaired"}


# --- machines of others


def test_a_machine_in_another_departments_project_is_not_adopted(cloud: Lab) -> None:
    with transaction(cloud.sessions) as session:
        make_department(session, "water", limits={"vm": 4})
    tenancy.ensure(cloud.sessions, cloud.driver(), cloud.pool().id, "water")
    stranger = Machine(uuid4(), "legacy-db", "on", 1, 1024, 10, "", department="water")
    cloud.driver().put(stranger)
    sweep(cloud.sessions, cloud.drivers)
    with transaction(cloud.sessions) as session:
        found = session.scalars(select(Drift.id).where(Drift.kind == "unknown")).one()
    ask = {"department": "environment", "system": "monitoring"}
    with pytest.raises(OthersProject, match="water"), transaction(cloud.sessions) as session:
        drift.adopt(session, ADMIN, found, ask)
    with transaction(cloud.sessions) as session:
        session.execute(text("DELETE FROM projects"))
    with transaction(cloud.sessions) as session:
        assert drift.adopt(session, ADMIN, found, ask).name == "legacy-db", (
            "no department's project is known of that name"
        )
