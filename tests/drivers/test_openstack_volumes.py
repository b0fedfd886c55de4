"""Data disks of a region that real services cannot be made to show on demand: volumes that failed, that are somebody
else's, or that a server which is gone still has, and a region without Cinder or with Cinder away."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from provisioners.contract import MachineSpec, Missing, Nic, Rejected, Underway, Unreachable
from provisioners.openstack_driver import OpenStackDriver, connect
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import (
    NETWORK,
    NOVAS,
    PROJECT,
    SERVERS,
    TOKENS,
    VOLUMES,
    WITH_VOLUMES,
    Double,
    a_server,
    a_volume,
    furnish_volumes,
)
from tests.drivers.test_openstack_refusals import OURS, nova, ordered, shows

NIC = Nic("52:54:00:00:00:07", "gov", "10.20.0.7", 24)
SPEC = a_machine(id=uuid7(), generation=4, nics=(NIC,), data_disks=(10, 30), power="off")
DETAIL, ATTACHMENTS = f"{VOLUMES}/detail", "/volume/v3/attachments"
ATTACH = f"{OURS}/os-volume_attachments"
OTHERS = str(UUID(int=7))
FULL = "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota."
PORT = {"id": "our-port", "name": f"steppe-{SPEC.id}-0", "device_id": "", "project_id": PROJECT}


@pytest.fixture
def region(region: Double) -> Double:
    """The region, with Cinder and no volumes."""
    furnish_volumes(region)
    return region


def holds(region: Double, *volumes: dict[str, Any]) -> None:
    region.answers("GET", DETAIL, body={"volumes": list(volumes)})


def disks(**changes: Any) -> list[dict[str, Any]]:
    return [a_volume(SPEC, number, **changes) for number in (1, 2)]


def off(spec: MachineSpec, *volumes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the server of a machine that is off, with these volumes attached."""
    attached = [{"id": volume["id"], "delete_on_termination": False} for volume in volumes]
    return a_server(spec, **{"status": "SHUTOFF", "os-extended-volumes:volumes_attached": attached, **changes})


def told(region: Double) -> list[str]:
    """Return what was ordered of Nova and Cinder."""
    return [order for order in ordered(region) if "/network/" not in order and not order.endswith("/flavors")]


def refused_as(driver: OpenStackDriver, code: str, words: str) -> None:
    with pytest.raises(Rejected, match=words) as refusal:
        driver.create(SPEC)
    assert refusal.value.code == code


# --- made


def test_volumes_are_made_in_the_departments_project_and_the_server_once_they_are_there(
    region: Double, driver: OpenStackDriver
) -> None:
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert told(region) == [f"POST {VOLUMES}"] * 2
    made = [request.body["volume"] for request in region.asked("POST", VOLUMES)]
    assert [(v["size"], v["metadata"]["steppe:disk"]) for v in made] == [(10, "1"), (30, "2")]
    scopes = [request.body["auth"]["scope"]["project"] for request in region.asked("POST", TOKENS)]
    assert scopes[-1] == {"id": PROJECT}
    holds(region, *reversed(disks()))
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(SPEC)
    [asked] = region.asked("POST", SERVERS)
    first, *data = asked.body["server"]["block_device_mapping_v2"]
    assert (first["source_type"], first["boot_index"]) == ("image", 0)
    assert [(d["uuid"], d["delete_on_termination"]) for d in data] == [(v["id"], False) for v in disks()]


@pytest.mark.parametrize("status", ["creating", "extending"])
def test_no_server_is_asked_for_while_a_volume_is_not_there_yet(
    region: Double, driver: OpenStackDriver, status: str
) -> None:
    holds(region, a_volume(SPEC, 1), a_volume(SPEC, 2, status=status, size=1))
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert told(region) == []


def test_volumes_are_of_the_type_that_the_pool_says(region: Double) -> None:
    driver = connect(region.way_in(volume_type="ssd"), Path())
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert {r.body["volume"]["volume_type"] for r in region.asked("POST", VOLUMES)} == {"ssd"}
    region.answers("POST", VOLUMES, 404, nova("Volume type with name ssd could not be found.", "itemNotFound"))
    refused_as(driver, "openstack.no_volume_type", "no volume type ssd")
    driver.close()


