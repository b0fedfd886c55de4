"""Networks of a department's own in a cloud: they come with the first machine on each and go with their subnet."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.reconcile import tenancy
from controlplane.reconcile.sweep import sweep
from controlplane.services import catalogue
from provisioners.contract import Rejected, Unreachable
from tests.factories import ROOMY, ask, make_department, make_subnet, make_system, vm
from tests.people import ADMIN
from tests.reconcile.lab import Lab
from tests.reconcile.test_tenancy import cloud, findings, follow, over_there, report_only

__all__ = ["cloud"]

LAB = ("lab-net", "10.7.0.0/24")
IN_USE = Rejected("fake.project_in_use", "network lab-net still has port 7")


def own_subnet(lab: Lab, code: str = "lab", cidr: str = LAB[1], **more: Any) -> None:
    with transaction(lab.sessions) as session:
        make_subnet(session, code, cidr, **{"network": LAB[0], "department": "environment", **more})


def built(lab: Lab, machine: UUID) -> UUID:
    while lab.look(machine) == "underway":
        lab.driver().settle(machine)
    return machine


def removed(lab: Lab, machine: UUID, code: str = "lab") -> None:
    """Remove a machine, and the subnet once it has none."""
    lab.act(machine, "delete")
    built(lab, machine)
    with transaction(lab.sessions) as session:
        catalogue.delete_subnet(session, ADMIN, code)


def there(lab: Lab) -> set[tuple[str, str]]:
    return set(over_there(lab).networks(["environment"])["environment"])


@pytest.fixture
def left(cloud: Lab) -> Lab:
    """The lab after the subnet of a network that was made was removed."""
    own_subnet(cloud)
    removed(cloud, built(cloud, cloud.ask(subnets=["lab"])))
    return cloud


def waiting(lab: Lab) -> int | None:
    with transaction(lab.sessions) as session:
        return session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'follow'"))


def test_an_order_says_whose_the_network_is_and_what_it_keeps(cloud: Lab) -> None:
    own_subnet(cloud, gateway="10.7.0.1")
    [own] = cloud.record(cloud.ask(subnets=["lab"])).wanted["nics"]
    assert own["own"] == {"department": "environment", "first": "10.7.0.252", "last": "10.7.0.254"}
    [everybodys] = cloud.record(cloud.ask("web-02")).wanted["nics"]
    assert everybodys["own"] is None


def test_a_machine_of_a_department_below_brings_the_owners_project_as_well(cloud: Lab) -> None:
    own_subnet(cloud)
    with transaction(cloud.sessions) as session:
        make_department(session, "stations", parent="environment", limits=ROOMY)
        make_system(session, "stations")
        made = ask(session, vm(subnets=["lab"]), department="stations")[0].id
    built(cloud, made)
    assert over_there(cloud).tenants(["environment", "stations"]).keys() == {"environment", "stations"}
    assert there(cloud) == {LAB}


def test_a_removed_subnet_asks_for_its_network_to_go(left: Lab) -> None:
    assert (waiting(left), there(left)) == (1, {LAB})
    assert follow(left) == 1
    assert there(left) == set()
    assert follow(left) == 0
    assert findings(left) == [], "what went as it was to go is no finding"


def test_a_subnet_of_nobodys_own_asks_for_nothing(cloud: Lab) -> None:
    own_subnet(cloud, department=None)
    removed(cloud, built(cloud, cloud.ask(subnets=["lab"])))
    assert waiting(cloud) == 0


def test_a_sweep_finds_what_a_lost_job_left_whatever_the_pools_policy(left: Lab) -> None:
    left.forget_jobs()
    report_only(left)
    assert sweep(left.sessions, left.drivers).opened == 0
    assert there(left) == set()


def test_networks_that_are_recorded_stay_with_each_of_their_ranges(cloud: Lab) -> None:
    own_subnet(cloud)
    own_subnet(cloud, "lab-6", "fd07::/64")
    built(cloud, cloud.ask("web-02", subnets=["lab"]))
    removed(cloud, built(cloud, cloud.ask(subnets=["lab-6"])), "lab-6")
    sweep(cloud.sessions, cloud.drivers)
    assert there(cloud) == {LAB}


def test_a_network_that_was_begun_and_has_no_range_yet_stays_while_it_is_recorded(cloud: Lab) -> None:
    own_subnet(cloud)
    tenancy.ensure(cloud.sessions, cloud.driver(), cloud.pool().id, "environment")
    over_there(cloud).put_network("environment", LAB[0], "")
    over_there(cloud).put_network("environment", "other", "")
    sweep(cloud.sessions, cloud.drivers)
    assert there(cloud) == {(LAB[0], "")}


def test_one_that_somebody_uses_is_a_finding_until_it_goes(left: Lab) -> None:
    report_only(left)
    over_there(left).fail_next("remove_network", IN_USE)
    assert follow(left) == 0
    [found] = findings(left)
    assert (found.name, found.decision, found.closed_at) == ("environment", "repair", None)
    assert found.differences == {
        "network": {"wanted": "absent", "observed": "lab-net 10.7.0.0/24"},
        "refusal": {"wanted": None, "observed": str(IN_USE)},
    }
    over_there(left).fail_next("remove_network", IN_USE)
    assert sweep(left.sessions, left.drivers).opened == 0, "it is one finding"
    sweep(left.sessions, left.drivers)
    assert ([found.outcome for found in findings(left)], there(left)) == (["repaired"], set())


def test_a_cloud_that_is_away_keeps_its_finding_and_is_asked_again(left: Lab) -> None:
    over_there(left).fail_next("remove_network", IN_USE)
    follow(left)
    over_there(left).fail_next("remove_network", Unreachable("no route"))
    with pytest.raises(Unreachable):
        follow(left)
    over_there(left).fail_next("remove_network", Unreachable("no route"))
    sweep(left.sessions, left.drivers)
    assert [found.outcome for found in findings(left)] == [None]


def test_a_network_stays_however_its_range_was_written_down(cloud: Lab) -> None:
    own_subnet(cloud, cidr="10.7.0.0/255.255.255.0")
    built(cloud, cloud.ask(subnets=["lab"]))
    before = there(cloud)
    sweep(cloud.sessions, cloud.drivers)
    assert there(cloud) == before == {LAB}
