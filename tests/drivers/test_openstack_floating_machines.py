"""Floating IPs and the machines that have them: made before the server, removed before it, and before its ports."""

from dataclasses import replace

import pytest
from uuid_utils.compat import uuid7

from provisioners.contract import Floating, MachineSpec, Nic, Rejected, Underway
from provisioners.openstack_driver import OpenStackDriver
from provisioners.openstack_ports import port_name
from provisioners.openstack_servers import noted, tag_of
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, SERVERS, Double, a_server
from tests.drivers.openstack_floating import FLOATING_IPS, OUTSIDE, PORT

NIC = Nic("52:54:00:00:00:07", "gov", "10.20.0.7", 24)
BUILT = a_machine(id=uuid7(), generation=4, nics=(NIC,))
FLOATING = replace(BUILT, floating=Floating("172.31.99.20", "ext"))


def make(region: Double, driver: OpenStackDriver, spec: MachineSpec) -> list[str]:
    """Have a machine made, and return what was asked for it of Neutron's floating IPs and what was ordered."""
    with pytest.raises(Underway):
        driver.create(spec)
    asked = [f"{r.method} {r.path}" for r in region.requests if r.path.startswith(FLOATING_IPS)]
    return asked + [f"POST {r.path}" for r in region.asked("POST", SERVERS)]


def test_a_new_machine_without_one_costs_no_call(region: Double, driver: OpenStackDriver) -> None:
    assert make(region, driver, replace(BUILT, generation=1)) == [f"POST {SERVERS}"]


def test_a_new_machine_with_one_has_it_before_the_server_which_says_so(region: Double, driver: OpenStackDriver) -> None:
    region.answers("POST", FLOATING_IPS, 201, {"floatingip": {}})
    network = {"id": "gov-network", "project_id": "centre", "shared": True}
    region.answers("GET", f"{NETWORK}/networks", body={"networks": [network]}, times=1)
    region.answers("GET", f"{NETWORK}/networks", body={"networks": [OUTSIDE]})
    done = make(region, driver, replace(FLOATING, generation=1))
    assert done == [f"GET {FLOATING_IPS}", f"POST {FLOATING_IPS}", f"POST {SERVERS}"]
    assert region.asked("POST", FLOATING_IPS)[0].body["floatingip"]["port_id"] == "new-port"
    assert region.asked("POST", SERVERS)[0].body["server"]["metadata"]["steppe:floating"] == "172.31.99.20"


def test_one_that_was_taken_away_from_a_machine_that_never_came_goes_before_the_next_try(
    region: Double, driver: OpenStackDriver
) -> None:
    left = {"id": "left", "description": tag_of(BUILT.id), "project_id": PROJECT, "floating_ip_address": "172.31.99.20"}
    region.answers("GET", FLOATING_IPS, body={"floatingips": [left]})
    region.answers("DELETE", f"{FLOATING_IPS}/left", 204)
    done = make(region, driver, replace(BUILT, generation=5))
    assert done == [f"GET {FLOATING_IPS}", f"DELETE {FLOATING_IPS}/left", f"POST {SERVERS}"]


def test_it_goes_before_the_server(region: Double, driver: OpenStackDriver) -> None:
    server = a_server(BUILT)
    server["metadata"] |= noted("172.31.99.20")
    left = {"id": "left", "description": tag_of(BUILT.id), "project_id": PROJECT}
    region.answers("GET", f"{SERVERS}/detail", body={"servers": [server]})
    region.answers("GET", FLOATING_IPS, body={"floatingips": [left]})
    for path in (f"{FLOATING_IPS}/left", f"{SERVERS}/{NOVAS}"):
        region.answers("DELETE", path, 204)
    with pytest.raises(Underway):
        driver.delete(BUILT.id)
    deleted = [r.path for r in region.requests if r.method == "DELETE"]
    assert deleted == [f"{FLOATING_IPS}/left", f"{SERVERS}/{NOVAS}"]


def test_where_the_server_is_gone_it_goes_before_the_port(region: Double, driver: OpenStackDriver) -> None:
    port = {"id": PORT, "name": port_name(BUILT.id, 0), "device_id": "", "project_id": PROJECT}
    left = {"id": "left", "description": tag_of(BUILT.id), "project_id": PROJECT}
    region.answers("GET", f"{NETWORK}/ports", body={"ports": [port]})
    region.answers("GET", FLOATING_IPS, body={"floatingips": [left]})
    for path in (f"{FLOATING_IPS}/left", f"{NETWORK}/ports/{PORT}"):
        region.answers("DELETE", path, 204)
    driver.delete(BUILT.id)
    deleted = [r.path for r in region.requests if r.method == "DELETE"]
    assert deleted == [f"{FLOATING_IPS}/left", f"{NETWORK}/ports/{PORT}"]


def test_a_department_has_no_quota_of_them(region: Double, driver: OpenStackDriver) -> None:
    for path in (f"/compute/v2.1/os-quota-sets/{PROJECT}", f"{NETWORK}/quotas/{PROJECT}"):
        region.answers("PUT", path, 200, {})
    driver.set_tenant("dsj", {"vm": 5, "vcpu": None, "memory_mib": None}, ())
    assert region.asked("PUT", f"{NETWORK}/quotas/{PROJECT}")[0].body["quota"]["floatingip"] == -1


def test_one_of_ours_that_leads_nowhere_does_not_keep_a_closed_departments_project(
    region: Double, driver: OpenStackDriver
) -> None:
    left = {"id": "left", "description": tag_of(BUILT.id), "project_id": PROJECT, "port_id": None}
    region.answers("GET", SERVERS, body={"servers": []})
    region.answers("GET", FLOATING_IPS, body={"floatingips": [left]})
    region.answers("DELETE", f"{FLOATING_IPS}/left", 204)
    with pytest.raises(Rejected, match="still has floatingips"):
        driver.remove_tenant("dsj")
    assert region.asked("DELETE", f"{FLOATING_IPS}/left")
