"""Networks that are a department's own: made and finished, once, whoever is faster; and taken down in order."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioners.contract import MachineSpec, Nic, OwnNetwork, Rejected, Underway, Unreachable
from provisioners.openstack_catalogue import OURS
from provisioners.openstack_driver import OpenStackDriver, connect
from tests.drivers import openstack_double as double
from tests.drivers.openstack_double import NETWORK, PROJECT, SERVERS, Double
from tests.drivers.test_openstack_refusals import SPEC, neutron, ordered

OWN = OwnNetwork("dsj", "10.7.0.252", "10.7.0.254")
NIC = Nic("52:54:00:00:00:07", "lab", "10.7.0.7", 24, "10.7.0.1", ("10.7.0.53", "fd00::53"), OWN)
NIC6 = Nic("52:54:00:00:00:08", "lab", "fd07::7", 64, "fd07::1", (), OwnNetwork("dsj", "fd07::fffd", "fd07::ffff"))
ON_OWN = replace(SPEC, nics=(NIC,))
NETWORKS, SUBNETS, ROUTERS = f"{NETWORK}/networks", f"{NETWORK}/subnets", f"{NETWORK}/routers"
PORTS, SHARES = f"{NETWORK}/ports", f"{NETWORK}/rbac-policies"
LINK, UNLINK = f"{ROUTERS}/steppes/add_router_interface", f"{ROUTERS}/steppes/remove_router_interface"
ASKED = ["POST /compute/v2.1/flavors", f"POST {PORTS}", f"POST {SERVERS}"]
"""What is ordered for the machine itself."""


def a_network(id_: str = "labs", **changes: Any) -> dict[str, Any]:
    made = {"id": id_, "name": "lab", "project_id": PROJECT, "description": OURS, "shared": False}
    return {**made, "created_at": "2026-01-01T00:00:00Z", **changes}


def a_subnet(id_: str = "labs-v4", **changes: Any) -> dict[str, Any]:
    made = {"id": id_, "name": "lab", "network_id": "labs", "cidr": "10.7.0.0/24", "gateway_ip": "10.7.0.1"}
    return {**made, "dns_nameservers": ["10.7.0.53"], **changes}


def a_router(id_: str = "steppes", **changes: Any) -> dict[str, Any]:
    made = {"id": id_, "name": "steppe", "project_id": PROJECT, "description": OURS}
    return {**made, "created_at": "2026-01-01T00:00:00Z", "external_gateway_info": None, **changes}


def a_port(owner: str, device: str = "steppes") -> dict[str, Any]:
    return {"id": f"{device}-port", "name": "", "device_owner": owner, "device_id": device, "project_id": PROJECT}


LINKED = a_port("network:router_interface")
STEPS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "networks": (NETWORKS, [a_network()]),
    "subnets": (SUBNETS, [a_subnet()]),
    "routers": (ROUTERS, [a_router()]),
    "ports": (PORTS, [LINKED]),
}


def there(region: Double, **things: list[dict[str, Any]]) -> None:
    """Let the region have these, and all else of a department's own network too."""
    for name, (path, known) in STEPS.items():
        region.answers("GET", path, body={name: things.get(name, known)})


def to_be_made(region: Double, *names: str) -> None:
    """Let these be missing until they are made."""
    there(region)
    for name in names:
        path = STEPS[name][0]
        region.answers("GET", path, body={name: []}, times=1)
        region.answers("POST", path, 201, {name.removesuffix("s"): {"id": "new-port"}})
    region.answers("PUT", LINK, 200, {})


def create(driver: OpenStackDriver, spec: MachineSpec = ON_OWN) -> None:
    with pytest.raises(Underway):
        driver.create(spec)


@pytest.fixture
def outward(region: Double) -> Iterator[OpenStackDriver]:
    """The driver of a pool whose departments' networks lead to the world."""
    opened = connect(region.way_in(external_network="ext"), Path())
    yield opened
    opened.close()


