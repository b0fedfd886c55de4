"""Snapshots as images of Glance: ordered of Nova once, known by name and by machine, and never made of another disk."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from provisioners.contract import MachineSpec, Missing, Rejected, Snapshot, Underway
from provisioners.openstack_driver import OpenStackDriver
from provisioners.openstack_ports import port_name
from provisioners.openstack_snapshots import image_name
from tests.drivers.makers import a_machine
from tests.drivers.openstack_double import NETWORK, NOVAS, PROJECT, SERVERS, Double, a_server, an_image

IMAGES = "/image/v2/images"
ACTIONS = f"{SERVERS}/{NOVAS}/os-instance-actions"
METADATA, ACTION = f"{SERVERS}/{NOVAS}/metadata", f"{SERVERS}/{NOVAS}/action"
BUILT = a_machine(id=uuid7(), generation=4, nics=())
NOW = datetime(2026, 11, 27, tzinfo=UTC)
KEPT = Snapshot(1, "before-upgrade", 20)
KEEPING = replace(BUILT, snapshots=(KEPT,), shots=1, generation=5)
"""It is to be taken; in TAKEN it was."""
TAKEN = replace(KEEPING, snapshots=(replace(KEPT, taken=NOW),))


def an_image_of(spec: MachineSpec, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a snapshot of a machine as Glance shows it."""
    ours = {
        "steppe": "snapshot",
        "steppe_machine": str(spec.id),
        "owner": PROJECT,
        "created_at": "2026-11-27T00:00:00Z",
    }
    return an_image(image_name(spec.id, number), id=f"image-{number}", **ours) | changes


def has(region: Double, *images: dict[str, Any]) -> None:
    region.answers("GET", IMAGES, body={"images": list(images)})


def says(region: Double, noted: str, *actions: dict[str, Any], **changes: Any) -> None:
    """Let the machine's server say which snapshot was ordered last, and Nova what was done to it, the newest first."""
    server = a_server(BUILT, **changes)
    server["metadata"] |= {"steppe:snapshot": noted} if noted else {}
    region.answers("GET", f"{SERVERS}/detail", body={"servers": [server]})
    region.answers("GET", ACTIONS, body={"instanceActions": list(actions)})


def done(name: str, request: str, message: str | None = None) -> dict[str, Any]:
    return {"action": name, "request_id": request, "message": message}


CREATED = done("create", "req-0")


@pytest.fixture
def running(region: Double) -> Iterator[Double]:
    """The region, with the machine in it, of which no snapshot was ever ordered."""
    says(region, "", CREATED)
    for path in (METADATA, ACTION):
        region.answers("POST", path, 202, {})
    for number in (1, 2, 3):
        region.answers("DELETE", f"{IMAGES}/image-{number}", 204)
    yield region


def ordered(region: Double) -> list[tuple[str, Any]]:
    """Return what was told to anybody, in order."""
    told = [
        request for request in region.requests if request.method in {"POST", "DELETE"} and "auth" not in request.path
    ]
    return [(f"{request.method} {request.path}", request.body) for request in told]


def test_nobody_is_asked_about_a_machine_that_never_had_any(running: Double, driver: OpenStackDriver) -> None:
    assert driver.observe([BUILT.id])[BUILT.id].snapshot_numbers == ()
    assert not running.asked("GET", IMAGES)


def test_it_is_noted_on_the_server_before_it_is_ordered(running: Double, driver: OpenStackDriver) -> None:
    has(running)
    with pytest.raises(Underway, match="snapshot before-upgrade"):
        driver.set_snapshots(KEEPING)
    labels = {"steppe": "snapshot", "steppe_machine": str(BUILT.id)}
    assert ordered(running) == [
        (f"POST {METADATA}", {"metadata": {"steppe:snapshot": "1 5"}}),
        (f"POST {ACTION}", {"createImage": {"name": image_name(BUILT.id, 1), "metadata": labels}}),
    ]


def test_one_that_was_noted_and_not_ordered_is_ordered(running: Double, driver: OpenStackDriver) -> None:
    has(running)
    says(running, "1 5", CREATED)
    with pytest.raises(Underway):
        driver.set_snapshots(KEEPING)
    assert len(running.asked("POST", ACTION)) == 1


def test_one_that_is_whole_is_there_and_not_ordered_again(running: Double, driver: OpenStackDriver) -> None:
    has(running, an_image_of(BUILT))
    says(running, "1 5", done("createImage", "req-1"), CREATED)
    assert driver.observe([BUILT.id])[BUILT.id].snapshot_numbers == (1,)
    assert running.asked("GET", IMAGES)[0].query["steppe_machine"] == [str(BUILT.id)]
    driver.set_snapshots(KEEPING)
    assert not ordered(running)


def test_what_is_being_made_is_waited_for(running: Double, driver: OpenStackDriver) -> None:
    has(running, an_image_of(BUILT, status="saving"))
    says(running, "1 5", **{"OS-EXT-STS:task_state": "image_uploading"})
    found = driver.observe([BUILT.id])[BUILT.id]
    assert (found.busy, found.snapshot_numbers) == (True, (0,))
    with pytest.raises(Underway):
        driver.set_snapshots(KEEPING)
    assert not ordered(running)


