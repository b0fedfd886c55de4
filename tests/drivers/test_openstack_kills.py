"""What becomes of a reboot and of a rebuild whose worker dies, whom Nova refuses for a moment, or that fail: each is
done, counted only then, and not ordered for ever. And of a machine that boots from a volume whose worker dies while it
is made or deleted: it is there once, or gone without a trace."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from controlplane.reconcile.plan import plan
from controlplane.reconcile.steps import apply
from provisioners.contract import Machine, MachineSpec, Rejected, Snapshot, Underway, Unreachable
from provisioners.openstack_driver import connect
from tests.drivers.makers import a_machine
from tests.drivers.openstack_building import BuildingRegion
from tests.drivers.openstack_double import lasting
from tests.drivers.openstack_living import Death, Killed, LivingRegion, Moment, mortal

BUILT = a_machine(id=uuid7(), generation=4)
WANTED = {
    "reboot": replace(BUILT, generation=5, boots=1),
    "rebuild": replace(BUILT, generation=5, builds=1, image="kylin-v10"),
}
KEPT = replace(BUILT, generation=5, snapshots=(Snapshot(1, "kept", 20),), shots=1)
BOOTED = a_machine(id=uuid7(), data_disks=(5,))
_MOST_LOOKS = 30


@pytest.fixture
def region() -> Iterator[LivingRegion]:
    """A region in which BUILT runs."""
    with lasting(LivingRegion(BUILT)) as made:
        yield made


def dies(monkeypatch: pytest.MonkeyPatch, death: Death, work: Callable[[], object]) -> bool:
    """Let a worker begin and die at a call; tell whether it came that far. Who works on does not die."""
    mortal(monkeypatch, death)
    try:
        work()
    except Killed:
        mortal(monkeypatch, Death())
        return True
    return False


def worked_on(region: LivingRegion | BuildingRegion, machine: UUID, wanted: MachineSpec | None) -> Machine | None:
    """Do as workers do until nothing is left to do, and return what came of it."""
    driver = connect(region.way_in(boot_volumes=True), Path())
    for _ in range(_MOST_LOOKS):
        found = driver.observe([machine]).get(machine)
        busy = found is not None and found.busy
        steps = () if busy else plan(wanted, found)
        if busy:
            region.settle()
        elif not steps:
            driver.close()
            return found
        try:
            apply(driver, machine, wanted, steps)
        except (Underway, Unreachable):
            continue
    raise AssertionError(f"after {_MOST_LOOKS} looks there is still something to do")


def carried_out(region: LivingRegion, spec: MachineSpec) -> Machine:
    """Do as workers do until a machine is as its spec says, and return it."""
    found = worked_on(region, spec.id, spec)
    assert found
    return found


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["reboot", "rebuild"])
def test_a_worker_that_dies_at_any_call_leaves_an_order_that_the_next_one_finishes(
    monkeypatch: pytest.MonkeyPatch, verb: str, moment: Moment
) -> None:
    for call in count(1):
        with lasting(LivingRegion(BUILT)) as region:
            if not dies(monkeypatch, Death(call, moment), partial(carried_out, region, WANTED[verb])):
                break
            found = carried_out(region, WANTED[verb])
            assert region.done(verb) == 1, f"{moment} call {call}: {region.actions}"
            assert (found.power, found.boots, found.builds) == ("on", WANTED[verb].boots, WANTED[verb].builds)
    assert call > 5, "no call at which somebody died"


@pytest.mark.parametrize("verb", ["reboot", "rebuild"])
def test_an_order_that_nova_is_too_busy_for_is_owed_until_it_is_taken(region: LivingRegion, verb: str) -> None:
    region.refuses = [verb]
    found = carried_out(region, WANTED[verb])
    assert region.done(verb) == 1
    assert (found.boots, found.builds) == (WANTED[verb].boots, WANTED[verb].builds)


def test_each_reboot_that_is_asked_for_is_one_of_its_own(region: LivingRegion) -> None:
    carried_out(region, WANTED["reboot"])
    carried_out(region, replace(BUILT, generation=6, boots=2))
    assert region.done("reboot") == 2


def test_a_reboot_that_failed_is_a_fault_and_tried_again_at_the_next_generation(region: LivingRegion) -> None:
    region.fails = ["reboot"]
    with pytest.raises(Rejected, match="it went wrong"):
        carried_out(region, WANTED["reboot"])
    with pytest.raises(Rejected, match="it went wrong"):
        carried_out(region, WANTED["reboot"])
    assert (region.done("reboot"), region.server["metadata"]["steppe:boots"]) == (1, "0")
    assert carried_out(region, replace(WANTED["reboot"], generation=6)).boots == 1
    assert region.done("reboot") == 2


def test_a_rebuild_that_failed_is_ordered_again_once_and_then_a_fault(region: LivingRegion) -> None:
    region.fails = ["rebuild"]
    found = carried_out(region, WANTED["rebuild"])
    assert (region.done("rebuild"), region.done("reboot"), found.builds) == (2, 0, 1)
    region.fails = ["rebuild", "rebuild"]
    with pytest.raises(Rejected):
        carried_out(region, replace(WANTED["rebuild"], generation=6, builds=2))
    assert (region.done("rebuild"), region.done("reboot")) == (4, 0)


# --- snapshots


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["take", "drop"])
def test_a_worker_that_dies_at_any_call_leaves_one_snapshot_that_was_taken_once_or_none(
    monkeypatch: pytest.MonkeyPatch, verb: str, moment: Moment
) -> None:
    wanted = KEPT if verb == "take" else replace(KEPT, generation=6, snapshots=())
    for call in count(1):
        with lasting(LivingRegion(BUILT)) as region:
            if verb == "drop":
                carried_out(region, KEPT)
            if not dies(monkeypatch, Death(call, moment), partial(carried_out, region, wanted)):
                break
            found = carried_out(region, wanted)
            assert (found.snapshot_numbers, region.done("createImage")) == (wanted.snapshot_numbers, 1)
            assert len(region.kept) == len(wanted.snapshots), f"{moment} call {call}"
    assert call > 4, "no call at which somebody died"


# --- machines that boot from volumes


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["create", "delete"])
def test_a_worker_that_dies_at_any_call_leaves_one_server_with_one_volume_to_boot_from_or_nothing(
    monkeypatch: pytest.MonkeyPatch, verb: str, moment: Moment
) -> None:
    wanted = BOOTED if verb == "create" else None
    for call in count(1):
        with lasting(BuildingRegion()) as region:
            if verb == "delete":
                worked_on(region, BOOTED.id, BOOTED)
            if not dies(monkeypatch, Death(call, moment), partial(worked_on, region, BOOTED.id, wanted)):
                break
            found = worked_on(region, BOOTED.id, wanted)
            assert (found is None) == (wanted is None)
            assert not found or (found.disk_gib, found.data_disks, found.power) == (BOOTED.disk_gib, (5,), "on")
            disks = sorted(volume["metadata"]["steppe:disk"] for volume in region.there["volumes"].values())
            left = (len(region.there["servers"]), len(region.there["ports"]), disks)
            assert left == ((1, 1, ["0", "1"]) if wanted else (0, 0, [])), f"{moment} call {call}"
    assert call > 10, "no call at which somebody died"
