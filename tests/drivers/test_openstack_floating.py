"""Floating IPs of a region: one leads to a machine or none, whoever dies; strangers' stay; and what it costs to ask."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from controlplane.reconcile.plan import plan
from controlplane.reconcile.steps import apply
from provisioners.contract import Floating, Machine, MachineSpec, Nic, Rejected, Underway, Unreachable
from provisioners.openstack_driver import OpenStackDriver, connect
from provisioners.openstack_floating import on
from provisioners.openstack_link import Link, Settings
from provisioners.openstack_ports import port_name
from provisioners.openstack_servers import noted, tag_of
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, US, a_server, lasting
from tests.drivers.openstack_floating import FLOATING_IPS, PORT, FloatingRegion, neutron
from tests.drivers.openstack_living import Death, Killed, Moment, mortal

NIC = Nic("52:54:00:00:00:07", "gov", "10.20.0.7", 24)
BUILT = a_machine(id=uuid7(), generation=4, nics=(NIC,))
FLOATING = replace(BUILT, generation=5, floating=Floating("172.31.99.20", "ext"))
PLAIN = replace(BUILT, generation=5)
ELSEWHERE = replace(FLOATING, floating=Floating("172.31.99.21", "ext"))
OUR_ROLE = f"/identity/v3/projects/{PROJECT}/users/{US}/roles/member-role"
_MOST_LOOKS = 30


@pytest.fixture
def region() -> Iterator[FloatingRegion]:
    """A region in which BUILT runs, with no floating address."""
    with lasting(FloatingRegion(BUILT)) as made:
        yield made


def has(region: FloatingRegion, address: str = "172.31.99.20", **changes: Any) -> dict[str, Any]:
    """Let the machine have an address, as an order would have left it."""
    region.server["metadata"] = region.server["metadata"] | noted(address)
    leads = {"port_id": PORT, "fixed_ip_address": NIC.address, "description": tag_of(BUILT.id)}
    return region.put(address, **leads | changes)


def carried_out(region: FloatingRegion, spec: MachineSpec) -> Machine:
    """Do as workers do until nothing is left to do, and return what came of it."""
    driver = connect(region.way_in(), Path())
    try:
        for _ in range(_MOST_LOOKS):
            found = driver.observe([spec.id]).get(spec.id)
            steps = plan(spec, found)
            if found and not steps:
                return found
            try:
                apply(driver, spec.id, spec, steps)
            except (Underway, Unreachable):
                continue
    finally:
        driver.close()
    raise AssertionError(f"after {_MOST_LOOKS} looks there is still something to do: {region.floating}")


@contextmanager
def connected(region: FloatingRegion, **more: Any) -> Iterator[OpenStackDriver]:
    driver = connect(region.way_in(**more), Path())
    yield driver
    driver.close()


def refused(region: FloatingRegion, spec: MachineSpec, code: str, words: str) -> None:
    with pytest.raises(Rejected, match=words) as refusal:
        carried_out(region, spec)
    assert refusal.value.code == code


def test_one_is_made_for_the_ledgers_address_on_the_port_in_the_departments_project(region: FloatingRegion) -> None:
    assert carried_out(region, FLOATING).floating_address == "172.31.99.20"
    [asked] = region.asked("POST", FLOATING_IPS)
    assert asked.body["floatingip"] == {
        **{"floating_network_id": "ext-network", "floating_ip_address": "172.31.99.20"},
        **{"port_id": PORT, "fixed_ip_address": "10.20.0.7", "project_id": PROJECT},
        "description": tag_of(BUILT.id),
    }


def with_one(region: FloatingRegion) -> None:
    has(region)


def not_made_yet(region: FloatingRegion) -> None:
    region.there = False


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("wanted", "begin", "leads"),
    [
        (FLOATING, None, ["172.31.99.20"]),
        (PLAIN, with_one, []),
        (ELSEWHERE, with_one, ["172.31.99.21"]),
        (FLOATING, not_made_yet, ["172.31.99.20"]),
    ],
    ids=["given", "taken away", "changed", "made with the machine"],
)
def test_a_worker_that_dies_at_any_call_leaves_what_the_next_one_finishes(
    monkeypatch: pytest.MonkeyPatch,
    wanted: MachineSpec,
    begin: Callable[[FloatingRegion], None] | None,
    leads: list[str],
    moment: Moment,
) -> None:
    for call in count(1):
        with lasting(FloatingRegion(BUILT)) as region:
            if begin:
                begin(region)
            mortal(monkeypatch, Death(call, moment))
            try:
                carried_out(region, wanted)
            except Killed:
                mortal(monkeypatch, Death())
            else:
                break
            assert carried_out(region, wanted).floating_address == wanted.floating_address
            assert (region.leading(), len(region.floating)) == (leads, len(leads)), f"{moment} call {call}"
    assert call > 5, "no call at which somebody died"


def test_one_that_was_led_elsewhere_is_led_back(region: FloatingRegion) -> None:
    one = has(region, port_id="their-port")
    assert carried_out(region, FLOATING).floating_address == "172.31.99.20"
    assert region.leading() == ["172.31.99.20"]
    assert region.asked("PUT", f"{FLOATING_IPS}/{one['id']}")


def test_what_strangers_have_is_never_touched(region: FloatingRegion) -> None:
    theirs = [
        region.put("172.31.99.30"),
        region.put("172.31.99.31", description=tag_of(BUILT.id), project_id="theirs"),
    ]
    carried_out(region, FLOATING)
    carried_out(region, replace(BUILT, generation=6))
    assert list(region.floating.values()) == theirs


@pytest.mark.parametrize(
    "holder",
    [{"port_id": "x"}, {"description": tag_of(BUILT.id), "project_id": "theirs", "port_id": "x"}],
    ids=["a stranger", "one who describes his as ours"],
)
def test_an_address_that_somebody_else_has_is_a_fault_that_names_the_holder(
    region: FloatingRegion, holder: dict[str, Any]
) -> None:
    one = region.put("172.31.99.20", **holder)
    refused(region, FLOATING, "openstack.address_taken", rf"172\.31\.99\.20 .* floating IP {one['id']} of project")
    assert list(region.floating) == [one["id"]]


def test_an_address_that_a_port_has_is_a_fault(region: FloatingRegion) -> None:
    region.on_ports.add("172.31.99.20")
    refused(region, FLOATING, "openstack.address_taken", "a port of ext has it")


def test_one_of_ours_that_leads_nowhere_gives_its_address_to_the_machine_that_the_ledger_says(
    region: FloatingRegion,
) -> None:
    left = region.put("172.31.99.20", description=tag_of(uuid7()))
    region.answers("GET", OUR_ROLE, 204)
    assert carried_out(region, FLOATING).floating_address == "172.31.99.20"
    assert left["id"] not in region.floating


def test_one_that_only_looks_like_that_in_a_strangers_project_stays(region: FloatingRegion) -> None:
    left = region.put("172.31.99.20", description=tag_of(uuid7()), project_id="theirs")
    region.answers("GET", OUR_ROLE.replace(PROJECT, "theirs"), 404, {"error": {"message": "no role"}})
    refused(region, FLOATING, "openstack.address_taken", "of project theirs")
    assert left["id"] in region.floating


def test_a_network_without_a_router_to_the_outside_is_a_fault_that_says_so(region: FloatingRegion) -> None:
    region.routed = False
    refused(region, FLOATING, "openstack.not_routed", r"no router leads from ext to 10\.20\.0\.7")


def test_a_port_that_goes_meanwhile_is_looked_at_anew(region: FloatingRegion) -> None:
    region.routed = False
    region.answers("GET", f"{NETWORK}/ports/{PORT}", 404, neutron("PortNotFound", "no port"), times=1)
    with connected(region) as driver, pytest.raises(Unreachable, match="looking again"):
        driver.set_floating(FLOATING)


def test_an_external_network_that_is_not_there_is_a_fault(region: FloatingRegion) -> None:
    region.outside = []
    refused(region, FLOATING, "openstack.no_network", "no external networks ext")


def test_the_external_network_is_the_one_that_the_pool_says(region: FloatingRegion) -> None:
    with connected(region, networks={"ext": "outside-7"}) as driver:
        driver.set_floating(FLOATING)
    assert region.asked("GET", f"{NETWORK}/networks")[0].query == {"router:external": ["true"], "name": ["outside-7"]}


def test_a_floating_ip_that_somebody_else_gave_the_machine_is_a_fault_and_stays(region: FloatingRegion) -> None:
    region.put("172.31.99.99", port_id=PORT)
    refused(region, FLOATING, "openstack.other_floating", "somebody else gave it a floating IP")
    assert region.leading() == ["172.31.99.99"]


def test_a_port_that_is_gone_is_a_fault(region: FloatingRegion) -> None:
    region.answers("GET", f"{NETWORK}/ports", body={"ports": []})
    refused(region, FLOATING, "openstack.no_port", r"the port of 10\.20\.0\.7 is gone")


def test_a_projects_quota_of_them_is_lifted_where_it_bites(region: FloatingRegion) -> None:
    region.quota = 0
    region.answers("PUT", f"{NETWORK}/quotas/{PROJECT}", 200, {})
    carried_out(region, FLOATING)
    assert region.asked("PUT", f"{NETWORK}/quotas/{PROJECT}")[0].body == {"quota": {"floatingip": -1}}


def test_it_leads_to_the_first_ipv4_address_on_whichever_card(region: FloatingRegion) -> None:
    six = Nic("52:54:00:00:00:06", "gov", "fd20::7", 64)
    ports = [{"id": f"port-{n}", "name": port_name(BUILT.id, n), "project_id": PROJECT} for n in (0, 1)]
    region.answers("GET", f"{NETWORK}/ports", body={"ports": ports})
    with connected(region) as driver:
        driver.set_floating(replace(FLOATING, nics=(six, NIC)))
    asked = region.asked("POST", FLOATING_IPS)[0].body["floatingip"]
    assert (asked["port_id"], asked["fixed_ip_address"]) == ("port-1", NIC.address)


# --- what is asked


def asked_about(region: FloatingRegion, servers: list[dict[str, Any]]) -> dict[str, str]:
    with closing(Link(Settings.model_validate(region.way_in()))) as link:
        return on(link, servers)


def test_nobody_is_asked_about_machines_whose_servers_say_nothing_of_one(region: FloatingRegion) -> None:
    with connected(region) as driver:
        driver.observe([BUILT.id])
    assert not region.asked("GET", FLOATING_IPS)


@pytest.mark.parametrize(("many", "by_name"), [(3, True), (60, False)])
def test_one_call_asks_about_all_machines(region: FloatingRegion, many: int, *, by_name: bool) -> None:
    has(region)
    listed = [a_server(a_machine(id=uuid7()), id=str(uuid7()), metadata=region.server["metadata"]) for _ in range(many)]
    assert asked_about(region, [region.server, *listed]) == {str(NOVAS): "172.31.99.20"}
    [asked] = region.asked("GET", FLOATING_IPS)
    assert ("description" in asked.query) == by_name


def test_a_rebuild_keeps_the_note_of_it(region: FloatingRegion) -> None:
    has(region)
    region.server["status"] = "SHUTOFF"
    with connected(region) as driver, pytest.raises(Underway):
        driver.rebuild(replace(FLOATING, builds=1, power="off"))
    assert region.server["metadata"]["steppe:floating"] == "172.31.99.20"
