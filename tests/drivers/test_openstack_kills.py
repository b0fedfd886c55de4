"""What becomes of a reboot and of a rebuild whose worker dies, whom Nova refuses for a moment, or that fail: each is
done, counted only then, and not ordered for ever."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from controlplane.reconcile.plan import plan
from controlplane.reconcile.steps import apply
from provisioners.contract import Machine, MachineSpec, Rejected, Underway, Unreachable
from provisioners.openstack_driver import connect
from tests.drivers.makers import a_machine
from tests.drivers.openstack_living import Death, Killed, LivingRegion, Moment, alive, mortal

BUILT = a_machine(id=uuid7(), generation=4)
WANTED = {
    "reboot": replace(BUILT, generation=5, boots=1),
    "rebuild": replace(BUILT, generation=5, builds=1, image="kylin-v10"),
}
_MOST_LOOKS = 30


@pytest.fixture
def region() -> Iterator[LivingRegion]:
    """A region in which BUILT runs."""
    with alive(LivingRegion(BUILT)) as made:
        yield made


def carried_out(region: LivingRegion, spec: MachineSpec) -> Machine:
    """Do as workers do until nothing is left to do, and return what came of it."""
    driver = connect(region.way_in(), Path())
    for _ in range(_MOST_LOOKS):
        found = driver.observe([spec.id])[spec.id]
        steps = () if found.busy else plan(spec, found)
        if found.busy:
            region.settle()
        elif not steps:
            driver.close()
            return found
        try:
            apply(driver, spec.id, spec, steps)
        except (Underway, Unreachable):
            continue
    raise AssertionError(f"after {_MOST_LOOKS} looks there is still something to do: {region.actions}")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["reboot", "rebuild"])
def test_a_worker_that_dies_at_any_call_leaves_an_order_that_the_next_one_finishes(
    monkeypatch: pytest.MonkeyPatch, verb: str, moment: Moment
) -> None:
    for call in count(1):
        with alive(LivingRegion(BUILT)) as region:
            mortal(monkeypatch, Death(call, moment))
            try:
                carried_out(region, WANTED[verb])
            except Killed:
                mortal(monkeypatch, Death())
            else:
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
