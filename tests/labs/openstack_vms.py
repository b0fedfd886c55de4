"""A department's VM in a real region, from the ask to the last trace of it."""

import subprocess
import time
from typing import Any

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs import openstack_screen as screen
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, LARGE, SMALL, an_ask, beside, gone, settled
from tests.labs.openstack_story import Lab


def a_department_asks(lab: Lab) -> None:
    """Ask, look, change, rebuild, delete."""
    seen = cloud()
    with beside(lab) as steppe:
        with lab.report.check("a department asks by API and gets an ACTIVE server with the address that we chose"):
            made = steppe.made("/vms", **an_ask("web-01")).body
            vm = settled(steppe, made["id"])
            server = seen.one(vm)
            assert server.status == "ACTIVE"
            assert server.project_id == seen.project(DEPARTMENT).id
            assert vm["addresses"][0]["address"] == "10.20.0.21"
        if lab.real:
            with lab.report.check("the guest has booted, taken that address, and answers on it"):
                answers(lab, seen, server, "10.20.0.21")
            with lab.report.check("its screen answers as an RFB server through Steppe's console proxy and Nova's"):
                screen.answers(steppe, vm["id"])
            with lab.report.check("a person of the department sees it in a browser"):
                screen.is_seen(lab, steppe, vm["id"])
        with lab.report.check("it is stopped, started and rebooted"):
            _changes(steppe, seen, vm["id"])
        with lab.report.check("it is resized, and the resize is confirmed"):
            steppe.made(f"/vms/{vm['id']}/resize", **LARGE)
            flavor = seen.one(settled(steppe, vm["id"])).flavor
            assert (flavor["vcpus"], flavor["ram"]) == (LARGE["vcpu"], LARGE["memory_mib"])
        with lab.report.check("a size that no host has room for is a fault that says so, and the old one stays"):
            _is_too_large(steppe, seen, vm["id"])
        with lab.report.check("it is rebuilt from another image"):
            steppe.made(f"/vms/{vm['id']}/rebuild", image=IMAGES[1])
            server = seen.one(settled(steppe, vm["id"]))
            assert server.image.id == seen.region.image.find_image(IMAGES[1]).id
        with lab.report.check("a second address of the same number is never asked of Neutron"):
            other = settled(steppe, steppe.made("/vms", **an_ask("web-02")).body["id"])
            assert other["addresses"][0]["address"] == "10.20.0.22"
        with lab.report.check("the ledger has what Placement has"):
            wanted = {name: LARGE[name] + SMALL[name] for name in LARGE}
            assert seen.used() == wanted, seen.used()
        with lab.report.check("two that must not share a host are told to Nova as one group, which has one host only"):
            _are_spread(steppe)
        with lab.report.check("an address that somebody else took in Neutron is a fault that says who"):
            _an_address_is_taken(steppe, seen)
        with lab.report.check("after deletion nothing is left: no server, no port, no allocation"):
            for one in (vm["id"], other["id"]):
                steppe.ask("DELETE", f"/vms/{one}")
            for one in (vm["id"], other["id"]):
                gone(steppe, one)
                seen.nothing_of(one)
            assert not any(seen.used().values()), seen.used()
        with lab.report.check("the ledger and the drift check find nothing wrong"):
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found


def answers(lab: Lab, seen: Cloud, server: Any, address: str) -> None:
    """Wait until a guest answers: look at its serial line, then ping from where the network's own DHCP server is."""
    began = time.monotonic()

    def booted() -> bool:
        answer = seen.region.compute.get_server_console_output(server)
        return f" {address}/" in (answer["output"] or "")

    until(booted, "the guest to take its address", 300)
    network = seen.region.network.find_network("gov").id
    ping = ("ip", "netns", "exec", f"qdhcp-{network}", "ping", "-c1", "-W2", address)
    until(lambda: subprocess.run(ping, capture_output=True, check=False).returncode == 0, f"{address} to answer", 60)
    lab.report.figure("a real guest answers, its server being ACTIVE for", f"{time.monotonic() - began:.1f} s")


def _changes(steppe: Steppe, seen: Cloud, vm: str) -> None:
    steppe.made(f"/vms/{vm}/stop")
    assert seen.one(settled(steppe, vm, "stopped")).status == "SHUTOFF"
    steppe.made(f"/vms/{vm}/start")
    settled(steppe, vm)
    steppe.made(f"/vms/{vm}/reboot")
    server = seen.one(settled(steppe, vm))
    assert (server.status, server.metadata["steppe:boots"]) == ("ACTIVE", "1")


def _is_too_large(steppe: Steppe, seen: Cloud, vm: str) -> None:
    steppe.made(f"/vms/{vm}/resize", **{**LARGE, "memory_mib": 1_000_000})
    fault = settled(steppe, vm, "faulted")["fault"]
    assert fault["code"] == "openstack.no_valid_host", fault
    steppe.made(f"/vms/{vm}/resize", **LARGE)
    assert seen.one(settled(steppe, vm)).flavor["ram"] == LARGE["memory_mib"]


def _are_spread(steppe: Steppe) -> None:
    first = steppe.made("/vms", **an_ask("spread-1", anti_affinity="pair")).body["id"]
    settled(steppe, first)
    second = steppe.made("/vms", **an_ask("spread-2", anti_affinity="pair")).body["id"]
    fault = settled(steppe, second, "faulted")["fault"]
    assert fault["code"] == "openstack.no_valid_host", fault
    for vm in (first, second):
        steppe.ask("DELETE", f"/vms/{vm}")
        gone(steppe, vm)


def _an_address_is_taken(steppe: Steppe, seen: Cloud) -> None:
    network = seen.region.network.find_network("gov")
    subnet = next(s for s in seen.region.network.subnets(network_id=network.id) if s.ip_version == 4)
    fixed = [{"subnet_id": subnet.id, "ip_address": "10.20.0.23"}]
    port = seen.region.network.create_port(network_id=network.id, name="squatter", fixed_ips=fixed)
    vm = steppe.made("/vms", **an_ask("web-03")).body["id"]
    fault = settled(steppe, vm, "faulted")["fault"]
    assert fault["code"] == "openstack.address_taken", fault
    assert port.id in fault["detail"]
    seen.region.network.delete_port(port.id)
    steppe.made(f"/vms/{vm}/retry")
    settled(steppe, vm)
    steppe.ask("DELETE", f"/vms/{vm}")
    gone(steppe, vm)
