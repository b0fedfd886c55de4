"""What departments let in, in a pool that knows tenants: brought after the commit, and set right by the sweep."""

from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.reconcile import tenancy
from controlplane.reconcile.sweep import sweep
from controlplane.services import ingress
from controlplane.services.ingress import NewRule
from provisioners.contract import Ingress, Rejected
from tests.people import ADMIN
from tests.reconcile.lab import Lab
from tests.reconcile.test_tenancy import built, closed, cloud, findings, follow, over_there, report_only
from tests.reconcile.test_tenancy_meanwhile import Interrupted, interrupted

__all__ = ["cloud", "interrupted"]

WEB, SSH = Ingress("tcp", "10.0.0.0/8", 443, 443), Ingress("tcp", "10.0.0.0/8", 22, 22)


def rule(lab: Lab, ports: str = "443", department: str = "environment") -> UUID:
    with transaction(lab.sessions) as session:
        return ingress.create(session, ADMIN, NewRule(department, "tcp", "10.0.0.0/8", ports)).id


def forget(lab: Lab, made: UUID) -> None:
    with transaction(lab.sessions) as session:
        ingress.delete(session, ADMIN, made)


def let_in(lab: Lab) -> set[Ingress]:
    return over_there(lab).ingress_of("environment")


def written(lab: Lab) -> int:
    return [step for step, _ in lab.driver().calls].count("set_tenant")


def test_a_departments_first_machine_brings_what_it_lets_in(cloud: Lab) -> None:
    rule(cloud)
    built(cloud)
    assert let_in(cloud) == {WEB}


def test_a_rule_asks_for_the_project_to_follow_and_so_does_its_removal(cloud: Lab) -> None:
    built(cloud)
    made = rule(cloud)
    with transaction(cloud.sessions) as session:
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'follow'")) == 1
    assert (follow(cloud), let_in(cloud)) == (1, {WEB})
    forget(cloud, made)
    assert (follow(cloud), let_in(cloud)) == (1, set())
    assert follow(cloud) == 0, "what is as it should be is not written again"


def test_a_rule_of_a_department_without_a_project_makes_none(cloud: Lab) -> None:
    rule(cloud)
    assert follow(cloud) == 0
    assert over_there(cloud).tenants(["environment"]) == {}


def test_a_rule_that_is_missing_over_there_is_drift_and_comes_back(cloud: Lab) -> None:
    rule(cloud)
    built(cloud)
    let_in(cloud).clear()
    assert sweep(cloud.sessions, cloud.drivers).opened == 1
    [found] = findings(cloud)
    assert found.differences == {"ingress": {"wanted": ["tcp/443 10.0.0.0/8"], "observed": []}}
    assert (found.outcome, let_in(cloud)) == ("repaired", {WEB})
    assert sweep(cloud.sessions, cloud.drivers).opened == 0


def test_a_rule_of_ours_that_nobody_wants_is_drift_and_goes(cloud: Lab) -> None:
    built(cloud)
    let_in(cloud).add(SSH)
    sweep(cloud.sessions, cloud.drivers)
    [found] = findings(cloud)
    assert found.differences == {"ingress": {"wanted": [], "observed": ["tcp/22 10.0.0.0/8"]}}
    assert (found.outcome, let_in(cloud)) == ("repaired", set())


def test_where_the_pool_only_reports_a_missing_rule_waits_for_somebody(cloud: Lab) -> None:
    rule(cloud)
    built(cloud)
    report_only(cloud)
    let_in(cloud).clear()
    sweep(cloud.sessions, cloud.drivers)
    sweep(cloud.sessions, cloud.drivers)
    [found] = findings(cloud)
    assert (found.closed_at, let_in(cloud)) == (None, set())


def test_a_sweep_that_finds_all_as_it_is_to_be_writes_nothing_and_asks_once(cloud: Lab) -> None:
    rule(cloud)
    built(cloud)
    cloud.driver().calls.clear()
    sweep(cloud.sessions, cloud.drivers)
    assert written(cloud) == 0
    assert [step for step, _ in cloud.driver().calls].count("astray") == 1


def test_a_rule_that_the_pool_refuses_is_a_finding_and_brought_by_a_later_sweep(cloud: Lab) -> None:
    built(cloud)
    report_only(cloud)
    rule(cloud)
    over_there(cloud).fail_next("set_tenant", Rejected("fake.denied", "policy"))
    assert follow(cloud) == 0
    [found] = findings(cloud)
    assert found.differences["ingress"] == {"wanted": ["tcp/443 10.0.0.0/8"], "observed": []}
    assert found.differences["refusal"]["observed"] == "fake.denied: policy"
    sweep(cloud.sessions, cloud.drivers)
    assert (findings(cloud)[0].outcome, let_in(cloud)) == ("repaired", {WEB})


def test_a_rule_that_is_added_while_the_first_project_is_made_is_brought(cloud: Lab, interrupted: Interrupted) -> None:
    interrupted.meanwhile.append(lambda: rule(cloud))
    tenancy.ensure(cloud.sessions, interrupted, cloud.pool().id, "environment")
    assert let_in(cloud) == {WEB}


def test_a_closed_departments_project_goes_with_what_it_let_in(cloud: Lab) -> None:
    rule(cloud)
    built(cloud)
    closed(cloud)
    assert follow(cloud) == 1
    assert (over_there(cloud).tenants(["environment"]), let_in(cloud)) == ({}, set())


@pytest.mark.parametrize("driver", ["fake", "libvirt"])
def test_a_pool_that_keeps_no_departments_apart_is_asked_nothing(installation: Installation, driver: str) -> None:
    with Lab(installation, driver=driver) as lab:
        rule(lab)
        assert follow(lab) == 0
        assert sweep(lab.sessions, lab.drivers).passed_over == ()