def test_the_first_address_makes_network_subnet_router_and_link_in_the_departments_project(
    region: Double, driver: OpenStackDriver
) -> None:
    to_be_made(region, *STEPS)
    create(driver)
    made = [f"POST {path}" for path in (NETWORKS, SUBNETS, ROUTERS)]
    assert ordered(region) == [ASKED[0], *made, f"PUT {LINK}", *ASKED[1:]]
    ours = {"project_id": PROJECT, "description": OURS}
    assert region.asked("POST", NETWORKS)[0].body == {"network": {"name": "lab", **ours}}
    assert region.asked("POST", SUBNETS)[0].body["subnet"] == {
        **{"name": "lab", **ours, "network_id": "labs", "ip_version": 4, "cidr": "10.7.0.0/24"},
        **{"gateway_ip": "10.7.0.1", "enable_dhcp": True, "dns_nameservers": ["10.7.0.53"]},
        "allocation_pools": [{"start": "10.7.0.252", "end": "10.7.0.254"}],
    }
    assert region.asked("POST", ROUTERS)[0].body == {"router": {"name": "steppe", **ours}}
    assert region.asked("PUT", LINK)[0].body == {"subnet_id": "labs-v4"}
    port = region.asked("POST", PORTS)[0].body["port"]
    assert (port["network_id"], port["fixed_ips"]) == ("labs", [{"subnet_id": "labs-v4", "ip_address": "10.7.0.7"}])


@pytest.mark.parametrize(
    ("missing", "finished"),
    [
        ((), []),
        (("networks",), [f"POST {NETWORKS}"]),
        (("subnets",), [f"POST {SUBNETS}"]),
        (("routers",), [f"POST {ROUTERS}"]),
        (("ports",), [f"PUT {LINK}"]),
    ],
    ids=["nothing", "the network", "the subnet", "the router", "the link"],
)
def test_what_is_missing_of_one_that_was_begun_is_made_and_no_more(
    region: Double, driver: OpenStackDriver, missing: tuple[str, ...], finished: list[str]
) -> None:
    to_be_made(region, *missing)
    create(driver)
    assert ordered(region) == [ASKED[0], *finished, *ASKED[1:]]


def test_what_was_found_is_kept_for_the_next_machine(region: Double, driver: OpenStackDriver) -> None:
    there(region)
    create(driver)
    before = len(region.asked("GET", NETWORKS))
    create(driver)
    assert len(region.asked("GET", NETWORKS)) == before


def test_ipv6_is_given_out_by_dhcp_as_ipv4_is(region: Double, driver: OpenStackDriver) -> None:
    to_be_made(region, "subnets")
    region.answers("GET", SUBNETS, body={"subnets": [a_subnet("labs-v6", cidr="fd07::/64", dns_nameservers=[])]})
    create(driver, replace(SPEC, nics=(NIC6,)))
    made = region.asked("POST", SUBNETS)[0].body["subnet"]
    assert (made["ip_version"], made["cidr"]) == (6, "fd07::/64")
    assert made["ipv6_ra_mode"] == made["ipv6_address_mode"] == "dhcpv6-stateful"


def test_one_without_a_gateway_is_linked_with_nothing(region: Double, driver: OpenStackDriver) -> None:
    there(region)
    create(driver, replace(SPEC, nics=(replace(NIC, gateway=None),)))
    assert not region.asked("GET", ROUTERS)


def test_name_servers_that_were_changed_are_changed_with_the_next_machine(
    region: Double, driver: OpenStackDriver
) -> None:
    there(region, subnets=[a_subnet(dns_nameservers=["10.0.0.53"])])
    region.answers("PUT", f"{SUBNETS}/labs-v4", 200, {})
    create(driver)
    assert region.asked("PUT", f"{SUBNETS}/labs-v4")[0].body == {"subnet": {"dns_nameservers": ["10.7.0.53"]}}


def test_a_router_leads_to_the_external_network_that_the_pool_names(region: Double, outward: OpenStackDriver) -> None:
    there(region, routers=[a_router()])
    region.answers("PUT", f"{ROUTERS}/steppes", 200, {})
    create(outward)
    assert region.asked("PUT", f"{ROUTERS}/steppes")[0].body == {
        "router": {"external_gateway_info": {"network_id": "labs"}}
    }
    assert region.asked("GET", NETWORKS)[-1].query == {"router:external": ["true"], "name": ["ext"]}