@pytest.mark.parametrize(
    ("status", "kind", "said", "code"),
    [(413, "overLimit", FULL, "openstack.over_quota"), (400, "badRequest", "Invalid input", "openstack.refused")],
)
def test_what_cinder_refuses_is_a_fault_in_its_own_words(
    region: Double, driver: OpenStackDriver, status: int, kind: str, said: str, code: str
) -> None:
    region.answers("POST", VOLUMES, status, nova(said, kind))
    refused_as(driver, code, said)


def test_a_volume_that_no_backend_took_is_a_fault_in_cinders_words_and_made_anew_at_the_next_generation(
    region: Double, driver: OpenStackDriver
) -> None:
    failed = a_volume(SPEC, 2, status="error", **{"os-vol-host-attr:host": None})
    holds(region, a_volume(SPEC, 1), failed)
    said = "schedule allocate volume:Could not find any available weighted backend."
    region.answers("GET", "/volume/v3/messages", body={"messages": [{"user_message": said}]})
    refused_as(driver, "openstack.volume_failed", said)
    assert told(region) == []
    region.answers("DELETE", f"{VOLUMES}/{failed['id']}", 202)
    with pytest.raises(Underway):
        driver.create(replace(SPEC, generation=5))
    assert told(region) == [f"DELETE {VOLUMES}/{failed['id']}"]


@pytest.mark.parametrize("status", ["error", "error_extending"])
def test_a_volume_in_error_that_may_hold_data_is_left_to_people(
    region: Double, driver: OpenStackDriver, status: str
) -> None:
    holds(region, a_volume(SPEC, 1, status=status), a_volume(SPEC, 2))
    with pytest.raises(Rejected, match="reset its state in Cinder") as refusal:
        driver.create(replace(SPEC, generation=5))
    assert refusal.value.code == "openstack.volume_failed"
    assert told(region) == []


def test_of_two_volumes_of_one_disk_the_older_is_it_and_the_other_is_not_touched(
    region: Double, driver: OpenStackDriver
) -> None:
    restored = a_volume(SPEC, 1, id="0-restored", created_at="2024-06-01T00:00:00.000000")
    holds(region, restored, *disks())
    with pytest.raises(Underway):
        driver.create(SPEC)
    data = region.asked("POST", SERVERS)[0].body["server"]["block_device_mapping_v2"][1:]
    assert [d["uuid"] for d in data] == [v["id"] for v in disks()]
    assert told(region) == [f"POST {SERVERS}"]


def test_a_volume_that_merely_wears_a_machines_label_in_another_project_is_not_its_disk(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, *disks(**{"os-vol-tenant-attr:tenant_id": "others"}))
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert told(region) == [f"POST {VOLUMES}"] * 2


def test_volumes_that_a_server_which_is_gone_still_has_are_taken_from_it(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, a_volume(SPEC, 1, on=OTHERS), a_volume(SPEC, 2))
    region.answers("GET", ATTACHMENTS, body={"attachments": [{"id": "stale", "instance": OTHERS}]})
    region.answers("GET", f"{SERVERS}/{OTHERS}", 404, nova("not found", "itemNotFound"))
    region.answers("DELETE", f"{ATTACHMENTS}/stale", body={"attachments": []})
    with pytest.raises(Underway):
        driver.create(SPEC)
    assert told(region) == [f"DELETE {ATTACHMENTS}/stale"]


def test_a_volume_that_a_living_server_has_is_left_with_it(region: Double, driver: OpenStackDriver) -> None:
    holds(region, a_volume(SPEC, 1, on=OTHERS), a_volume(SPEC, 2))
    region.answers("GET", ATTACHMENTS, body={"attachments": [{"id": "theirs", "instance": OTHERS}]})
    region.answers("GET", f"{SERVERS}/{OTHERS}", body={"server": {"id": OTHERS}})
    refused_as(driver, "openstack.volume_in_use", f"attached to server {OTHERS}; detach it")
    assert told(region) == []


# --- changed


