"""A department's VM that boots from a volume, where its pool's connection says so, from the ask to its last trace."""

import json
from typing import Any

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_disks import disk_used, guest_has
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import (
    DEPARTMENT,
    LARGE,
    POOL,
    SMALL,
    add_pool,
    an_ask,
    beside,
    connection,
    gone,
    settled,
)
from tests.labs.openstack_story import Lab
from tests.labs.openstack_vms import answers

VOLUMES_POOL = "region-1-volumes"
_GROWN = LARGE | {"disk_gib": 3}


def a_department_boots_from_volumes(lab: Lab) -> None:
    """Ask, stop and start, grow, rebuild, delete; in the middle the pool goes back to disks of hosts."""
    seen = cloud()
    with beside(lab) as steppe:
        steppe.command("pool", "update", POOL, "--closed")
        add_pool(steppe, VOLUMES_POOL, connection(lab) | {"boot_volumes": True})
        vm = _is_made(lab, steppe, seen)
        _grows(lab, steppe, seen, vm)
        with lab.report.check("what was made so stays so, after the pool was told to boot from volumes no more"):
            _tell_pool(lab, steppe)
            steppe.made(f"/vms/{vm}/reboot")
            server, _ = _booted(seen, settled(steppe, vm))
            assert server.metadata["steppe:boots"] == "1"
        _is_rebuilt(lab, steppe, seen, vm)
        with lab.report.check("a VM that is asked for now has a disk of its host"):
            other = settled(steppe, steppe.made("/vms", **an_ask("boots-02")).body["id"])
            assert seen.one(other).flavor["disk"] == SMALL["disk_gib"]
        with lab.report.check("after deletion no server, port or volume is left, and the drift check finds nothing"):
            for one in (vm, other["id"]):
                steppe.ask("DELETE", f"/vms/{one}")
            for one in (vm, other["id"]):
                gone(steppe, one)
                seen.nothing_of(one)
            assert not seen.volumes()
            assert _gigabytes_used(seen) == 0
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found


def _is_made(lab: Lab, steppe: Steppe, seen: Cloud) -> str:
    with lab.report.check("a VM's first disk is a volume of its department's project, made of the image"):
        vm = settled(steppe, steppe.made("/vms", **an_ask("boots-01", data_disks=[1])).body["id"])
        server, first = _booted(seen, vm)
        assert first.project_id == seen.project(DEPARTMENT).id
        assert _image_on(first) == seen.region.image.find_image(IMAGES[0]).id
        assert (server.flavor["vcpus"], server.flavor["disk"]) == (SMALL["vcpu"], 0), server.flavor
    with lab.report.check("the ledger and Cinder count it, and Placement counts no disk of a host"):
        assert disk_used(steppe) == _gigabytes_used(seen) == SMALL["disk_gib"] + 1
        assert seen.used()["disk_gib"] == 0, seen.used()
    _is_heard(lab, seen, vm, server)
    return str(vm["id"])


def _grows(lab: Lab, steppe: Steppe, seen: Cloud, vm: str) -> None:
    first = seen.volumes(vm)[0]
    with lab.report.check("it is stopped and started"):
        steppe.made(f"/vms/{vm}/stop")
        settled(steppe, vm, "stopped")
        steppe.made(f"/vms/{vm}/start")
        assert _booted(seen, settled(steppe, vm))[1].id == first.id
    with lab.report.check("it is resized, and the same volume grows"):
        steppe.made(f"/vms/{vm}/resize", **_GROWN, data_disks=[1])
        found = settled(steppe, vm)
        server, grown = _booted(seen, found)
        assert (grown.id, grown.size) == (first.id, _GROWN["disk_gib"])
        assert {name: server.flavor[name] for name in ("vcpus", "ram", "disk")} == {
            "vcpus": LARGE["vcpu"],
            "ram": LARGE["memory_mib"],
            "disk": 0,
        }
        assert disk_used(steppe) == _gigabytes_used(seen) == _GROWN["disk_gib"] + 1
    _is_heard(lab, seen, found, server)


def _is_rebuilt(lab: Lab, steppe: Steppe, seen: Cloud, vm: str) -> None:
    with lab.report.check("it is rebuilt from another image, on the same volume"):
        before = [volume.id for volume in seen.volumes(vm)]
        steppe.made(f"/vms/{vm}/rebuild", image=IMAGES[1])
        found = settled(steppe, vm)
        server, first = _booted(seen, found)
        assert [volume.id for volume in seen.volumes(vm)] == before
        assert _image_on(first) == seen.region.image.find_image(IMAGES[1]).id
        assert seen.well_done(server, "rebuild") == 1
    _is_heard(lab, seen, found, server)


def _booted(seen: Cloud, vm: dict[str, Any]) -> tuple[Any, Any]:
    """Return the server of a VM and the volume that it boots from."""
    return seen.one(vm, booted=True), seen.volumes(vm["id"])[0]


def _image_on(volume: Any) -> str:
    return str(volume.volume_image_metadata["image_id"])


def _gigabytes_used(seen: Cloud) -> int:
    project = seen.project(DEPARTMENT).id
    shown = seen.region.block_storage.get(f"/os-quota-sets/{project}", params={"usage": "true"}).json()
    return int(shown["quota_set"]["gigabytes"]["in_use"])


def _is_heard(lab: Lab, seen: Cloud, vm: dict[str, Any], server: Any) -> None:
    """Let a real guest say that it runs, on its address, with the disks that it is to have."""
    if lab.real:
        with lab.report.check(f"the guest answers, with {vm['size']['disk_gib']} GiB to boot from"):
            answers(lab, seen, server, vm["addresses"][0]["address"])
            guest_has(lab, seen, server, [vm["size"]["disk_gib"], *vm["size"]["data_disks"]])


def _tell_pool(lab: Lab, steppe: Steppe) -> None:
    """Give the pool the connection anew, without boot_volumes."""
    file = lab.folder / "connection.json"
    file.write_text(json.dumps(connection(lab)))
    steppe.command("pool", "update", VOLUMES_POOL, "--connection", f"@{file}")
