"""A VM on its department's own network that others reach, by a floating IP with the address that the ledger chose."""

from typing import Any

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_content import EXTERNAL_NETWORK
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, POOL, an_ask, beside, connection, gone, settled
from tests.labs.openstack_story import Lab

FIRST = "172.31.99.10"
_OUTSIDE = {
    **{"code": "outside", "name": "对外", "site": "nm", "network": EXTERNAL_NETWORK, "floating": True},
    **{"cidr": "172.31.99.0/24", "gateway": "172.31.99.1"},
    # What Neutron takes for routers by itself.
    **{"reserved": ["172.31.99.2-172.31.99.9"], "excluded": ["172.31.99.100-172.31.99.200"]},
}
_INSIDE = {
    **{"code": "water-a", "name": "水利厅内网", "site": "nm", "network": "water-a", "department": DEPARTMENT},
    **{"cidr": "10.35.0.0/24", "gateway": "10.35.0.1"},
}


def a_department_is_reached_from_outside(lab: Lab) -> None:
    """Ask for a VM with a floating address, lose it, take it away, give it to another, delete."""
    seen = cloud()
    with beside(lab) as steppe:
        way_in = {**connection(lab), "external_network": EXTERNAL_NETWORK}
        assert steppe.ask("PATCH", f"/pools/{POOL}", {"connection": way_in}).status == 200
        steppe.made("/subnets", **_OUTSIDE)
        steppe.made("/subnets", **_INSIDE)
        with lab.report.check("a VM on a network of its own is reached by the address that the ledger chose"):
            vm = _made(steppe, "reached-01", floating_subnet="outside")
            assert vm["floating_address"] == {"subnet": "outside", "address": FIRST}
            _leads(seen, vm, FIRST)
        with lab.report.check("one that was taken away over there is drift, and leads to the VM again"):
            [before] = _all(seen)
            seen.region.network.delete_ip(before.id)
            _found_and_led_back(steppe, seen, vm)
        with lab.report.check("one that was led away over there is drift, and led back"):
            [before] = _all(seen)
            seen.region.network.update_ip(before.id, port_id=None)
            _found_and_led_back(steppe, seen, vm)
            assert [one.id for one in _all(seen)] == [before.id]
        with lab.report.check(
            "an address that a stranger has is a fault that names the holder, and stays the stranger's"
        ):
            _strangers_stays(steppe, seen)
        with lab.report.check("taken away it leads nowhere, and is the next one that is given, to another VM"):
            steppe.ask("POST", f"/vms/{vm['id']}/unfloat")
            assert settled(steppe, vm["id"])["floating_address"] is None
            assert not _all(seen)
            other = _made(steppe, "reached-02")
            steppe.made(f"/vms/{other['id']}/float", subnet="outside")
            _leads(seen, settled(steppe, other["id"]), FIRST)
        with lab.report.check("after deletion no floating IP, server or port is left, and the drift check finds none"):
            for one in (vm, other):
                steppe.ask("DELETE", f"/vms/{one['id']}")
                gone(steppe, one["id"])
                seen.nothing_of(one["id"])
            assert not _all(seen)
            for subnet in ("water-a", "outside"):
                assert steppe.ask("DELETE", f"/subnets/{subnet}").status == 200
            until(lambda: not list(seen.region.network.routers()), "the router to be gone", 60)
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found


def _made(steppe: Steppe, name: str, **more: Any) -> dict[str, Any]:
    return settled(steppe, steppe.made("/vms", **an_ask(name, subnets=["water-a"], **more)).body["id"])


def _all(seen: Cloud) -> list[Any]:
    return list(seen.region.network.ips())


def _leads(seen: Cloud, vm: dict[str, Any], address: str) -> None:
    """AssertionError unless there is one floating IP, and it leads to the VM's port."""
    server, [port], [one] = seen.one(vm), seen.ports(vm["id"]), _all(seen)
    assert (one.floating_ip_address, one.port_id) == (address, port.id), one
    assert one.fixed_ip_address == vm["addresses"][0]["address"]
    assert (one.project_id, one.description) == (server.project_id, f"steppe-{vm['id']}")


def _found_and_led_back(steppe: Steppe, seen: Cloud, vm: dict[str, Any]) -> None:
    found = drift(steppe)
    assert any("floating_address" in finding for finding in found), found
    until(
        lambda: [one.port_id for one in _all(seen)] == [seen.ports(vm["id"])[0].id], "the floating IP to be back", 120
    )
    _leads(seen, settled(steppe, vm["id"]), FIRST)


def _strangers_stays(steppe: Steppe, seen: Cloud) -> None:
    outside = seen.region.network.find_network(EXTERNAL_NETWORK)
    theirs = seen.region.network.create_ip(floating_network_id=outside.id, floating_ip_address="172.31.99.11")
    made = steppe.made("/vms", **an_ask("reached-03", subnets=["water-a"], floating_subnet="outside")).body["id"]
    fault = settled(steppe, made, "faulted")["fault"]
    assert fault["code"] == "openstack.address_taken", fault
    assert theirs.id in fault["detail"], fault
    steppe.ask("DELETE", f"/vms/{made}")
    gone(steppe, made)
    assert seen.region.network.get_ip(theirs.id).port_id is None
    seen.region.network.delete_ip(theirs.id)