def test_a_disk_that_was_detached_is_attached_and_not_made_again(region: Double, driver: OpenStackDriver) -> None:
    first, second = a_volume(SPEC, 1), a_volume(SPEC, 2, on=NOVAS)
    shows(region, off(SPEC, second))
    holds(region, first, second)
    assert driver.observe([SPEC.id])[SPEC.id].data_disks == (0, 30)
    region.answers("POST", ATTACH, body={})
    with pytest.raises(Underway, match="attaching data disk 1"):
        driver.resize(SPEC)
    assert told(region) == [f"POST {ATTACH}"]
    [asked] = region.asked("POST", ATTACH)
    assert asked.body["volumeAttachment"] == {"volumeId": first["id"], "delete_on_termination": False}


@pytest.mark.parametrize("fewer", [(10,), (10, 29), ()])
def test_a_disk_that_would_shrink_or_go_is_refused_before_anything_is_changed(
    region: Double, driver: OpenStackDriver, fewer: tuple[int, ...]
) -> None:
    volumes = disks(on=NOVAS)
    shows(region, off(SPEC, *volumes))
    holds(region, *volumes)
    with pytest.raises(Rejected) as refusal:
        driver.resize(replace(SPEC, vcpu=8, generation=5, data_disks=fewer))
    assert refusal.value.code == "openstack.disk_shrinks"
    assert told(region) == []


def test_an_attachment_that_failed_is_a_fault_in_novas_words(region: Double, driver: OpenStackDriver) -> None:
    shows(region, off(SPEC))
    path = f"{OURS}/os-instance-actions"
    done = {"action": "attach_volume", "request_id": "req-1", "message": "Error"}
    region.answers("GET", path, body={"instanceActions": [done]})
    events = [{"result": "Error", "details": "Volume could not be connected"}]
    region.answers("GET", f"{path}/req-1", body={"instanceAction": {"events": events}})
    with pytest.raises(Rejected, match="could not be connected"):
        driver.resize(SPEC)
    assert told(region) == []


def test_a_resize_waits_for_what_is_on_its_way_to_the_same_server(region: Double, driver: OpenStackDriver) -> None:
    shows(region, off(SPEC, a_volume(SPEC, 1)))
    holds(region, a_volume(SPEC, 1, on=NOVAS), a_volume(SPEC, 2, status="in-use"))
    region.answers("GET", ATTACHMENTS, body={"attachments": [{"id": "coming", "instance": str(NOVAS)}]})
    region.answers("GET", OURS, body={"server": off(SPEC)})
    with pytest.raises(Underway):
        driver.resize(SPEC)
    assert told(region) == []


# --- seen


@pytest.mark.parametrize("status", ["attaching", "detaching", "extending", "reserved"])
def test_a_machine_is_busy_while_a_disk_of_it_is(region: Double, driver: OpenStackDriver, status: str) -> None:
    moving = a_volume(SPEC, 1, status=status)
    shows(region, off(SPEC, moving))
    holds(region, moving)
    assert driver.observe([SPEC.id])[SPEC.id].busy


def test_a_shelved_server_whose_disks_are_kept_for_it_is_not_busy(region: Double, driver: OpenStackDriver) -> None:
    kept = a_volume(SPEC, 1, status="reserved")
    shows(region, off(SPEC, kept, status="SHELVED_OFFLOADED"))
    holds(region, kept)
    assert not driver.observe([SPEC.id])[SPEC.id].busy


def test_cinder_is_asked_once_for_many_servers_and_never_for_servers_without_volumes(
    region: Double, driver: OpenStackDriver
) -> None:
    specs = [replace(SPEC, id=uuid7()) for _ in range(20)]
    plain = [off(spec) for spec in specs]
    shows(region, *plain)
    driver.observe([spec.id for spec in specs])
    assert region.asked("GET", DETAIL) == []
    volumes = [a_volume(spec, 1, on=NOVAS) for spec in specs]
    shows(region, *(off(spec, volume) for spec, volume in zip(specs, volumes, strict=True)))
    holds(region, *volumes)
    found = driver.observe([spec.id for spec in specs])
    assert {machine.data_disks for machine in found.values()} == {(10,)}
    assert len(region.asked("GET", DETAIL)) == 1
    assert all(volume["id"] in region.asked("GET", DETAIL)[0].query["id"][0] for volume in volumes)


def test_volumes_without_a_server_are_remains(region: Double, driver: OpenStackDriver) -> None:
    holds(region, *disks())
    remains = driver.observe([SPEC.id])[SPEC.id]
    assert not remains.complete
    assert driver.discover() == [remains]