def test_an_external_network_that_is_not_there_is_said(region: Double, outward: OpenStackDriver) -> None:
    there(region)
    region.answers("GET", NETWORKS, body={"networks": [a_network()]}, times=1)
    region.answers("GET", NETWORKS, body={"networks": []})
    with pytest.raises(Rejected, match="no external networks ext"):
        outward.create(ON_OWN)


def test_somebody_elses_network_of_the_name_is_not_taken(region: Double, driver: OpenStackDriver) -> None:
    theirs = a_network("theirs", description="")
    there(region, networks=[theirs, a_network()])
    region.answers("GET", NETWORKS, body={"networks": [theirs]}, times=1)
    region.answers("POST", NETWORKS, 201, {"network": {}})
    create(driver)
    assert region.asked("POST", PORTS)[0].body["port"]["network_id"] == "labs"


def test_nor_is_ours_taken_for_one_that_the_administrators_made(region: Double, driver: OpenStackDriver) -> None:
    shared = {"id": "shared", "project_id": "centre", "shared": True}
    there(region, networks=[a_network(), shared], subnets=[a_subnet(network_id="shared")])
    create(driver, replace(SPEC, nics=(replace(NIC, own=None),)))
    assert region.asked("GET", SUBNETS)[0].query == {"network_id": ["shared"]}


def test_a_department_below_may_have_ports_on_it(region: Double, driver: OpenStackDriver) -> None:
    there(region)
    below = {"id": "belows", "name": "below"}
    region.answers("GET", "/identity/v3/projects", body={"projects": [below]}, times=1)
    region.answers("PUT", f"/identity/v3/projects/belows/users/{double.US}/roles/member-role", 204)
    region.answers("POST", SHARES, 409, neutron("NeutronDbObjectDuplicateEntry", "there already"))
    create(driver, replace(ON_OWN, department="below"))
    policy = {"object_type": "network", "object_id": "labs", "action": "access_as_shared", "target_tenant": "belows"}
    assert region.asked("POST", SHARES)[0].body == {"rbac_policy": {**policy, "project_id": PROJECT}}
    assert region.asked("POST", PORTS)[0].body["port"]["project_id"] == "belows"


@pytest.mark.parametrize(
    ("ports", "goes"),
    [([[], []], "other"), ([[LINKED], []], "other"), ([[], [a_port("compute:nova", "web")]], "labs")],
    ids=["the younger", "the one without ports", "the older, without ports"],
)
def test_of_two_networks_of_one_name_one_goes_before_any_is_used(
    region: Double, driver: OpenStackDriver, ports: list[list[dict[str, Any]]], goes: str
) -> None:
    there(region, networks=[a_network(), a_network("other", created_at="2026-01-01T00:00:01Z")])
    for found in ports:
        region.answers("GET", PORTS, body={"ports": found}, times=1)
    region.answers("DELETE", f"{NETWORKS}/{goes}", 204)
    create(driver)
    assert ordered(region) == [ASKED[0], f"DELETE {NETWORKS}/{goes}", *ASKED[1:]]
    kept = ({"labs", "other"} - {goes}).pop()
    assert region.asked("POST", PORTS)[0].body["port"]["network_id"] == kept


def test_of_two_routers_the_one_that_links_stays(region: Double, driver: OpenStackDriver) -> None:
    there(region, routers=[a_router("idle"), a_router(created_at="2026-01-01T00:00:01Z")])
    for found in ([], [LINKED]):
        region.answers("GET", PORTS, body={"ports": found}, times=1)
    region.answers("DELETE", f"{ROUTERS}/idle", 204)
    create(driver)
    assert ordered(region) == [ASKED[0], f"DELETE {ROUTERS}/idle", *ASKED[1:]]


def test_one_that_another_worker_uses_meanwhile_cannot_go_and_is_looked_at_anew(
    region: Double, driver: OpenStackDriver
) -> None:
    there(region, networks=[a_network(), a_network("other")], ports=[])
    region.answers("DELETE", f"{NETWORKS}/other", 409, neutron("NetworkInUse", "ports are in use"))
    with pytest.raises(Unreachable, match="ports are in use"):
        driver.create(ON_OWN)
    assert not region.asked("POST", PORTS)


