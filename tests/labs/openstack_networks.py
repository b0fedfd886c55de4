"""Networks that are a department's own: made with the first VM on each, linked by one router, removed in order."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from provisioners import openstack_networks as networks
from provisioners.contract import Nic, OwnNetwork, Unreachable
from provisioners.openstack_catalogue import Place
from provisioners.openstack_driver import connect
from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_content import EXTERNAL_NETWORK
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import LIMITS, OTHER, POOL, an_ask, beside, connection, gone, settled
from tests.labs.openstack_story import Lab

OWNER, BELOW = "forest", "nursery"
_WORKERS = 6
_TRIES = 20
_RACED = Nic(
    "52:54:00:00:00:99", "raced", "10.33.0.7", 24, "10.33.0.1", (), OwnNetwork(OWNER, "10.33.0.252", "10.33.0.254")
)


def a_department_has_networks_of_its_own(lab: Lab) -> None:
    """Ask on one, on a second, from below, at once; then take everything down again."""
    seen = cloud()
    before = _all_networks(seen)
    with beside(lab) as steppe:
        way_in = {**connection(lab), "external_network": EXTERNAL_NETWORK}
        assert steppe.ask("PATCH", f"/pools/{POOL}", {"connection": way_in}).status == 200
        departments(steppe)
        first = _is_made(lab, steppe, seen)
        second, third = _are_linked(lab, steppe, seen)
        below = _is_for_its_department(lab, steppe, seen)
        _is_made_once(lab, steppe, seen)
        _goes_with_its_subnet(lab, steppe, seen, second)
        with lab.report.check("what somebody else put on a network keeps it, and is found, until it goes"):
            for vm in (first, third, below):
                _gone(steppe, seen, vm)
            _somebody_elses(steppe, seen, _network(seen, "forest-a"))
        with lab.report.check("a closed department leaves no router, network or project"):
            subnet(steppe, "forest-c", "10.34.0.0/24", "10.34.0.1")
            last = _made(steppe, "own-06", "forest-c")
            _gone(steppe, seen, last)
            assert steppe.ask("DELETE", f"/departments/{OWNER}").body["code"] == "in_use"
            assert steppe.ask("DELETE", "/subnets/forest-c").status == 200
            _close(steppe, BELOW)
            _close(steppe, OWNER)
            until(lambda: not seen.project(OWNER) and not seen.project(BELOW), "the projects to be gone", 60)
            assert _all_networks(seen) == before
            assert not list(seen.region.network.routers())
        with lab.report.check("the ledger and the drift check find nothing wrong"):
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found


def _is_made(lab: Lab, steppe: Steppe, seen: Cloud) -> dict[str, Any]:
    subnet(steppe, "forest-a", "10.31.0.0/24", "10.31.0.1", dns=["10.31.0.53"])
    with lab.report.check("a VM on a department's own network is ACTIVE, with our address, in its own project"):
        vm = _made(steppe, "own-01", "forest-a")
        assert vm["addresses"][0]["address"] == "10.31.0.2"
        assert seen.one(vm).project_id == seen.project(OWNER).id
        network, made = _network(seen, "forest-a"), _range(seen, "10.31.0.0/24")
        [port] = seen.ports(vm["id"])
        assert (port.network_id, port.fixed_ips[0]["subnet_id"]) == (network.id, made.id)
        assert (made.gateway_ip, made.dns_nameservers) == ("10.31.0.1", ["10.31.0.53"])
    with lab.report.check("its router has the gateway's address there, and the way out that the pool says"):
        way_out = router(seen)
        assert linked(seen, way_out) == {"10.31.0.1"}
        outside = seen.region.network.find_network(EXTERNAL_NETWORK).id
        assert way_out.external_gateway_info["network_id"] == outside
    with lab.report.check("Neutron's DHCP server has an address that the ledger never gives"):
        until(lambda: _served(seen, network) <= {f"10.31.0.{n}" for n in (252, 253, 254)}, "DHCP's address", 60)
    return vm


def _are_linked(lab: Lab, steppe: Steppe, seen: Cloud) -> tuple[dict[str, Any], dict[str, Any]]:
    with lab.report.check("a second network is linked by the same router"):
        subnet(steppe, "forest-b", "10.32.0.0/28", "10.32.0.1")
        one = _made(steppe, "own-02", "forest-b")
        seen.one(one)
        assert linked(seen, router(seen)) == {"10.31.0.1", "10.32.0.1"}
    with lab.report.check("further VMs, and an address of IPv6 on the same network, make nothing twice"):
        subnet(steppe, "forest-a6", "fd31::/64", "fd31::1", network="forest-a")
        other = _made(steppe, "own-03", "forest-a", "forest-a6")
        found = {f["ip_address"] for port in seen.ports(other["id"]) for f in port.fixed_ips}
        assert found == {a["address"] for a in other["addresses"]}, found
        assert own_names(seen) == ["forest-a", "forest-b"]
        assert linked(seen, router(seen)) == {"10.31.0.1", "10.32.0.1", "fd31::1"}
    return one, other


def _is_for_its_department(lab: Lab, steppe: Steppe, seen: Cloud) -> dict[str, Any]:
    with lab.report.check("another department is told of no such subnet"):
        refused = steppe.ask("POST", "/vms", an_ask("own-04", OTHER, subnets=["forest-a"]))
        assert (refused.status, refused.body["code"]) == (404, "not_found"), refused.body
    with lab.report.check("a department below gets a VM of its own project on it"):
        vm = settled(steppe, steppe.made("/vms", **an_ask("own-05", BELOW, subnets=["forest-a"])).body["id"])
        assert seen.one(vm).project_id == seen.project(BELOW).id
        assert seen.ports(vm["id"])[0].network_id == _network(seen, "forest-a").id
    return vm


def _is_made_once(lab: Lab, steppe: Steppe, seen: Cloud) -> None:
    with lab.report.check(f"{_WORKERS} workers that know nothing of each other make one network, with one router"):
        _race(lab, seen)
    with lab.report.check("a network of ours that is recorded nowhere goes with the next sweep, and the rest stays"):
        found = drift(steppe)
        assert not found, found
        assert own_names(seen) == ["forest-a", "forest-b"], own_names(seen)


def _goes_with_its_subnet(lab: Lab, steppe: Steppe, seen: Cloud, vm: dict[str, Any]) -> None:
    with lab.report.check("a removed subnet takes its network along at once, and what is linked besides stays"):
        _gone(steppe, seen, vm)
        assert steppe.ask("DELETE", "/subnets/forest-b").status == 200
        until(lambda: own_names(seen) == ["forest-a"], "the second network to be gone", 60)
        assert linked(seen, router(seen)) == {"10.31.0.1", "fd31::1"}


def departments(steppe: Steppe) -> None:
    """Make a department and one below it, each with a system."""
    contact = {"name": "王芳", "phone": "0471-0000001", "email": "wang@nm.example"}
    for code, name, above in ((OWNER, "林草局", {}), (BELOW, "苗圃", {"parent": OWNER})):
        steppe.made("/departments", code=code, name=name, name_en=code.title(), site="nm", limits=LIMITS, **above)
        steppe.made(
            "/systems", department=code, code="proof", name="实证", name_en="Proof", mlps_level=2, contact=contact
        )


def subnet(steppe: Steppe, code: str, cidr: str, gateway: str, **more: Any) -> None:
    """Make a subnet of the department's own, on a network of the same name."""
    plain = {"code": code, "name": code, "site": "nm", "cidr": cidr, "gateway": gateway, "department": OWNER}
    steppe.made("/subnets", **{**plain, "network": code, **more})