def test_a_zone_does_not_take_the_disks_of_another_zones_machines_for_remains(region: Double) -> None:
    driver = connect(region.way_in(availability_zone="east"), Path())
    volumes = disks(on=NOVAS)
    shows(region, off(SPEC, *volumes))
    holds(region, *volumes)
    assert driver.discover() == []
    driver.close()


# --- somebody else's


def adopted(region: Double) -> MachineSpec:
    """Let a server run that was adopted, with two volumes of its owner's beside the one that it boots from."""
    spec = replace(SPEC, id=NOVAS, adopted=True)
    attached = [("/dev/vdc", 30), ("/dev/vda", 20), ("/dev/vdb", 10)]
    theirs = [
        a_volume(SPEC, 1, on=NOVAS, id=f"v{90 - size}", device=device, size=size, metadata={})
        for device, size in attached
    ]
    shows(region, off(spec, *theirs, **{"image": "", "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda"}))
    holds(region, *theirs)
    return spec


def test_an_adopted_servers_volumes_are_seen_in_the_guests_order_without_the_one_that_it_boots_from(
    region: Double, driver: OpenStackDriver
) -> None:
    spec = adopted(region)
    assert driver.observe([spec.id])[spec.id].data_disks == (10, 30)


@pytest.mark.parametrize("wanted", [(10, 40), (10, 30, 5)], ids=["larger", "more"])
def test_an_adopted_servers_volumes_are_not_ours_to_change(
    region: Double, driver: OpenStackDriver, wanted: tuple[int, ...]
) -> None:
    spec = adopted(region)
    with pytest.raises(Rejected, match="not ours to change") as refusal:
        driver.resize(replace(spec, data_disks=wanted))
    assert refusal.value.code == "openstack.adopted"
    assert told(region) == []


def test_a_volume_that_somebody_attached_to_a_machine_of_ours_is_not_counted(
    region: Double, driver: OpenStackDriver
) -> None:
    volumes = [*disks(on=NOVAS), a_volume(SPEC, 1, on=NOVAS, id="theirs", metadata={})]
    shows(region, off(SPEC, *volumes))
    holds(region, *volumes)
    assert driver.observe([SPEC.id])[SPEC.id].data_disks == (10, 30)


@pytest.mark.parametrize("number", ["9", "4000000000", "-1", "x", ""])
def test_a_volume_whose_label_has_no_number_of_a_disk_is_none(
    region: Double, driver: OpenStackDriver, number: str
) -> None:
    odd = a_volume(SPEC, 1, on=NOVAS)
    odd["metadata"]["steppe:disk"] = number
    shows(region, off(SPEC, odd))
    holds(region, odd)
    assert driver.observe([SPEC.id])[SPEC.id].data_disks == ()


# --- gone


def test_volumes_go_after_the_server_and_before_the_ports_whatever_state_they_are_in(
    region: Double, driver: OpenStackDriver
) -> None:
    volumes = [a_volume(SPEC, 1), a_volume(SPEC, 2, status="error_extending")]
    holds(region, *volumes)
    region.answers("GET", f"{NETWORK}/ports", body={"ports": [PORT]})
    for volume in volumes:
        region.answers("DELETE", f"{VOLUMES}/{volume['id']}", 202)
    with pytest.raises(Underway):
        driver.delete(SPEC.id)
    assert told(region) == ordered(region) == [f"DELETE {VOLUMES}/{volume['id']}" for volume in volumes]
    holds(region)
    region.answers("DELETE", f"{NETWORK}/ports/our-port", 204)
    assert driver.delete(SPEC.id) == ()
    assert ordered(region)[-1] == f"DELETE {NETWORK}/ports/our-port"


def test_a_volume_that_cinder_could_not_delete_is_forced_and_waited_for(
    region: Double, driver: OpenStackDriver
) -> None:
    stuck = a_volume(SPEC, 1, status="error_deleting")
    holds(region, stuck)
    region.answers("POST", f"{VOLUMES}/{stuck['id']}/action", 202)
    with pytest.raises(Unreachable, match=stuck["id"]):
        driver.delete(SPEC.id)
    assert [r.body for r in region.asked("POST", f"{VOLUMES}/{stuck['id']}/action")] == [{"os-force_delete": {}}]