def test_one_that_another_worker_deleted_before_its_subnet_was_made_is_looked_for_anew(
    region: Double, driver: OpenStackDriver
) -> None:
    to_be_made(region, "subnets")
    region.answers("POST", SUBNETS, 404, neutron("NetworkNotFound", "no network"))
    with pytest.raises(Unreachable, match="looking again"):
        driver.create(ON_OWN)
    region.answers("GET", NETWORKS, body={"networks": [a_network("kept")]})
    create(driver)
    assert region.asked("POST", PORTS)[0].body["port"]["network_id"] == "kept"


def test_a_subnet_that_another_worker_made_meanwhile_is_used(region: Double, driver: OpenStackDriver) -> None:
    to_be_made(region, "subnets")
    region.answers("POST", SUBNETS, 400, neutron("InvalidInput", "overlaps with another subnet"))
    create(driver)


def test_a_link_that_another_worker_made_meanwhile_is_used(region: Double, driver: OpenStackDriver) -> None:
    to_be_made(region, "ports")
    region.answers("PUT", LINK, 400, neutron("BadRequest", "Router already has a port on subnet"))
    create(driver)


def test_a_network_that_goes_before_its_port_is_made_is_looked_at_anew(region: Double, driver: OpenStackDriver) -> None:
    there(region)
    region.answers("POST", PORTS, 404, neutron("NetworkNotFound", "no network"))
    with pytest.raises(Unreachable, match="looking again"):
        driver.create(ON_OWN)
    known = len(region.asked("GET", NETWORKS))
    with pytest.raises(Unreachable):
        driver.create(ON_OWN)
    assert len(region.asked("GET", NETWORKS)) > known


@pytest.mark.parametrize(
    ("missing", "path", "answer", "code"),
    [
        ("networks", ("POST", NETWORKS), (409, neutron("OverQuota", "Quota exceeded")), "openstack.over_quota"),
        ("subnets", ("POST", SUBNETS), (400, neutron("InvalidInput", "not valid")), "openstack.refused"),
        ("routers", ("POST", ROUTERS), (409, neutron("OverQuota", "Quota exceeded")), "openstack.over_quota"),
        ("ports", ("PUT", LINK), (409, neutron("IpAddressInUse", "in use")), "openstack.address_taken"),
        ("ports", ("PUT", LINK), (400, neutron("BadRequest", "overlaps")), "openstack.refused"),
    ],
)
def test_what_neutron_refuses_is_a_fault(
    region: Double,
    driver: OpenStackDriver,
    missing: str,
    path: tuple[str, str],
    answer: tuple[int, Any],
    code: str,
) -> None:
    to_be_made(region, missing)
    region.answers("GET", STEPS[missing][0], body={missing: []})
    region.answers(*path, *answer)
    with pytest.raises(Rejected) as refusal:
        driver.create(ON_OWN)
    assert refusal.value.code == code


def test_own_networks_are_found_with_their_ranges_by_department(region: Double, driver: OpenStackDriver) -> None:
    bare = a_network("bare", name="bare")
    there(region, networks=[a_network(), bare, a_network("x", description="theirs", name="x")])
    region.answers("GET", SUBNETS, body={"subnets": [a_subnet(), a_subnet("v6", cidr="fd07::/64")]})
    found = driver.networks(["dsj", "unknown"])
    assert found == {"dsj": {("lab", "10.7.0.0/24"), ("lab", "fd07::/64"), ("bare", "")}}


def to_be_removed(region: Double, **things: list[dict[str, Any]]) -> None:
    there(region, **things)
    region.answers("PUT", UNLINK, 200, {})
    for gone in (f"{SUBNETS}/labs-v4", f"{NETWORKS}/labs", f"{ROUTERS}/steppes"):
        region.answers("DELETE", gone, 204)
    # Whom the subnet holds; then, whom the router still links.
    region.answers("GET", PORTS, body={"ports": things.get("ports", [LINKED, a_port("network:dhcp", "dhcp")])}, times=1)
    region.answers("GET", PORTS, body={"ports": []})


REMOVED = [
    *(f"PUT {UNLINK}", f"DELETE {ROUTERS}/steppes"),
    *(f"DELETE {SUBNETS}/labs-v4", f"DELETE {NETWORKS}/labs"),
]


