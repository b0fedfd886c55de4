"""What every driver that has floating addresses does with one: an address from outside that leads to one machine."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioners.contract import Floating, FloatingDriver, MachineSpec, Missing, Nic, OwnNetwork, Rejected
from tests.drivers.makers import LABS, Lab, a_machine
from tests.drivers.test_contract import seen

OWN = OwnNetwork("dsj", "10.7.0.252", "10.7.0.254")
ONE, OTHER = Floating("172.31.99.20", "ext"), Floating("172.31.99.21", "ext")


@pytest.fixture(params=["fake", "openstack"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A pool of every driver whose machines can have floating addresses."""
    lab = LABS[request.param](tmp_path)
    yield lab
    lab.driver.close()


def behind(last: int = 7, **changes: Any) -> MachineSpec:
    """Return the spec of a machine on its department's own network."""
    nic = Nic(f"52:54:00:00:07:{last:02x}", "lab", f"10.7.0.{last}", 24, "10.7.0.1", (), OWN)
    return a_machine(nics=(nic,), **changes)


def float_(lab: Lab, spec: MachineSpec) -> None:
    assert isinstance(lab.driver, FloatingDriver)
    lab.driver.set_floating(spec)


def test_a_machine_is_made_with_its_floating_address(lab: Lab) -> None:
    spec = behind(floating=ONE)
    lab.driver.create(spec)
    assert seen(lab, spec).floating_address == ONE.address
    [listed] = lab.driver.discover()
    assert listed == seen(lab, spec) == lab.driver.inspect(spec.id)


def test_a_machine_without_one_has_none(lab: Lab) -> None:
    spec = behind()
    lab.driver.create(spec)
    assert seen(lab, spec).floating_address is None


def test_a_machine_is_given_one_and_another_and_loses_it(lab: Lab) -> None:
    spec = behind()
    lab.driver.create(spec)
    for floating in (ONE, ONE, OTHER, None, None):
        float_(lab, replace(spec, floating=floating))
        assert seen(lab, spec).floating_address == (floating.address if floating else None)
        assert (seen(lab, spec).power, seen(lab, spec).complete) == ("on", True)


def test_a_floating_address_is_there_after_reopening(lab: Lab) -> None:
    spec = behind(floating=ONE)
    lab.driver.create(spec)
    lab.reopen()
    assert seen(lab, spec).floating_address == ONE.address


def test_power_and_size_leave_it_alone(lab: Lab) -> None:
    spec = behind(floating=ONE)
    lab.driver.create(spec)
    for order in (lab.driver.stop, lab.driver.rebuild, lab.driver.start):
        order(replace(spec, builds=1, generation=2))
        assert seen(lab, spec).floating_address == ONE.address


def test_an_address_that_leads_to_another_machine_is_refused(lab: Lab) -> None:
    one, other = behind(7, floating=ONE), behind(8)
    lab.driver.create(one)
    lab.driver.create(other)
    with pytest.raises(Rejected, match=r"172\.31\.99\.20") as refusal:
        float_(lab, replace(other, floating=ONE))
    assert refusal.value.code.endswith(".address_taken")
    assert (seen(lab, one).floating_address, seen(lab, other).floating_address) == (ONE.address, None)


def test_an_address_is_free_for_another_once_its_machine_is_gone(lab: Lab) -> None:
    one, other = behind(7, floating=ONE), behind(8, floating=ONE)
    lab.driver.create(one)
    lab.driver.delete(one.id)
    lab.driver.create(other)
    assert seen(lab, other).floating_address == ONE.address


def test_what_was_begun_with_one_is_finished_without_it_where_it_was_taken_away(lab: Lab) -> None:
    spec = behind(floating=ONE)
    lab.leave_remains(spec)
    lab.driver.create(replace(spec, floating=None, generation=2))
    assert (seen(lab, spec).complete, seen(lab, spec).floating_address) == (True, None)


def test_nothing_leads_to_a_machine_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(Missing):
        float_(lab, behind(floating=ONE))