def _made(steppe: Steppe, name: str, *subnets: str) -> dict[str, Any]:
    return settled(steppe, steppe.made("/vms", **an_ask(name, OWNER, subnets=list(subnets))).body["id"])


def _gone(steppe: Steppe, seen: Cloud, vm: dict[str, Any]) -> None:
    steppe.ask("DELETE", f"/vms/{vm['id']}")
    gone(steppe, vm["id"])
    seen.nothing_of(vm["id"])


def _close(steppe: Steppe, department: str) -> None:
    [system] = steppe.call("GET", f"/systems?department={department}").body["items"]
    assert steppe.ask("DELETE", f"/systems/{system['id']}").status == 200
    closed = steppe.ask("DELETE", f"/departments/{department}")
    assert closed.status == 200, closed.body


def _race(lab: Lab, seen: Cloud) -> None:
    """Have drivers that share nothing make the same network at the same moment, each as often as a worker would."""
    way_in = {**connection(lab), "external_network": EXTERNAL_NETWORK}
    project = seen.project(OWNER).id

    def one(_number: int) -> Place:
        with closing(connect(way_in, Path())) as driver:
            for _ in range(_TRIES):
                try:
                    return networks.place(driver.link, driver._catalogue, _RACED, project)
                except Unreachable:
                    continue
            raise AssertionError("a worker never got through")

    with ThreadPoolExecutor(_WORKERS) as pool:
        places = set(pool.map(one, range(_WORKERS)))
    raced = list(seen.region.network.networks(name="raced"))
    assert places == {Place(raced[0].id, raced[0].subnet_ids[0])}, places
    assert (len(raced), len(raced[0].subnet_ids)) == (1, 1), raced
    assert "10.33.0.1" in linked(seen, router(seen))