def test_the_network_goes_last_so_that_a_worker_that_died_leaves_nothing_that_is_not_found(
    region: Double, driver: OpenStackDriver
) -> None:
    to_be_removed(region)
    driver.remove_network("dsj", "lab", "10.7.0.0/24")
    assert ordered(region) == REMOVED


def test_other_ranges_keep_the_network_and_other_networks_the_router(region: Double, driver: OpenStackDriver) -> None:
    to_be_removed(region, subnets=[a_subnet(), a_subnet("v6", cidr="fd07::/64")])
    region.answers("GET", PORTS, body={"ports": [LINKED]})
    driver.remove_network("dsj", "lab", "10.7.0.0/24")
    assert ordered(region) == [REMOVED[0], REMOVED[2]]


@pytest.mark.parametrize(
    "port", [a_port("compute:nova", "web"), a_port("", ""), a_port("network:router_interface", "their-router")]
)
def test_what_somebody_else_put_on_a_network_keeps_it(
    region: Double, driver: OpenStackDriver, port: dict[str, Any]
) -> None:
    to_be_removed(region, ports=[LINKED, port])
    with pytest.raises(Rejected, match=f"lab still has port {port['id']} of project {PROJECT}") as refusal:
        driver.remove_network("dsj", "lab", "10.7.0.0/24")
    assert refusal.value.code == "openstack.project_in_use"
    assert ordered(region) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", UNLINK),
        ("DELETE", f"{SUBNETS}/labs-v4"),
        ("DELETE", f"{NETWORKS}/labs"),
        ("DELETE", f"{ROUTERS}/steppes"),
    ],
)
def test_what_neutron_says_is_in_use_stays_and_is_said_and_not_tried_for_ever(
    region: Double, driver: OpenStackDriver, method: str, path: str
) -> None:
    to_be_removed(region)
    region.answers(method, path, 409, neutron("InUse", "a route or a port without an address is on it"))
    with pytest.raises(Rejected, match="a route or a port without an address") as refusal:
        driver.remove_network("dsj", "lab", "10.7.0.0/24")
    assert refusal.value.code == "openstack.project_in_use"


def test_a_name_server_of_old_that_is_no_address_keeps_no_machine_from_its_network(
    region: Double, driver: OpenStackDriver
) -> None:
    there(region, subnets=[a_subnet(dns_nameservers=[])])
    region.answers("PUT", f"{SUBNETS}/labs-v4", 200, {})
    create(driver, replace(ON_OWN, nics=(replace(NIC, dns=("ns1.example", "10.7.0.53", "fd07::53")),)))
    assert region.asked("PUT", f"{SUBNETS}/labs-v4")[0].body == {"subnet": {"dns_nameservers": ["10.7.0.53"]}}


def test_a_network_of_a_department_that_the_region_does_not_know_is_gone(
    region: Double, driver: OpenStackDriver
) -> None:
    driver.remove_network("unknown", "lab", "10.7.0.0/24")
    assert ordered(region) == []


def test_a_closed_departments_networks_go_before_its_project(region: Double, driver: OpenStackDriver) -> None:
    to_be_removed(region)
    for name, path in (("networks", NETWORKS), ("routers", ROUTERS)):
        # Before it is removed: as often as it is looked for.
        region.answers("GET", path, body={name: STEPS[name][1]}, times=1 if name == "networks" else 2)
        region.answers("GET", path, body={name: []})
    empty = {
        SERVERS: "servers",
        f"{NETWORK}/floatingips": "floatingips",
        f"{NETWORK}/security-groups": "security_groups",
    }
    empty["/compute/v2.1/os-server-groups"] = "server_groups"
    for path, name in empty.items():
        region.answers("GET", path, body={name: []})
    last = [f"{NETWORK}/quotas/{PROJECT}", f"/compute/v2.1/os-quota-sets/{PROJECT}", f"/identity/v3/projects/{PROJECT}"]
    for path in last:
        region.answers("DELETE", path, 204)
    driver.remove_tenant("dsj")
    assert ordered(region) == [*REMOVED, *(f"DELETE {path}" for path in last[:2])]
    assert region.requests[-1].path == last[2]
