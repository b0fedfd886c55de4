"""A department's VM with data disks: volumes of Cinder that the guest has in the order in which they were asked for."""

from typing import Any

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, SMALL, an_ask, beside, gone, settled
from tests.labs.openstack_story import Lab

_BOOT_SECONDS = 300.0


def a_department_asks_for_data_disks(lab: Lab) -> None:
    """Ask, grow, rebuild, lose one, delete."""
    seen = cloud()
    with beside(lab) as steppe:
        with lab.report.check("a VM with two data disks has two volumes of its department's project, in their order"):
            vm = settled(steppe, steppe.made("/vms", **an_ask("data-01", data_disks=[1, 2])).body["id"])
            server = seen.one(vm)
            assert {v.project_id for v in seen.volumes(vm["id"])} == {seen.project(DEPARTMENT).id}
            assert disk_used(steppe) == SMALL["disk_gib"] + 3
            guest_has(lab, seen, server, [1, 1, 2])
        with lab.report.check("one grows and a third one comes, by a resize of the running VM"):
            before = [v.id for v in seen.volumes(vm["id"])]
            steppe.made(f"/vms/{vm['id']}/resize", **SMALL, data_disks=[1, 3, 1])
            server = seen.one(settled(steppe, vm["id"]))
            assert [v.id for v in seen.volumes(vm["id"])][:2] == before
            assert disk_used(steppe) == SMALL["disk_gib"] + 5
            guest_has(lab, seen, server, [1, 1, 3, 1])
        with lab.report.check("a rebuild keeps the volumes"):
            before = [v.id for v in seen.volumes(vm["id"])]
            steppe.made(f"/vms/{vm['id']}/rebuild", image=IMAGES[1])
            server = seen.one(settled(steppe, vm["id"]))
            assert [v.id for v in seen.volumes(vm["id"])] == before
            guest_has(lab, seen, server, [1, 1, 3, 1])
        with lab.report.check("one that was detached over there is drift, and attached again"):
            seen.region.compute.delete_volume_attachment(server, before[1])
            until(lambda: not seen.volumes(vm["id"])[1].attachments, "the volume to be detached", 60)
            drift(steppe)
            until(lambda: seen.volumes(vm["id"])[1].attachments, "the volume to be attached again", 240)
            seen.one(settled(steppe, vm["id"]))
            assert [v.id for v in seen.volumes(vm["id"])] == before
        with lab.report.check("after deletion no server, port or volume is left, and the drift check finds nothing"):
            steppe.ask("DELETE", f"/vms/{vm['id']}")
            gone(steppe, vm["id"])
            seen.nothing_of(vm["id"])
            assert not seen.volumes()
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found


def disk_used(steppe: Steppe) -> int:
    """Return how much of disks the ledger has for the department, in GiB."""
    classes = steppe.call("GET", f"/departments/{DEPARTMENT}/quota").body["classes"]
    return next(int(c["used"]) for c in classes if c["class"] == "disk_gib")


def guest_has(lab: Lab, seen: Cloud, server: Any, sizes: list[int]) -> None:
    """Wait until the guest, where it is a real one, has told on its serial line that it found disks of these sizes."""
    if lab.real:
        guest_tells(seen, server, f"GUEST-DISKS {' '.join(map(str, sizes))} GiB")


def guest_tells(seen: Cloud, server: Any, wanted: str) -> None:
    """Wait until what a guest tells on its serial line under the line's first word is this line."""
    until(
        lambda: _last_told(seen, server, wanted.split(maxsplit=1)[0]) == wanted,
        f"the guest to tell: {wanted}",
        _BOOT_SECONDS,
    )


def _last_told(seen: Cloud, server: Any, word: str) -> str:
    said = seen.region.compute.get_server_console_output(server)["output"] or ""
    told = [line.strip() for line in said.splitlines() if line.startswith(f"{word} ")]
    return told[-1] if told else ""
