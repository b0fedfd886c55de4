"""Whose servers of a region may be adopted into which department: a project of one is never made another's."""

from dataclasses import replace
from typing import Any

import pytest

from provisioners.contract import MachineSpec, Rejected
from provisioners.openstack_driver import OpenStackDriver
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import NOVAS, US, Double, a_server
from tests.drivers.test_openstack_refusals import OURS, ordered


def of_others(region: Double, *, ours: bool = True, domain: str = "default") -> MachineSpec:
    """Let a server run in a project called finance, in which we act or do not, and return it as dsj is to have it."""
    whole = a_server(tenant_id="others")
    region.answers("GET", OURS, body={"server": whole})
    project = {"id": "others", "name": "finance", "domain_id": domain}
    region.answers("GET", "/identity/v3/projects/others", body={"project": project})
    here = f"/identity/v3/projects/others/users/{US}/roles/member-role"
    region.answers("GET", here, *((204,) if ours else (404, {"error": {"code": 404, "message": "no role"}})))
    region.answers("PUT", f"{OURS}/tags/steppe", 201)
    region.answers("PUT", f"{OURS}/tags/steppe-{NOVAS}", 201)
    region.answers("POST", f"{OURS}/metadata", body={})
    return a_machine(id=NOVAS, name="web", adopted=True)


def test_a_server_in_another_departments_project_is_not_adopted(region: Double, driver: OpenStackDriver) -> None:
    spec = of_others(region)
    with pytest.raises(Rejected, match="finance") as refusal:
        driver.adopt(spec)
    assert refusal.value.code == "openstack.others_project"
    assert ordered(region) == []
    driver.adopt(replace(spec, department="finance"))


@pytest.mark.parametrize("whose", [{"ours": False}, {"domain": "another"}], ids=["not ours", "of another domain"])
def test_a_server_in_a_project_that_is_no_departments_is_adopted(
    region: Double, driver: OpenStackDriver, whose: dict[str, Any]
) -> None:
    driver.adopt(of_others(region, **whose))
    assert f"POST {OURS}/metadata" in ordered(region)


def test_a_server_whose_adoption_was_refused_is_never_deleted(region: Double, driver: OpenStackDriver) -> None:
    spec = of_others(region)
    with pytest.raises(Rejected, match="was adopted"):
        driver.delete(spec.id)
    assert ordered(region) == []
