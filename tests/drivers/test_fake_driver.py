"""The fake fails when it is told to, at the moment it is told to."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from provisioners.contract import Astray, Ingress, Unreachable
from provisioners.fake_driver import FakeCloud, FakeDriver, connect
from tests.drivers.makers import a_machine

GONE = Unreachable("the fake was told to")


@pytest.fixture
def driver(tmp_path: Path) -> FakeDriver:
    return connect({"node": "hv-01"}, tmp_path)


def test_a_failure_before_the_effect_leaves_nothing(driver: FakeDriver) -> None:
    spec = a_machine()
    driver.fail_next("create", GONE)
    with pytest.raises(Unreachable):
        driver.create(spec)
    assert driver.observe([spec.id]) == {}


def test_a_failure_after_the_effect_leaves_all_of_it(driver: FakeDriver) -> None:
    spec = a_machine()
    driver.fail_next("create", GONE, after=True)
    with pytest.raises(Unreachable):
        driver.create(spec)
    assert driver.observe([spec.id])[spec.id].complete


def test_a_failure_half_way_leaves_remains(driver: FakeDriver) -> None:
    spec = a_machine()
    driver.fail_next("create", GONE, half_way=True)
    with pytest.raises(Unreachable):
        driver.create(spec)
    assert not driver.observe([spec.id])[spec.id].complete


def test_a_rebuild_and_a_delete_that_fail_half_way_leave_remains_and_are_finished_by_a_repeat(
    driver: FakeDriver,
) -> None:
    spec = a_machine(power="off")
    driver.create(spec)
    driver.fail_next("rebuild", GONE, half_way=True)
    driver.fail_next("delete", GONE, half_way=True)
    rebuilt = replace(spec, builds=1)
    with pytest.raises(Unreachable):
        driver.rebuild(rebuilt)
    assert not driver.observe([spec.id])[spec.id].complete
    driver.rebuild(rebuilt)
    assert driver.observe([spec.id])[spec.id].complete
    with pytest.raises(Unreachable):
        driver.delete(spec.id)
    assert not driver.observe([spec.id])[spec.id].complete
    driver.delete(spec.id)
    assert driver.observe([spec.id]) == {}


def test_a_reboot_that_fails_half_way_leaves_the_machine_off_and_the_counter_as_it_was(driver: FakeDriver) -> None:
    spec = a_machine()
    driver.create(spec)
    driver.fail_next("reboot", GONE, half_way=True)
    with pytest.raises(Unreachable):
        driver.reboot(replace(spec, boots=1))
    found = driver.observe([spec.id])[spec.id]
    assert (found.power, found.boots) == ("off", 0)


def test_failures_come_once_each_in_order_and_to_their_step_alone(driver: FakeDriver) -> None:
    spec = a_machine()
    driver.fail_next("create", Unreachable("first"))
    driver.fail_next("create", Unreachable("second"))
    assert driver.discover() == []
    with pytest.raises(Unreachable, match="first"):
        driver.create(spec)
    with pytest.raises(Unreachable, match="second"):
        driver.create(spec)
    driver.create(spec)
    assert driver.calls[1:] == [("create", spec.id)] * 3


def test_a_node_is_seen_by_every_driver_that_names_it(driver: FakeDriver, tmp_path: Path) -> None:
    spec = a_machine()
    driver.create(spec)
    assert connect({"node": "hv-01"}, tmp_path).observe([spec.id]).keys() == {spec.id}
    assert connect({"node": "hv-02"}, tmp_path).discover() == []
    assert connect({"node": "hv-01"}, tmp_path / "other").discover() == []


def test_a_cloud_knows_what_is_let_in_and_what_of_it_is_not_as_it_is_to_be(tmp_path: Path) -> None:
    cloud = connect({"node": uuid4().hex, "cloud": True}, tmp_path)
    assert isinstance(cloud, FakeCloud)
    web, ssh = Ingress("tcp", "10.0.0.0/8", 443, 443), Ingress("tcp", "10.0.0.0/8", 22, 22)
    cloud.set_tenant("dsj", {"vm": 1}, [web])
    assert cloud.astray({"dsj": [web], "unknown": [web]}) == {"dsj": Astray()}
    assert cloud.astray({"dsj": [ssh]}) == {"dsj": Astray(frozenset({ssh}), frozenset({web}))}
    cloud.remove_tenant("dsj")
    assert cloud.astray({"dsj": [ssh]}) == {}