@pytest.mark.parametrize("noted", ["1 4", "2 4", "1 5", ""])
def test_one_that_was_taken_and_is_gone_is_a_fault_and_not_made_of_what_the_disk_holds_now(
    running: Double, driver: OpenStackDriver, noted: str
) -> None:
    has(running)
    says(running, noted, done("os-start", "req-9"))
    with pytest.raises(Rejected, match=r"snapshot before-upgrade of .* is gone") as refusal:
        driver.set_snapshots(TAKEN)
    assert refusal.value.code == "openstack.snapshot_lost"
    assert not ordered(running)


def test_one_that_was_deactivated_is_kept_and_nothing_is_made_from_it(running: Double, driver: OpenStackDriver) -> None:
    has(running, an_image_of(BUILT, status="deactivated"))
    says(running, "1 5", status="SHUTOFF")
    assert driver.observe([BUILT.id])[BUILT.id].snapshot_numbers == (1,)
    driver.set_snapshots(TAKEN)
    with pytest.raises(Rejected, match=r"image-1 .* is deactivated: reactivate it"):
        driver.rebuild(replace(TAKEN, builds=1, restored=1))
    assert not ordered(running)


def test_a_note_that_somebody_removed_is_written_again(running: Double, driver: OpenStackDriver) -> None:
    has(running, an_image_of(BUILT))
    driver.set_snapshots(TAKEN)
    assert ordered(running) == [(f"POST {METADATA}", {"metadata": {"steppe:snapshot": "1 0"}})]


@pytest.mark.parametrize("status", ["SHELVED_OFFLOADED", "RESCUE"])
def test_where_nova_would_make_none_that_is_a_fault_and_not_waited_for(
    running: Double, driver: OpenStackDriver, status: str
) -> None:
    has(running)
    says(running, "", status=status)
    with pytest.raises(Rejected, match=status):
        driver.set_snapshots(KEEPING)


def test_one_that_nova_could_not_make_is_its_fault_once_a_generation(running: Double, driver: OpenStackDriver) -> None:
    has(running)
    says(running, "1 5", done("createImage", "req-1", "Error"), CREATED)
    event = {"events": [{"event": "compute_snapshot_instance", "result": "Error", "details": "Glance is full"}]}
    running.answers("GET", f"{ACTIONS}/req-1", body={"instanceAction": event})
    with pytest.raises(Rejected, match="Glance is full"):
        driver.set_snapshots(KEEPING)
    assert not ordered(running)
    with pytest.raises(Underway):
        driver.set_snapshots(replace(KEEPING, generation=6))
    assert running.asked("POST", METADATA)[0].body["metadata"]["steppe:snapshot"] == "1 6"


@pytest.mark.parametrize("status", ["queued", "killed"])
def test_an_image_that_nobody_finishes_is_a_fault_and_goes_before_the_next_try(
    running: Double, driver: OpenStackDriver, status: str
) -> None:
    has(running, an_image_of(BUILT, status=status))
    says(running, "1 5", done("createImage", "req-1"), CREATED)
    with pytest.raises(Rejected, match=f"image-1 {status}") as refusal:
        driver.set_snapshots(KEEPING)
    assert refusal.value.code == "openstack.snapshot_failed"
    with pytest.raises(Underway):
        driver.set_snapshots(replace(KEEPING, generation=6))
    assert [what for what, _ in ordered(running)] == [f"DELETE {IMAGES}/image-1", f"POST {METADATA}", f"POST {ACTION}"]


def test_what_came_to_nothing_is_seen_and_goes_where_nobody_wants_it_any_more(
    running: Double, driver: OpenStackDriver
) -> None:
    has(running, an_image_of(BUILT, status="queued"), an_image_of(BUILT, 2))
    says(running, "2 5", done("createImage", "req-1"), CREATED)
    assert driver.observe([BUILT.id])[BUILT.id].snapshot_numbers == (0, 2)
    driver.set_snapshots(replace(KEEPING, snapshots=(replace(KEPT, number=2),), shots=2, generation=6))
    assert [what for what, _ in ordered(running)] == [f"DELETE {IMAGES}/image-1"]


def test_those_that_nobody_wants_go_and_so_does_the_second_of_one_number(
    running: Double, driver: OpenStackDriver
) -> None:
    later = {"created_at": "2026-11-27T00:00:01Z"}
    has(running, an_image_of(BUILT, id="image-3", **later), an_image_of(BUILT), an_image_of(BUILT, 2))
    says(running, "2 5")
    driver.set_snapshots(KEEPING)
    assert sorted(what for what, _ in ordered(running)) == [f"DELETE {IMAGES}/image-{number}" for number in (2, 3)]