def _somebody_elses(steppe: Steppe, seen: Cloud, network: Any) -> None:
    """Remove the subnets while a port is on their network that nobody here made."""
    port = seen.region.network.create_port(network_id=network.id, name="squatter")
    for code in ("forest-a", "forest-a6"):
        assert steppe.ask("DELETE", f"/subnets/{code}").status == 200

    def told() -> Any:
        open_ones = steppe.call("GET", "/drifts?kind=quota&open=true").body["items"]
        return next((f for f in open_ones if port.id in str(f["differences"])), None)

    until(told, "the network that stays to be found", 60)
    assert "openstack.project_in_use" in told()["differences"]["refusal"]["observed"]
    assert seen.region.network.get_port(port.id)
    seen.region.network.delete_port(port)
    until(lambda: not drift(steppe) and not own_names(seen), "the network to go with a sweep", 120)
    assert not list(seen.region.network.routers()), "a router that links nothing is not kept"


def _own(seen: Cloud, what: Callable[..., Any]) -> list[Any]:
    return list(what(project_id=seen.project(OWNER).id))


def own_names(seen: Cloud) -> list[str]:
    """Return what the networks in the department's project are called."""
    return sorted(n.name for n in _own(seen, seen.region.network.networks))


def _network(seen: Cloud, name: str) -> Any:
    [found] = [n for n in _own(seen, seen.region.network.networks) if n.name == name]
    return found


def _range(seen: Cloud, cidr: str) -> Any:
    [found] = [s for s in _own(seen, seen.region.network.subnets) if s.cidr == cidr]
    return found


def router(seen: Cloud) -> Any:
    """Return the department's router; AssertionError where it has not one."""
    [found] = _own(seen, seen.region.network.routers)
    assert found.name == networks.ROUTER
    return found


def linked(seen: Cloud, one: Any) -> set[str]:
    """Return the addresses that a router has on networks."""
    ports = seen.region.network.ports(device_id=one.id)
    return {f["ip_address"] for p in ports if p.device_owner in networks.INTERFACES for f in p.fixed_ips}


def _served(seen: Cloud, network: Any) -> set[str]:
    """Return the addresses of a network's DHCP server; the whole range while it has none."""
    ports = seen.region.network.ports(network_id=network.id, device_owner="network:dhcp")
    return {f["ip_address"] for p in ports for f in p.fixed_ips} or {"0.0.0.0"}


def _all_networks(seen: Cloud) -> list[str]:
    return sorted(n.name for n in seen.region.network.networks())
