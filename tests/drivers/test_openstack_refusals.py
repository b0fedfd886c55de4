"""What a region refuses, and what it finds in an order's way: each with a code, the service's own words, and advice."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from provisioners.contract import Missing, Nic, Rejected, Underway, Unreachable
from provisioners.openstack_driver import OpenStackDriver
from provisioners.openstack_servers import TRIED
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, SERVERS, Double, a_server, an_image

SPEC = a_machine(id=uuid7(), generation=4, nics=(Nic("52:54:00:00:00:07", "gov", "10.20.0.7", 24),))
DETAIL, PORTS = f"{SERVERS}/detail", f"{NETWORK}/ports"
OURS, OTHERS = f"{SERVERS}/{NOVAS}", f"{SERVERS}/{UUID(int=7)}"
ACTION = f"{OURS}/action"
CORES = "Quota exceeded for cores: Requested 4, but already used 8 of 10 cores"
WRITTEN = {"DELETE", "PATCH", "POST", "PUT"}


def nova(message: str, kind: str = "badRequest") -> dict[str, Any]:
    return {kind: {"code": 0, "message": message}}


def neutron(kind: str, message: str) -> dict[str, Any]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def shows(region: Double, *servers: dict[str, Any]) -> None:
    region.answers("GET", DETAIL, body={"servers": list(servers)})


def failed(**changes: Any) -> dict[str, Any]:
    words = "No valid host was found. There are not enough hosts available."
    return a_server(SPEC, status="ERROR", fault={"code": 500, "message": words}, **changes)


def ordered(region: Double) -> list[str]:
    """Return what was ordered of Nova and Neutron, as method and path."""
    told = [r for r in region.requests if r.method in WRITTEN and not r.path.startswith("/identity")]
    return [f"{r.method} {r.path}" for r in told]


def refused(driver: OpenStackDriver, code: str, words: str) -> None:
    with pytest.raises(Rejected, match=words) as refusal:
        driver.create(SPEC)
    assert refusal.value.code == code


# --- orders that are refused


@pytest.mark.parametrize(
    ("path", "answer", "code", "words"),
    [
        (SERVERS, (403, nova(CORES, "forbidden")), "openstack.over_quota", CORES),
        (SERVERS, (400, nova("Flavor's disk is too small")), "openstack.refused", "disk is too small"),
        (SERVERS, (403, nova("Policy doesn't allow it", "forbidden")), "openstack.refused", "Policy doesn't allow it"),
        (PORTS, (409, neutron("OverQuota", "Quota exceeded for ports")), "openstack.over_quota", "exceeded for ports"),
        (PORTS, (400, neutron("InvalidIpForSubnet", "IP not valid")), "openstack.refused", "IP not valid"),
        (PORTS, (404, neutron("NetworkNotFound", "no network")), "openstack.no_network", "is gone"),
    ],
)
def test_a_refusal_has_a_code_and_the_services_own_words(
    region: Double, driver: OpenStackDriver, path: str, answer: tuple[int, Any], code: str, words: str
) -> None:
    region.answers("POST", path, *answer)
    refused(driver, code, words)


def test_a_project_that_we_may_not_make_is_refused_in_keystones_words(region: Double, driver: OpenStackDriver) -> None:
    region.answers("GET", "/identity/v3/projects", body={"projects": []})
    said = "You are not authorized to perform the requested action: identity:create_project."
    region.answers("POST", "/identity/v3/projects", 403, {"error": {"code": 403, "message": said}})
    refused(driver, "openstack.refused", "identity:create_project")


def test_after_a_refusal_images_and_networks_are_looked_up_anew(region: Double, driver: OpenStackDriver) -> None:
    region.answers("POST", SERVERS, 400, nova("Can not find requested image"), times=1)
    refused(driver, "openstack.refused", "Can not find requested image")
    region.answers("GET", "/image/v2/images", body={"images": [an_image("debian-12", id="a-newer-image")]})
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert region.asked("POST", SERVERS)[1].body["server"]["imageRef"] == "a-newer-image"


@pytest.mark.parametrize(
    ("method", "path", "act"),
    [
        ("POST", ACTION, lambda driver: driver.stop(SPEC)),
        ("POST", f"{OURS}/metadata", lambda driver: driver.start(replace(SPEC, generation=5))),
        ("PUT", OURS, lambda driver: driver.start(replace(SPEC, name="renamed"))),
        ("PUT", f"{OURS}/tags/steppe", lambda driver: driver.adopt(SPEC)),
        ("DELETE", OURS, lambda driver: driver.delete(SPEC.id)),
    ],
)
def test_a_server_that_nova_is_busy_with_is_unreachable_for_now_whatever_is_ordered(
    region: Double, driver: OpenStackDriver, method: str, path: str, act: Any
) -> None:
    shows(region, a_server(SPEC, tags=[]))
    region.answers("POST", f"{OURS}/metadata", 200, {})
    region.answers("PUT", f"{OURS}/tags/steppe-{SPEC.id}", 201)
    said = "Cannot do it while it is in task_state image_snapshot"
    region.answers(method, path, 409, nova(said, "conflictingRequest"))
    with pytest.raises(Unreachable, match=said):
        act(driver)


# --- servers that failed


def test_a_build_that_failed_is_a_fault_in_novas_words_and_not_tried_again(
    region: Double, driver: OpenStackDriver
) -> None:
    never_ran = failed(**{"OS-SRV-USG:launched_at": None})
    # Nova's lists leave the fault out of a server that no host ever had.
    shows(region, {**never_ran, "fault": None})
    region.answers("GET", OURS, body={"server": never_ran})
    refused(driver, "openstack.no_valid_host", "There are not enough hosts available")
    assert ordered(region) == []


def test_a_build_that_failed_on_its_hosts_is_tried_once_more_unasked_and_then_a_fault(
    region: Double, driver: OpenStackDriver
) -> None:
    said = {"message": "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures"}
    never_ran = failed(**{"OS-SRV-USG:launched_at": None}) | {"fault": said}
    port = {"id": "its-port", "name": f"steppe-{SPEC.id}-0", "device_id": "", "project_id": PROJECT, "description": ""}
    shows(region, never_ran)
    region.answers("GET", OURS, body={"server": never_ran})
    region.answers("GET", PORTS, body={"ports": [port]})
    region.answers("PUT", f"{PORTS}/its-port", 200, {})
    region.answers("DELETE", OURS, 204)
    with pytest.raises(Underway, match="failed build"):
        driver.create(SPEC)
    assert ordered(region) == [f"PUT {PORTS}/its-port", f"DELETE {OURS}"]
    region.answers("GET", PORTS, body={"ports": [port | region.asked("PUT", f"{PORTS}/its-port")[0].body["port"]]})
    refused(driver, "openstack.build_failed", "Exhausted all hosts")
    region.answers("GET", PORTS, body={"ports": []})
    refused(driver, "openstack.build_failed", "Exhausted all hosts")
    assert len(ordered(region)) == 2


def test_a_build_that_failed_is_cleared_away_for_another_at_the_next_generation(
    region: Double, driver: OpenStackDriver
) -> None:
    shows(region, failed(**{"OS-SRV-USG:launched_at": None}))
    region.answers("DELETE", OURS, 204)
    with pytest.raises(Underway, match="failed build"):
        driver.create(replace(SPEC, generation=5))
    shows(region)
    with pytest.raises(Underway, match="building"):
        driver.create(replace(SPEC, generation=5))
    assert ordered(region)[0] == f"DELETE {OURS}"
    assert ordered(region)[-1] == f"POST {SERVERS}"


def test_a_server_in_error_that_ran_is_brought_back_once_a_generation(region: Double, driver: OpenStackDriver) -> None:
    region.answers("PUT", OURS, body={})
    region.answers("POST", ACTION, 202)
    shows(region, failed(description=f"{TRIED}3"))
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert ordered(region) == [f"PUT {OURS}", f"POST {ACTION}"]
    assert region.asked("PUT", OURS)[0].body == {"server": {"description": f"{TRIED}4"}}
    assert region.asked("POST", ACTION)[0].body == {"reboot": {"type": "HARD"}}
    shows(region, failed(description=f"{TRIED}4"))
    region.answers("GET", OURS, body={"server": failed(description=f"{TRIED}4")})
    refused(driver, "openstack.no_valid_host", "No valid host")
    assert len(ordered(region)) == 2


def test_an_adopted_server_in_error_is_never_cleared_away(region: Double, driver: OpenStackDriver) -> None:
    adopted = replace(SPEC, adopted=True)
    shows(region, a_server(adopted, status="ERROR", **{"OS-SRV-USG:launched_at": None}))
    region.answers("PUT", OURS, body={})
    region.answers("POST", ACTION, 202)
    with pytest.raises(Underway):
        driver.create(replace(adopted, generation=5))
    assert ordered(region) == [f"PUT {OURS}", f"POST {ACTION}"]


def test_an_action_that_failed_is_a_fault_in_novas_words_and_given_again_at_the_next_generation(
    region: Double, driver: OpenStackDriver
) -> None:
    shows(region, a_server(SPEC, status="SHUTOFF"))
    path = f"{OURS}/os-instance-actions"
    done = {"action": "start", "request_id": "req-1", "message": "Error"}
    region.answers("GET", path, body={"instanceActions": [done]})
    events = [{"result": "Success"}, {"result": "Error", "details": "No valid host was found."}]
    region.answers("GET", f"{path}/req-1", body={"instanceAction": {"events": events}})
    refused(driver, "openstack.no_valid_host", "No valid host was found")
    assert ordered(region) == []
    region.answers("POST", f"{OURS}/metadata", body={})
    region.answers("POST", ACTION, 202)
    with pytest.raises(Underway):
        driver.create(replace(SPEC, generation=5))
    assert region.asked("POST", ACTION)[0].body == {"os-start": None}


# --- two of one


@pytest.mark.parametrize(
    ("ours", "other", "goes"),
    [
        ({"created": "2024-01-01T00:00:01Z"}, {"created": "2024-01-01T00:00:00Z"}, OURS),
        ({"created": "2024-01-01T00:00:00Z"}, {"created": "2024-01-01T00:00:01Z"}, OTHERS),
        ({"status": "ERROR"}, {"created": "2024-01-01T00:00:09Z"}, OURS),
    ],
    ids=["the younger", "the younger, listed last", "the failed one"],
)
def test_of_two_servers_of_one_machine_one_goes(
    region: Double, driver: OpenStackDriver, ours: dict[str, Any], other: dict[str, Any], goes: str
) -> None:
    shows(region, a_server(SPEC, **ours), a_server(SPEC, id=str(UUID(int=7)), **other))
    region.answers("DELETE", goes, 204)
    driver.start(SPEC)
    assert ordered(region) == [f"DELETE {goes}"]


def test_of_two_projects_that_claim_one_machine_neither_loses_its_server(
    region: Double, driver: OpenStackDriver
) -> None:
    shows(region, a_server(SPEC), a_server(SPEC, id=str(UUID(int=7)), tenant_id="somebody-elses"))
    for act in (driver.create, driver.start, lambda spec: driver.delete(spec.id)):
        with pytest.raises(Rejected, match="somebody-elses") as refusal:
            act(SPEC)
        assert refusal.value.code == "openstack.claimed_twice"
    assert ordered(region) == []


def test_a_server_that_merely_wears_a_machines_tag_is_not_it(region: Double, driver: OpenStackDriver) -> None:
    shows(region, a_server(tags=["steppe", f"steppe-{SPEC.id}"]))
    assert driver.observe([SPEC.id]) == {}
    with pytest.raises(Missing):
        driver.delete(SPEC.id)
    assert ordered(region) == []


# --- projects


def test_a_project_whose_security_group_is_in_use_elsewhere_is_in_use(region: Double, driver: OpenStackDriver) -> None:
    for path, key in ((SERVERS, "servers"), ("/compute/v2.1/os-server-groups", "server_groups")):
        region.answers("GET", path, body={key: []})
    for name in ("routers", "floatingips"):
        region.answers("GET", f"{NETWORK}/{name}", body={name: []})
    region.answers("GET", f"{NETWORK}/networks", body={"networks": []})
    region.answers("GET", f"{NETWORK}/security-groups", body={"security_groups": [{"id": "shared"}]})
    said = "Security Group shared in use."
    region.answers("DELETE", f"{NETWORK}/security-groups/shared", 409, neutron("SecurityGroupInUse", said))
    with pytest.raises(Rejected, match=said) as refusal:
        driver.remove_tenant("dsj")
    assert refusal.value.code == "openstack.project_in_use"


# --- what has gone in between


def test_a_server_that_vanished_between_two_calls_is_missing(region: Double, driver: OpenStackDriver) -> None:
    shows(region, a_server(SPEC))
    region.answers("POST", ACTION, 404, nova("Instance could not be found", "itemNotFound"))
    with pytest.raises(Missing):
        driver.stop(SPEC)


@pytest.mark.parametrize("status", [400, 409])
def test_a_confirmation_that_is_refused_is_tried_again_later(
    region: Double, driver: OpenStackDriver, status: int
) -> None:
    shows(region, a_server(SPEC, status="VERIFY_RESIZE"))
    region.answers("POST", ACTION, status, nova("Instance has not been resized."))
    with pytest.raises(Unreachable, match="has not been resized"):
        driver.start(SPEC)
