"""What an order speaks of by name: images, networks, ports, departments, where a region has none, two, or another's."""

from dataclasses import replace
from typing import Any

import pytest

from provisioners.contract import Rejected, Underway
from provisioners.openstack_driver import OpenStackDriver
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, SERVERS, Double, an_image
from tests.drivers.test_openstack_refusals import PORTS, SPEC, neutron, refused

OUR_PORT = {"id": "our-port", "name": f"steppe-{SPEC.id}-0", "device_id": "", "project_id": PROJECT}


@pytest.mark.parametrize(
    ("images", "code", "words"),
    [
        (
            [an_image("debian-12", id="a"), an_image("debian-12", id="b")],
            "openstack.images",
            "2 images are called debian-12; give the catalogue an id",
        ),
        ([], "openstack.no_image", "the region has no image debian-12"),
        ([an_image("Debian-12")], "openstack.no_image", "the region has no image debian-12"),
    ],
)
def test_an_image_that_is_not_just_one_is_refused_with_advice(
    region: Double, driver: OpenStackDriver, images: list[dict[str, Any]], code: str, words: str
) -> None:
    region.answers("GET", "/image/v2/images", body={"images": images})
    refused(driver, code, words)


def test_an_image_id_that_glance_does_not_know_is_no_image(region: Double, driver: OpenStackDriver) -> None:
    region.answers("GET", f"/image/v2/images/{NOVAS}", 404, "<html>404 Not Found: No image found</html>")
    region.answers("GET", "/image/v2/images", body={"images": []})
    with pytest.raises(Rejected, match=str(NOVAS)):
        driver.create(replace(SPEC, image_source=str(NOVAS)))


def a_network(name: str, owner: str, *, shared: bool) -> dict[str, Any]:
    return {"id": name, "project_id": owner, "shared": shared}


def test_of_two_networks_of_one_name_the_departments_own_is_taken(region: Double, driver: OpenStackDriver) -> None:
    both = [a_network("shared", "centre", shared=True), a_network("own", PROJECT, shared=False)]
    region.answers("GET", f"{NETWORK}/networks", body={"networks": both})
    subnet = {"id": "own-subnet", "network_id": "own", "cidr": "10.20.0.0/16"}
    region.answers("GET", f"{NETWORK}/subnets", body={"subnets": [subnet]})
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert region.asked("GET", f"{NETWORK}/subnets")[0].query == {"network_id": ["own"]}
    assert region.asked("POST", PORTS)[0].body["port"]["network_id"] == "own"


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ([], "no networks gov"),
        ([a_network("other", "other", shared=False)], "no networks gov"),
        ([a_network("a", "centre", shared=True), a_network("b", "other", shared=True)], "2 networks gov"),
    ],
)
def test_a_network_that_is_not_just_one_is_refused(
    region: Double, driver: OpenStackDriver, networks: list[dict[str, Any]], words: str
) -> None:
    region.answers("GET", f"{NETWORK}/networks", body={"networks": networks})
    refused(driver, "openstack.no_network", f"the region has {words} that the project may use")


def test_an_address_outside_every_subnet_is_refused(region: Double, driver: OpenStackDriver) -> None:
    subnet = {"id": "elsewhere", "network_id": "gov-network", "cidr": "10.9.0.0/16"}
    region.answers("GET", f"{NETWORK}/subnets", body={"subnets": [subnet]})
    refused(driver, "openstack.no_subnet", r"network gov has no subnet with 10\.20\.0\.7 in it")


def test_a_port_that_exists_already_is_used(region: Double, driver: OpenStackDriver) -> None:
    region.answers("POST", PORTS, 409, neutron("IpAddressAlreadyAllocated", "already allocated"))
    region.answers("GET", PORTS, body={"ports": [OUR_PORT]})
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert region.asked("POST", SERVERS)[0].body["server"]["networks"] == [{"port": "our-port"}]


def test_an_address_that_somebody_elses_port_has_is_a_fault_that_names_the_port(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("POST", PORTS, 409, neutron("IpAddressAlreadyAllocated", "already allocated"))
    region.answers("GET", PORTS, body={"ports": []}, times=1)
    holder = {"id": "their-port", "name": "web", "project_id": "theirs"}
    region.answers("GET", PORTS, body={"ports": [holder]})
    refused(driver, "openstack.address_taken", r"10\.20\.0\.7 .* port their-port of project theirs has it")
    assert region.asked("GET", PORTS)[-1].query["fixed_ips"] == ["ip_address=10.20.0.7"]


@pytest.mark.parametrize("held", ["servers", "ports", "routers", "networks", "floatingips"])
def test_a_department_that_holds_something_is_not_removed(region: Double, driver: OpenStackDriver, held: str) -> None:
    region.answers("GET", SERVERS, body={"servers": []})
    for name in ("ports", "routers", "networks", "floatingips"):
        region.answers("GET", f"{NETWORK}/{name}", body={name: []})
    region.answers(
        "GET",
        SERVERS if held == "servers" else f"{NETWORK}/{held}",
        body={held: [{"id": "x", "port_id": None, "description": "theirs"}]},
    )
    with pytest.raises(Rejected, match=f"dsj still has {held}") as refusal:
        driver.remove_tenant("dsj")
    assert refusal.value.code == "openstack.project_in_use"
    assert not [request for request in region.requests if request.method == "DELETE"]