def test_a_volume_of_another_project_that_wears_the_label_is_not_deleted(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, *disks(**{"os-vol-tenant-attr:tenant_id": "others"}))
    region.answers("GET", f"{NETWORK}/ports", body={"ports": [PORT]})
    region.answers("DELETE", f"{NETWORK}/ports/our-port", 204)
    driver.delete(SPEC.id)
    assert told(region) == []


# --- Cinder not there, or away


def test_a_region_without_cinder_makes_no_machine_with_data_disks_and_every_other(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("POST", TOKENS, 201, {"token": region.token(*(s for s in WITH_VOLUMES if s != "volumev3"))})
    refused_as(driver, "openstack.no_volumes", "ask for a machine without data disks")
    assert ordered(region) == []
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(replace(SPEC, data_disks=()))
    assert driver.discover() == []
    assert driver.limited() == ("vm", "vcpu", "memory_mib")
    quotas(region, 100)
    assert driver.tenants(["dsj"])["dsj"].limits.keys() == {"vm", "vcpu", "memory_mib"}
    with pytest.raises(Missing):
        driver.delete(SPEC.id)
    assert not [request for request in region.requests if request.path.startswith("/volume")]


def test_a_machine_without_data_disks_does_not_wait_for_a_cinder_that_is_away(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("GET", DETAIL, 503, "no server is available")
    assert driver.observe([SPEC.id]) == {}
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(replace(SPEC, data_disks=()))


def test_while_cinder_is_away_nothing_is_said_of_machines_with_data_disks(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("GET", DETAIL, 503, "no server is available")
    with pytest.raises(Unreachable, match="block_storage GET /volumes/detail: 503"):
        driver.create(SPEC)
    assert told(region) == []
    shows(region, off(SPEC, *disks()))
    for look in (lambda: driver.observe([SPEC.id]), driver.discover, lambda: driver.resize(SPEC)):
        with pytest.raises(Unreachable):
            look()
    shows(region)
    with pytest.raises(Unreachable):
        driver.delete(SPEC.id)


# --- quotas


LIMITS = {"vm": 5, "vcpu": None, "memory_mib": 4096, "disk_gib": 100}


def quotas(region: Double, gigabytes: int) -> None:
    novas = {"instances": 5, "cores": -1, "ram": 4096}
    region.answers("GET", f"/compute/v2.1/os-quota-sets/{PROJECT}", body={"quota_set": novas})
    region.answers("GET", f"/volume/v3/os-quota-sets/{PROJECT}", body={"quota_set": {"gigabytes": gigabytes}})


def test_the_limit_of_disks_is_cinders_quota_and_read_back(region: Double, driver: OpenStackDriver) -> None:
    quota = f"/volume/v3/os-quota-sets/{PROJECT}"
    for path in (f"/compute/v2.1/os-quota-sets/{PROJECT}", quota, f"{NETWORK}/quotas/{PROJECT}"):
        region.answers("PUT", path, body={})
    assert driver.limited() == tuple(LIMITS)
    driver.set_tenant("dsj", LIMITS, ())
    unlimited = {"volumes": -1, "per_volume_gigabytes": -1}
    assert [r.body for r in region.asked("PUT", quota)] == [{"quota_set": {"gigabytes": 100, **unlimited}}]
    driver.set_tenant("dsj", {**LIMITS, "disk_gib": None}, ())
    assert region.asked("PUT", quota)[-1].body["quota_set"]["gigabytes"] == -1
    for gigabytes, limit in ((7, 7), (-1, None)):
        quotas(region, gigabytes)
        assert driver.tenants(["dsj"])["dsj"].limits == {**LIMITS, "disk_gib": limit}


def test_a_department_with_a_volume_left_is_not_removed(region: Double, driver: OpenStackDriver) -> None:
    region.answers("GET", SERVERS, body={"servers": []})
    for name in ("ports", "routers", "networks", "floatingips"):
        region.answers("GET", f"{NETWORK}/{name}", body={name: []})
    region.answers("GET", VOLUMES, body={"volumes": [{"id": "left"}]})
    with pytest.raises(Rejected, match="dsj still has volumes") as refusal:
        driver.remove_tenant("dsj")
    assert refusal.value.code == "openstack.project_in_use"
    assert region.asked("GET", VOLUMES)[0].query["project_id"] == [PROJECT]
    assert told(region) == []
