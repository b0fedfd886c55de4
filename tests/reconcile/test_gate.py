"""A pool that hangs: its calls are given up, its jobs are tried again later, and no other pool is kept waiting."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from controlplane.db import transaction
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.gate import Gate, GatedDriver, Limits, gated
from provisioners import contract, registry
from provisioners.contract import (
    CatalogueDriver,
    ConsoleDriver,
    FloatingDriver,
    GatewayDriver,
    MachineDriver,
    Missing,
    OfferedImage,
    Unreachable,
)
from tests.drivers.makers import simulated_node
from tests.factories import ask, vm
from tests.reconcile.lab import Lab
from tests.reconcile.test_worker import rows, work

QUICK = Limits(calls=2, seconds=0.05, patience=0.05)
OFFERS = [
    offer
    for offer in vars(contract).values()
    if getattr(offer, "_is_runtime_protocol", False) and offer not in {ConsoleDriver, GatewayDriver}
]
"""What a machine driver may offer besides, but for consoles: those are opened without a gate."""


@pytest.fixture
def mended() -> Iterator[threading.Event]:
    """Until it is set, what hangs hangs."""
    event = threading.Event()
    yield event
    event.set()


def test_a_call_that_does_not_come_back_is_unreachable_and_keeps_its_place(mended: threading.Event) -> None:
    gate = Gate(QUICK)
    for _ in range(QUICK.calls):
        with pytest.raises(Unreachable, match="has not answered within"):
            gate.call(mended.wait)
    calls = []
    with pytest.raises(Unreachable, match="2 calls to it hang"):
        gate.call(lambda: calls.append("made"))
    assert calls == [], "it was not even begun"


def test_a_pool_that_answers_again_is_used_again(mended: threading.Event) -> None:
    gate = Gate(Limits(calls=1, seconds=0.05, patience=30))
    with pytest.raises(Unreachable):
        gate.call(mended.wait)
    mended.set()
    assert gate.call(lambda: "answered") == "answered"


def test_calls_of_a_busy_pool_wait_for_their_turn(mended: threading.Event) -> None:
    gate = Gate(Limits(calls=1, seconds=30, patience=30))
    inside, most = [], []

    def look() -> None:
        inside.append(1)
        most.append(len(inside))
        inside.pop()

    threads = [threading.Thread(target=gate.call, args=(look,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(most), max(most)) == (20, 1)


def test_what_a_driver_raises_comes_through(tmp_path: Path) -> None:
    driver = GatedDriver(registry.connect("fake", {"node": uuid4().hex}, tmp_path), Gate(QUICK))
    with pytest.raises(Missing):
        driver.delete(uuid4())


@pytest.mark.parametrize(
    ("driver", "connection"),
    [("fake", {}), ("fake", {"cloud": True}), ("libvirt", simulated_node("hv-01")), ("openstack", {"cloud": "x"})],
)
def test_a_driver_behind_a_gate_offers_the_sweep_what_it_offers_without_one(
    driver: str, connection: dict[str, Any], tmp_path: Path
) -> None:
    bare = registry.connect(driver, connection, tmp_path)
    behind = gated(bare, QUICK)
    assert FloatingDriver in OFFERS
    for offer in OFFERS:
        assert isinstance(behind, offer) == isinstance(bare, offer), offer
    bare.close()


def test_how_the_catalogue_matches_comes_through(tmp_path: Path) -> None:
    behind = gated(registry.connect("fake", {"cloud": True, "node": uuid4().hex}, tmp_path), Limits(2, 30))
    assert isinstance(behind, CatalogueDriver)
    assert [image.code for image in behind.match_catalogue([OfferedImage("x", None, 1)], []).images] == ["x"]


def test_a_driver_that_hangs_does_not_hold_up_the_end_of_a_worker(mended: threading.Event, tmp_path: Path) -> None:
    gate = Gate(QUICK)
    for _ in range(QUICK.calls):
        with pytest.raises(Unreachable):
            gate.call(mended.wait)
    GatedDriver(registry.connect("fake", {}, tmp_path), gate).close()


def test_one_pool_that_hangs_keeps_nobody_elses_vm_waiting(wide_lab: Lab, mended: threading.Event) -> None:
    def connect(name: str, connection: Mapping[str, Any]) -> MachineDriver:
        driver = registry.connect(name, connection, wide_lab.installation.settings.state_dir / "nodes")
        if connection["node"] == "hv-01":
            driver.observe = lambda _ids: mended.wait() and {}  # type: ignore[method-assign,assignment,misc]
        return driver

    with transaction(wide_lab.sessions) as session:
        made = [r.id for r in ask(session, *(vm(f"web-{n}") for n in range(12)))]
    wide_lab.drivers = Drivers(connect, QUICK)
    work(wide_lab)
    states = {(wide_lab.pool_of(r), wide_lab.record(r).state) for r in made}
    assert states == {("hv-01", "building"), ("hv-02", "running"), ("hv-03", "running")}
    for resource in made:
        if wide_lab.pool_of(resource) == "hv-01":
            assert [status for status, _, _ in rows(wide_lab, resource)] == ["todo"]
