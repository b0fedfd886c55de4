"""Things that change while a worker lives: a pool's connection, and a machine that vanishes under its hands."""

from uuid import uuid4

import pytest

from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.steps import apply
from provisioners.contract import MachineDriver, MachineSpec, Unreachable
from provisioners.fake_driver import FakeDriver, connect


def test_a_pool_whose_connection_changed_is_opened_anew(tmp_path: object) -> None:
    opened: list[MachineDriver] = []

    def recorded(_name: str, connection: dict[str, object]) -> MachineDriver:
        opened.append(connect(connection, tmp_path))  # type: ignore[arg-type]
        return opened[-1]

    drivers, pool = Drivers(recorded), uuid4()
    first = drivers.of(pool, "fake", {"node": f"a-{pool}"})
    assert drivers.of(pool, "fake", {"node": f"a-{pool}"}) is first
    assert drivers.of(pool, "fake", {"node": f"b-{pool}"}) is not first
    assert len(opened) == 2


def test_a_machine_that_vanished_under_a_step_is_looked_at_again(tmp_path: object) -> None:
    driver = connect({"node": str(uuid4())}, tmp_path)  # type: ignore[arg-type]
    assert isinstance(driver, FakeDriver)
    spec = MachineSpec(uuid4(), "web-01", "environment", "monitoring", 2, 2, 4096, 50, "debian-12")
    with pytest.raises(Unreachable, match="web-01 vanished"):
        apply(driver, spec.id, spec, ("stop",))
