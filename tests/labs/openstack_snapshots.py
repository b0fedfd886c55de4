"""Snapshots of a department's VM: images that Nova makes, what a restore brings back, and what is left of them."""

from typing import Any

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.labs.openstack_disks import disk_used, guest_tells
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, SMALL, an_ask, beside, gone, settled
from tests.labs.openstack_story import Lab

_DISK = SMALL["disk_gib"]


def a_department_keeps_snapshots(lab: Lab) -> None:
    """Where guests are real: take, change the disk, restore, rebuild, delete, lose. Nova's fake hypervisor begins
    images and never ends them: there, what becomes of those."""
    seen = cloud()
    with beside(lab) as steppe:
        vm = settled(steppe, steppe.made("/vms", **an_ask("kept-01")).body["id"])
        if lab.real:
            _is_brought_back(lab, steppe, seen, vm)
            _is_lost(lab, steppe, seen, vm["id"])
        else:
            _never_comes(lab, steppe, seen, vm["id"])
        with lab.report.check("after deletion no image, server or port is left, and the drift check finds nothing"):
            steppe.ask("DELETE", f"/vms/{vm['id']}")
            gone(steppe, vm["id"])
            seen.nothing_of(vm["id"])
            assert not seen.snapshots()
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found


def _is_brought_back(lab: Lab, steppe: Steppe, seen: Cloud, vm: dict[str, Any]) -> None:
    server = seen.one(vm)
    with lab.report.check(
        "a snapshot of a running VM is an image of its department's project, which the ledger counts"
    ):
        guest_tells(seen, server, "GUEST-DISK-BOOTED 0")
        steppe.made(f"/vms/{vm['id']}/snapshots", name="before-upgrade")
        settled(steppe, vm["id"])
        [image] = seen.snapshots()
        assert (image.status, image.owner_id) == ("active", seen.project(DEPARTMENT).id)
        assert (disk_used(steppe), seen.well_done(server, "createImage")) == (2 * _DISK, 1)
    with lab.report.check("the guest writes on, and a restore brings back what the disk held"):
        for booted in (1, 2):
            steppe.made(f"/vms/{vm['id']}/reboot")
            settled(steppe, vm["id"])
            guest_tells(seen, server, f"GUEST-DISK-BOOTED {booted}")
        steppe.made(f"/vms/{vm['id']}/restore", snapshot="before-upgrade")
        assert seen.one(settled(steppe, vm["id"])).image.id == image.id
        guest_tells(seen, server, "GUEST-DISK-BOOTED 1")
    with lab.report.check("rebuilt it has the image's disk again, and the snapshot can go"):
        steppe.made(f"/vms/{vm['id']}/rebuild")
        settled(steppe, vm["id"])
        guest_tells(seen, server, "GUEST-DISK-BOOTED 0")
        _is_dropped(steppe, seen, vm["id"], "before-upgrade")


def _is_lost(lab: Lab, steppe: Steppe, seen: Cloud, vm: str) -> None:
    with lab.report.check("one that was deleted over there is drift, and a fault until it is deleted here too"):
        steppe.made(f"/vms/{vm}/snapshots", name="is-lost")
        settled(steppe, vm)
        seen.region.image.delete_image(seen.snapshots()[0])
        drift(steppe)
        fault = settled(steppe, vm, "faulted")["fault"]
        assert fault["code"] == "openstack.snapshot_lost", fault
        assert not seen.snapshots()
        _is_dropped(steppe, seen, vm, "is-lost")
    steppe.made(f"/vms/{vm}/snapshots", name="goes-with-it")
    settled(steppe, vm)


def _never_comes(lab: Lab, steppe: Steppe, seen: Cloud, vm: str) -> None:
    with lab.report.check(
        "an image that Nova never finishes is a fault that names it, and is made once more on a retry"
    ):
        steppe.made(f"/vms/{vm}/snapshots", name="never-comes")
        fault = settled(steppe, vm, "faulted")["fault"]
        [image] = seen.snapshots()
        assert (fault["code"], image.status) == ("openstack.snapshot_failed", "queued"), fault
        assert image.id in fault["detail"]
        steppe.made(f"/vms/{vm}/retry")
        settled(steppe, vm, "faulted")
        [other] = seen.snapshots()
        assert other.id != image.id
    with lab.report.check("deleted, the VM is well again, and the ledger counts its disk alone"):
        _is_dropped(steppe, seen, vm, "never-comes")


def _is_dropped(steppe: Steppe, seen: Cloud, vm: str, name: str) -> None:
    steppe.ask("DELETE", f"/vms/{vm}/snapshots/{name}")
    settled(steppe, vm)
    assert (seen.snapshots(), disk_used(steppe)) == ([], _DISK)