def test_one_that_something_was_made_from_cannot_go_and_says_so(running: Double, driver: OpenStackDriver) -> None:
    has(running, an_image_of(BUILT))
    says(running, "1 5")
    running.answers("DELETE", f"{IMAGES}/image-1", 409, {"message": "Image image-1 is in use by its store"})
    with pytest.raises(Rejected, match="image-1 cannot be deleted") as refusal:
        driver.set_snapshots(BUILT)
    assert refusal.value.code == "openstack.snapshot_in_use"


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "a-strangers-project"},
        {"name": "somebody's own"},
        {"name": f"{image_name(BUILT.id, 1)}a"},
        {"steppe_machine": "nobody"},
        {"steppe_machine": str(uuid7())},
    ],
    ids=["of another project", "by another name", "by a name that is longer", "of no machine", "of another machine"],
)
def test_an_image_that_only_says_so_is_none(running: Double, driver: OpenStackDriver, changes: dict[str, Any]) -> None:
    has(running, an_image_of(BUILT, **changes))
    says(running, "1 5", CREATED)
    assert driver.observe([BUILT.id])[BUILT.id].snapshot_numbers == ()
    driver.set_snapshots(BUILT)
    assert not ordered(running)
    says(running, "1 5", CREATED, status="SHUTOFF")
    with pytest.raises(Rejected, match="is gone"):
        driver.rebuild(replace(KEEPING, builds=1, restored=1, power="off"))


def test_of_a_machine_that_boots_from_a_volume_none_is_taken_and_older_ones_can_go(
    running: Double, driver: OpenStackDriver
) -> None:
    has(running, an_image_of(BUILT), an_image_of(BUILT, 2))
    says(running, "2 5", CREATED, image="")
    driver.set_snapshots(TAKEN)
    assert [what for what, _ in ordered(running)] == [f"DELETE {IMAGES}/image-2"]
    has(running)
    with pytest.raises(Rejected, match="boots from a volume") as refusal:
        driver.set_snapshots(KEEPING)
    assert refusal.value.code == "openstack.no_snapshot"


def test_a_rebuild_is_from_the_snapshot_and_keeps_the_note_of_them(running: Double, driver: OpenStackDriver) -> None:
    has(running, an_image_of(BUILT), an_image_of(BUILT, 2))
    says(running, "2 4", status="SHUTOFF")
    with pytest.raises(Underway):
        driver.rebuild(replace(KEEPING, builds=1, restored=2))
    [(_, body)] = ordered(running)
    assert body["rebuild"]["imageRef"] == "image-2"
    assert body["rebuild"]["metadata"]["steppe:snapshot"] == "2 4"


def test_a_machine_that_has_to_be_made_again_is_made_from_it_and_takes_no_other_for_lost(
    running: Double, driver: OpenStackDriver
) -> None:
    running.answers("GET", f"{SERVERS}/detail", body={"servers": []})
    has(running, an_image_of(BUILT))
    with pytest.raises(Underway):
        driver.create(replace(KEEPING, restored=1))
    [asked] = running.asked("POST", SERVERS)
    assert asked.body["server"]["imageRef"] == "image-1"
    assert asked.body["server"]["metadata"]["steppe:snapshot"] == "1 0"
    says(running, "1 0", CREATED)
    assert driver.observe([BUILT.id])[BUILT.id].snapshot_numbers == (1,)


def test_the_server_goes_first_for_it_may_be_a_clone_of_one(running: Double, driver: OpenStackDriver) -> None:
    says(running, "2 5")
    running.answers("DELETE", f"{SERVERS}/{NOVAS}", 204)
    with pytest.raises(Underway):
        driver.delete(BUILT.id)
    assert [what for what, _ in ordered(running)] == [f"DELETE {SERVERS}/{NOVAS}"]


def test_where_the_server_is_gone_they_go_before_the_port_or_alone(running: Double, driver: OpenStackDriver) -> None:
    running.answers("GET", f"{SERVERS}/detail", body={"servers": []})
    has(running, an_image_of(BUILT), an_image_of(BUILT, 2, owner="a-strangers-project"))
    port = {"id": "its-port", "name": port_name(BUILT.id, 0), "device_id": "", "project_id": PROJECT}
    running.answers("GET", f"{NETWORK}/ports", body={"ports": [port]}, times=1)
    running.answers("DELETE", f"{NETWORK}/ports/its-port", 204)
    driver.delete(BUILT.id)
    has(running, an_image_of(BUILT))
    driver.delete(BUILT.id)
    gone = [what for what, _ in ordered(running)]
    assert gone == [f"DELETE {IMAGES}/image-1", f"DELETE {NETWORK}/ports/its-port", f"DELETE {IMAGES}/image-1"]
    has(running)
    with pytest.raises(Missing):
        driver.delete(BUILT.id)


def test_a_whole_region_is_asked_once_and_what_is_left_alone_is_found(running: Double, driver: OpenStackDriver) -> None:
    other = a_machine(id=uuid7())
    says(running, "1 5")
    has(running, an_image_of(BUILT), an_image_of(other, id="image-2"))
    found = {machine.id: machine for machine in driver.discover()}
    assert (found[BUILT.id].snapshot_numbers, found[other.id].complete) == ((1,), False)
    assert [request.query["steppe"] for request in running.asked("GET", IMAGES)] == [["snapshot"]]
