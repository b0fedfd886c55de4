"""Machines that boot from volumes: how they are made, told, resized, rebuilt and deleted, and what is said where
there is no Cinder or an older Nova."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from provisioners.contract import Machine, MachineSpec, OfferedFlavor, OfferedImage, Rejected, Underway, Unreachable
from provisioners.openstack_driver import OpenStackDriver, connect
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import (
    NETWORK,
    NOVAS,
    SERVERS,
    TOKENS,
    VOLUMES,
    WITH_VOLUMES,
    Double,
    a_flavor,
    a_server,
    a_volume,
    an_image,
    furnish_volumes,
)
from tests.drivers.test_openstack_refusals import ACTION, OURS, nova, shows
from tests.drivers.test_openstack_volumes import ATTACHMENTS, holds, off, told

SPEC = a_machine(id=uuid7(), generation=4, disk_gib=20, data_disks=(10,), power="off")
GROWN = replace(SPEC, generation=5, disk_gib=30)
REBUILT = replace(SPEC, generation=5, builds=1, image="kylin-v10")
FIRST = a_volume(SPEC, 0)
MARK = f"{VOLUMES}/{FIRST['id']}/metadata"
GROWS = f"POST {VOLUMES}/{FIRST['id']}/action"


@pytest.fixture
def region(region: Double) -> Double:
    """The region, with Cinder, no volumes, and Nova of Zed."""
    furnish_volumes(region)
    region.answers("POST", ACTION, 202)
    region.answers("POST", f"{VOLUMES}/{FIRST['id']}/action", 202)
    region.answers("POST", MARK, body={})
    region.answers("GET", "/image/v2/images", body={"images": [an_image("debian-12"), an_image("kylin-v10")]})
    is_of(region, "2.93")
    return region


@pytest.fixture
def driver(region: Double) -> Iterator[OpenStackDriver]:
    """The driver of a pool whose machines boot from volumes."""
    opened = connect(region.way_in(boot_volumes=True), Path())
    yield opened
    opened.close()


@pytest.fixture
def plain(region: Double) -> Iterator[OpenStackDriver]:
    """The driver of a pool whose machines have their own disks from now on."""
    opened = connect(region.way_in(), Path())
    yield opened
    opened.close()


def is_of(region: Double, microversion: str) -> None:
    region.answers("GET", "/compute/v2.1", body={"version": {"id": "v2.1", "version": microversion}})


def attached(spec: MachineSpec = SPEC, **changes: Any) -> list[dict[str, Any]]:
    return [a_volume(spec, number, on=NOVAS, **changes) for number in (0, 1)]


def booted(region: Double, *volumes: dict[str, Any], spec: MachineSpec = SPEC, **changes: Any) -> None:
    """Let the machine of a spec have been made with these volumes, and be off."""
    flavor = {"vcpus": spec.vcpu, "ram": spec.memory_mib, "disk": 0}
    shows(region, off(spec, *volumes, **{"image": "", "flavor": flavor, **changes}))
    holds(region, *volumes)


def seen(driver: OpenStackDriver) -> Machine:
    return driver.observe([SPEC.id])[SPEC.id]


# --- made


def test_the_volume_is_made_of_the_image_and_the_server_boots_from_it_without_a_disk_of_its_own(
    region: Double, driver: OpenStackDriver
) -> None:
    with pytest.raises(Underway):
        driver.create(SPEC)
    first, data = (request.body["volume"] for request in region.asked("POST", VOLUMES))
    assert first == {
        "name": f"steppe-{SPEC.id}-disk-0",
        "size": 20,
        "imageRef": "debian-12-id",
        "metadata": {
            "steppe": "data disk",
            "steppe:id": str(SPEC.id),
            "steppe:disk": "0",
            "steppe:generation": "4",
            "steppe:builds": "0",
        },
    }
    assert "imageRef" not in data
    holds(region, a_volume(SPEC, 1), FIRST)
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(SPEC)
    [asked] = (request.body["server"] for request in region.asked("POST", SERVERS))
    assert "imageRef" not in asked
    assert asked["flavorRef"] == "steppe-2-2048-0"
    volume = {"source_type": "volume", "destination_type": "volume", "delete_on_termination": False}
    assert asked["block_device_mapping_v2"] == [
        {**volume, "uuid": FIRST["id"], "boot_index": 0},
        {**volume, "uuid": a_volume(SPEC, 1)["id"], "boot_index": -1},
    ]


@pytest.mark.parametrize("status", ["creating", "downloading"])
def test_the_server_waits_for_the_image_to_be_on_the_volume(
    region: Double, driver: OpenStackDriver, status: str
) -> None:
    holds(region, a_volume(SPEC, 0, status=status, bootable="false"), a_volume(SPEC, 1))
    with pytest.raises(Underway, match="Cinder is making"):
        driver.create(SPEC)
    assert told(region) == []


def test_a_volume_that_the_image_never_came_onto_is_made_anew_at_the_next_generation(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, a_volume(SPEC, 0, status="error", bootable="false"), a_volume(SPEC, 1))
    said = "copy image to volume: Image is not acceptable"
    region.answers("GET", "/volume/v3/messages", body={"messages": [{"user_message": said}]})
    with pytest.raises(Rejected, match=f"the first disk says error: {said}") as refusal:
        driver.create(SPEC)
    assert refusal.value.code == "openstack.volume_failed"
    region.answers("DELETE", f"{VOLUMES}/{FIRST['id']}", 202)
    with pytest.raises(Underway):
        driver.create(replace(SPEC, generation=5))
    assert told(region) == [f"DELETE {VOLUMES}/{FIRST['id']}"]


def test_a_volume_in_error_that_the_image_was_on_is_left_to_people(region: Double, driver: OpenStackDriver) -> None:
    holds(region, a_volume(SPEC, 0, status="error"), a_volume(SPEC, 1))
    with pytest.raises(Rejected, match="reset its state in Cinder"):
        driver.create(replace(SPEC, generation=5))
    assert told(region) == []


def test_a_machine_whose_server_is_gone_gets_its_volume_back_though_the_image_is_there_no_more(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, a_volume(SPEC, 0, on="gone"), a_volume(SPEC, 1))
    region.answers("GET", ATTACHMENTS, body={"attachments": [{"id": "stale", "instance": str(NOVAS)}]})
    region.answers("GET", OURS, 404, nova("not found", "itemNotFound"))
    region.answers("DELETE", f"{ATTACHMENTS}/stale", body={"attachments": []})
    region.answers("GET", "/image/v2/images", body={"images": []})
    with pytest.raises(Underway, match="a server that is gone"):
        driver.create(SPEC)
    holds(region, FIRST, a_volume(SPEC, 1))
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(SPEC)
    assert told(region) == [f"DELETE {ATTACHMENTS}/stale", f"POST {SERVERS}"]


def test_a_volume_larger_than_the_disk_that_is_wanted_is_refused(region: Double, driver: OpenStackDriver) -> None:
    holds(region, a_volume(SPEC, 0, size=21), a_volume(SPEC, 1))
    with pytest.raises(Rejected) as refusal:
        driver.create(SPEC)
    assert refusal.value.code == "openstack.disk_shrinks"


def test_an_image_that_was_replaced_meanwhile_is_looked_up_anew_and_a_type_that_is_not_there_is_said(
    region: Double,
) -> None:
    driver = connect(region.way_in(boot_volumes=True, volume_type="ssd"), Path())
    region.answers("POST", VOLUMES, 404, nova("Image could not be found.", "itemNotFound"))
    region.answers("GET", "/image/v2/images", body={"images": [an_image("debian-12", id="old")]}, times=1)
    with pytest.raises(Unreachable, match="has just been replaced"):
        driver.create(SPEC)
    with pytest.raises(Rejected, match="no volume type ssd"):
        driver.create(SPEC)
    driver.close()


def test_a_region_without_cinder_makes_no_machine_that_is_to_boot_from_a_volume(
    region: Double, driver: OpenStackDriver
) -> None:
    region.answers("POST", TOKENS, 201, {"token": region.token(*(s for s in WITH_VOLUMES if s != "volumev3"))})
    with pytest.raises(Rejected, match="take boot_volumes out of the pool's connection") as refusal:
        driver.create(replace(SPEC, data_disks=()))
    assert refusal.value.code == "openstack.no_volumes"
    assert told(region) == []


# --- told by the server and its volume, whatever the pool says now


def test_the_disk_is_as_large_as_the_volume_and_is_no_data_disk(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached())
    region.answers("GET", f"{NETWORK}/ports", body={"ports": []})
    assert (seen(driver).disk_gib, seen(driver).data_disks) == (20, (10,))
    assert driver.discover() == [seen(driver)]


def test_a_machine_stays_as_it_was_made_where_the_pool_boots_from_volumes_no_more(
    region: Double, plain: OpenStackDriver
) -> None:
    booted(region, *attached())
    assert (seen(plain).disk_gib, seen(plain).data_disks) == (20, (10,))
    with pytest.raises(Underway):
        plain.resize(GROWN)
    assert told(region)[-1] == GROWS


def test_a_machine_stays_as_it_was_made_where_the_pool_boots_from_volumes_only_now(
    region: Double, driver: OpenStackDriver
) -> None:
    data = a_volume(SPEC, 1, on=NOVAS)
    shows(region, off(SPEC, data))
    holds(region, data)
    assert (seen(driver).disk_gib, seen(driver).data_disks) == (20, (10,))
    with pytest.raises(Underway, match="resize"):
        driver.resize(GROWN)
    assert region.asked("POST", ACTION)[0].body == {"resize": {"flavorRef": "steppe-2-2048-30"}}
    region.requests.clear()
    with pytest.raises(Underway, match="rebuild"):
        driver.rebuild(REBUILT)
    assert not region.asked("GET", "/compute/v2.1"), "any Nova rebuilds it"


def test_a_volume_that_merely_wears_the_label_of_a_first_disk_is_none(region: Double, driver: OpenStackDriver) -> None:
    worn = a_volume(SPEC, 0, on=NOVAS, id="worn", size=99, device="/dev/vdb")
    shows(region, off(SPEC, worn))
    holds(region, worn)
    assert (seen(driver).disk_gib, seen(driver).data_disks) == (20, ())
    booted(region, *attached(), worn)
    assert seen(driver).disk_gib == 20


def test_a_volume_whose_label_was_taken_off_is_still_what_the_machine_boots_from(
    region: Double, driver: OpenStackDriver
) -> None:
    booted(region, a_volume(SPEC, 0, on=NOVAS, metadata={}), a_volume(SPEC, 1, on=NOVAS))
    assert (seen(driver).disk_gib, seen(driver).data_disks) == (20, (10,))
    with pytest.raises(Underway):
        driver.resize(GROWN)
    assert told(region)[-1] == GROWS


def test_the_volume_of_a_shelved_machine_is_told_by_its_label(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached(device="", status="reserved"), status="SHELVED_OFFLOADED")
    assert (seen(driver).disk_gib, seen(driver).busy) == (20, False)


def test_a_strangers_server_has_the_disk_of_its_flavor_whatever_it_boots_from(
    region: Double, driver: OpenStackDriver
) -> None:
    theirs = a_volume(SPEC, 0, on=NOVAS, metadata={}, size=99)
    attached_to = [{"id": theirs["id"], "delete_on_termination": False}]
    shows(region, a_server(image="", **{"os-extended-volumes:volumes_attached": attached_to}))
    holds(region, theirs)
    [machine] = driver.discover()
    assert (machine.disk_gib, machine.data_disks) == (10, ())


# --- resized


def test_the_flavor_changes_without_a_disk_and_the_volume_grows_while_it_is_attached(
    region: Double, driver: OpenStackDriver
) -> None:
    booted(region, *attached())
    larger = replace(GROWN, vcpu=4)
    with pytest.raises(Underway, match="resize"):
        driver.resize(larger)
    assert region.asked("POST", ACTION)[0].body == {"resize": {"flavorRef": "steppe-4-2048-0"}}
    booted(region, *attached(), spec=replace(SPEC, vcpu=4))
    with pytest.raises(Underway, match="Cinder"):
        driver.resize(larger)
    assert region.asked("POST", f"{VOLUMES}/{FIRST['id']}/action")[0].body == {"os-extend": {"new_size": 30}}
    booted(region, a_volume(SPEC, 0, on=NOVAS, size=30), a_volume(SPEC, 1, on=NOVAS), spec=replace(SPEC, vcpu=4))
    before = len(told(region))
    driver.resize(larger)
    assert told(region)[before:] == [f"POST {OURS}/metadata"]


def test_a_disk_that_would_shrink_is_refused_before_anything_is_changed(
    region: Double, driver: OpenStackDriver
) -> None:
    booted(region, *attached())
    with pytest.raises(Rejected, match="the disk has 20 GiB, 19 were asked") as refusal:
        driver.resize(replace(SPEC, generation=5, vcpu=8, disk_gib=19))
    assert refusal.value.code == "openstack.disk_shrinks"
    assert told(region) == []


def test_a_machine_that_runs_is_not_grown(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached(), status="ACTIVE")
    with pytest.raises(Rejected) as refusal:
        driver.resize(GROWN)
    assert refusal.value.code == "openstack.not_off"


# --- rebuilt


def test_a_rebuild_is_written_down_on_the_volume_before_it_is_ordered(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached())
    with pytest.raises(Underway, match="rebuild"):
        driver.rebuild(REBUILT)
    assert told(region) == [f"POST {MARK}", f"POST {ACTION}"]
    assert region.asked("POST", MARK)[0].body == {"metadata": {"steppe:builds": "1"}}


def test_a_machine_without_a_server_that_was_to_be_rebuilt_gets_a_fresh_volume_and_not_the_old_one(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, FIRST, a_volume(SPEC, 1))
    region.answers("DELETE", f"{VOLUMES}/{FIRST['id']}", 202)
    with pytest.raises(Underway, match="which a rebuild was ordered to replace"):
        driver.create(REBUILT)
    assert told(region) == [f"DELETE {VOLUMES}/{FIRST['id']}"]
    holds(region, a_volume(SPEC, 1))
    with pytest.raises(Underway, match="Cinder is making"):
        driver.create(REBUILT)
    [made] = (request.body["volume"] for request in region.asked("POST", VOLUMES))
    assert (made["imageRef"], made["metadata"]["steppe:builds"]) == ("kylin-v10-id", "1")


def test_a_volume_that_was_rebuilt_in_its_place_is_given_back_to_a_machine_whose_server_is_gone(
    region: Double, driver: OpenStackDriver
) -> None:
    holds(region, a_volume(REBUILT, 0), a_volume(SPEC, 1))
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(REBUILT)
    assert told(region) == [f"POST {SERVERS}"]


def test_a_volume_that_says_of_no_rebuild_is_given_back_as_well(region: Double, driver: OpenStackDriver) -> None:
    without = {name: value for name, value in FIRST["metadata"].items() if name != "steppe:builds"}
    holds(region, {**FIRST, "metadata": without}, a_volume(SPEC, 1))
    with pytest.raises(Underway, match="Nova is building it"):
        driver.create(REBUILT)


def test_a_rebuild_has_nova_put_the_image_on_the_volume(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached())
    driver.stop(replace(SPEC, generation=5))
    with pytest.raises(Underway, match="rebuild"):
        driver.rebuild(REBUILT)
    [order] = region.asked("POST", ACTION)
    assert order.body["rebuild"]["imageRef"] == "kylin-v10-id"
    assert order.body["rebuild"]["metadata"]["steppe:builds"] == "1"
    others = {request.version for request in region.requests if request.path.startswith(SERVERS)} - {order.version}
    assert (order.version, others) == ("compute 2.93", {"compute 2.90"})


def test_a_rebuild_makes_the_volume_as_large_as_it_is_to_be_before_the_image_comes(
    region: Double, driver: OpenStackDriver
) -> None:
    booted(region, *attached())
    with pytest.raises(Underway, match="Cinder"):
        driver.rebuild(replace(REBUILT, disk_gib=30))
    assert told(region) == [GROWS]


def test_a_rebuild_that_is_done_leaves_the_flavor_alone(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached(), spec=REBUILT)
    driver.rebuild(REBUILT)
    assert told(region) == []


@pytest.mark.parametrize("microversion", ["2.90", "2.92", ""])
def test_a_nova_that_cannot_do_it_is_said_before_the_machine_is_stopped_for_it(
    region: Double, driver: OpenStackDriver, microversion: str
) -> None:
    is_of(region, microversion)
    booted(region, *attached(), status="ACTIVE")
    with pytest.raises(Rejected, match="takes Nova of Zed or newer") as refusal:
        driver.stop(REBUILT)
    assert refusal.value.code == "openstack.no_rebuild"
    booted(region, *attached())
    with pytest.raises(Rejected, match=r"microversion 2\.93"):
        driver.rebuild(REBUILT)
    assert told(region) == []


REBUILDING = {"action": "rebuild", "request_id": "req-1", "message": None}
ON_THE_HOST = {"event": "compute_rebuild_instance", "result": None}


@pytest.mark.parametrize("status", ["error", "reserved"])
def test_a_rebuild_that_came_to_nothing_without_a_word_is_a_fault_and_owed_again(
    region: Double, driver: OpenStackDriver, status: str
) -> None:
    done = replace(REBUILT, power="on")
    booted(
        region, a_volume(SPEC, 0, on=NOVAS, status=status), a_volume(SPEC, 1, on=NOVAS, status="reserved"), spec=done
    )
    found = seen(driver)
    assert (found.complete, found.busy, found.builds) == (False, False, 1)
    region.answers("GET", f"{OURS}/os-instance-actions", body={"instanceActions": [REBUILDING]})
    region.answers("GET", f"{OURS}/os-instance-actions/req-1", body={"instanceAction": {"events": [ON_THE_HOST]}})
    with pytest.raises(Rejected, match="reset the state of the machine's volumes to in-use") as refusal:
        driver.create(done)
    assert refusal.value.code == "openstack.volume_failed"
    assert told(region) == [f"POST {OURS}/metadata"], "it is not started"
    assert region.asked("POST", f"{OURS}/metadata")[0].body["metadata"]["steppe:builds"] == "0"
    booted(region, *attached(), spec=replace(done, builds=0))
    with pytest.raises(Underway, match="rebuild"):
        driver.rebuild(done)


def test_a_volume_that_failed_long_after_a_rebuild_is_a_fault_and_not_rebuilt(
    region: Double, driver: OpenStackDriver
) -> None:
    booted(region, *attached(status="error"), spec=REBUILT)
    region.answers("GET", f"{OURS}/os-instance-actions", body={"instanceActions": [REBUILDING]})
    events = [ON_THE_HOST | {"result": "Success"}]
    region.answers("GET", f"{OURS}/os-instance-actions/req-1", body={"instanceAction": {"events": events}})
    with pytest.raises(Rejected, match="says error"):
        driver.create(REBUILT)
    assert told(region) == []


def test_a_server_in_error_whose_volume_a_failed_rebuild_has_left_is_not_waited_for(
    region: Double, driver: OpenStackDriver
) -> None:
    booted(region, *attached(status="reserved"), status="ERROR")
    assert not seen(driver).busy


# --- gone


def test_the_volume_goes_with_the_others_after_the_server(region: Double, driver: OpenStackDriver) -> None:
    booted(region, *attached())
    region.answers("DELETE", OURS, 204)
    with pytest.raises(Underway):
        driver.delete(SPEC.id)
    shows(region)
    volumes = [FIRST, a_volume(SPEC, 1)]
    holds(region, *volumes)
    for volume in volumes:
        region.answers("DELETE", f"{VOLUMES}/{volume['id']}", 202)
    with pytest.raises(Underway):
        driver.delete(SPEC.id)
    assert told(region) == [f"DELETE {OURS}", *(f"DELETE {VOLUMES}/{volume['id']}" for volume in volumes)]


def test_one_with_snapshots_stays_as_a_fault_in_cinders_words(region: Double, driver: OpenStackDriver) -> None:
    holds(region, FIRST)
    said = "Invalid volume: Volume status must be available and must not have snapshots."
    region.answers("DELETE", f"{VOLUMES}/{FIRST['id']}", 400, nova(said))
    with pytest.raises(Rejected, match="must not have snapshots"):
        driver.delete(SPEC.id)


# --- the pool


def test_sizes_of_the_catalogue_are_flavors_without_a_disk(region: Double, driver: OpenStackDriver) -> None:
    there = [a_flavor("own-disk", 1, 1024, 10), a_flavor("diskless", 1, 1024, 0)]
    region.answers("GET", "/compute/v2.1/flavors/detail", body={"flavors": there})
    region.answers("GET", "/image/v2/images", body={"images": [an_image("debian-12", min_disk=20)]})
    found = driver.match_catalogue([OfferedImage("debian-12", None, 10)], [OfferedFlavor("small", 1, 1024, 10)])
    assert [flavor.name for flavor in found.flavors] == ["diskless"]
    assert [(image.trouble, image.amount) for image in found.images] == [("too_large", 20)]


def test_how_much_there_is_of_disks_the_hosts_do_not_say(
    region: Double, driver: OpenStackDriver, plain: OpenStackDriver
) -> None:
    version = {"id": "v1.0", "status": "CURRENT", "links": [{"rel": "self", "href": ""}]}
    region.answers("GET", "/placement", body={"versions": [{**version, "max_version": "1.39", "min_version": "1.0"}]})
    region.answers("GET", "/placement/resource_providers", body={"resource_providers": []})
    assert driver.room().keys() == {"vcpu", "memory_mib"}
    assert plain.room().keys() == {"vcpu", "memory_mib", "disk_gib"}
