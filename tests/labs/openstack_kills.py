"""Who is killed, or away, in the middle of an order: the end is what was asked, once, and nothing is left of the rest.

A worker is killed at both ends of each call that changes anything in the cloud, and of each save. Then parts of the
cloud are away while an order is given.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.chaos.traps import Point
from tests.cli.processes import until
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import LARGE, an_ask, beside, ends_of, gone, killed_at, settled
from tests.labs.openstack_story import Lab

Verb = Literal["create", "resize", "reboot", "rebuild", "delete"]

CALLS: dict[Verb, tuple[str, ...]] = {
    "create": ("network POST ports", "block_storage POST volumes", "compute POST servers"),
    "resize": (
        "compute POST servers metadata",
        "compute POST servers os-stop",
        "compute POST servers resize",
        "compute POST servers confirmResize",
        "block_storage POST volumes",
        "block_storage POST volumes os-extend",
        "compute POST servers attach",
        "compute POST servers os-start",
    ),
    "reboot": (
        "compute POST servers metadata before a reboot",
        "compute POST servers reboot",
        "compute POST servers metadata",
    ),
    "rebuild": (
        "compute POST servers metadata",
        "compute POST servers os-stop",
        "compute POST servers rebuild",
        "compute POST servers os-start",
    ),
    "delete": ("compute DELETE servers", "block_storage DELETE volumes", "network DELETE ports"),
}
_DISKS, _MORE_DISKS = [1, 1], [2, 1, 1]
_ORDERS: dict[Verb, dict[str, Any]] = {
    "resize": LARGE | {"data_disks": _MORE_DISKS},
    "reboot": {},
    "rebuild": {"image": IMAGES[1]},
}
_COUNTED: dict[Verb, str] = {"reboot": "steppe:boots", "rebuild": "steppe:builds"}
AWAY = ("nova-api", "nova-conductor", "rabbitmq", "neutron-server", "keystone", "cinder-api", "cinder-volume")


@dataclass
class _Range:
    """Where orders are given. `names` makes up names of VMs."""

    steppe: Steppe
    seen: Cloud
    names: Iterator[str]

    def ordered(self, verb: Verb, prepared: str | None) -> str:
        """Give an order; return the VM that it is about."""
        if verb == "create" or prepared is None:
            return str(self.steppe.made("/vms", **an_ask(next(self.names), data_disks=_DISKS)).body["id"])
        if verb == "delete":
            self.steppe.ask("DELETE", f"/vms/{prepared}")
        else:
            self.steppe.made(f"/vms/{prepared}/{verb}", **_ORDERS[verb])
        return prepared

    def prepared(self, verb: Verb) -> str | None:
        """Return a VM to give the order about; None where the order makes its own."""
        return None if verb == "create" else str(settled(self.steppe, self.ordered("create", None))["id"])

    def is_as_asked(self, verb: Verb, vm: str) -> None:
        """Wait for the end and compare it with what was asked; AssertionError where it is not that."""
        if verb == "delete":
            gone(self.steppe, vm)
            self.seen.nothing_of(vm)
            return
        found = settled(self.steppe, vm)
        server = self.seen.one(found)
        assert found["data_disks"] == (_MORE_DISKS if verb == "resize" else _DISKS), found
        assert server.status == "ACTIVE", server.status
        if verb == "resize":
            assert server.flavor["ram"] == LARGE["memory_mib"], server.flavor
        if verb in {"reboot", "rebuild"}:
            assert self.seen.well_done(server, verb) >= 1, f"{verb} was counted and never done"
            assert server.metadata[_COUNTED[verb]] == "1", server.metadata
        if verb == "rebuild":
            assert server.image.id == self.seen.region.image.find_image(IMAGES[1]).id, server.image

    def cleared(self, vm: str) -> None:
        self.steppe.ask("DELETE", f"/vms/{vm}")
        gone(self.steppe, vm)
        self.seen.nothing_of(vm)


def a_worker_is_killed(lab: Lab) -> None:
    """At each call, before it is sent and after it was answered, and around each save."""
    kills = 0
    with beside(lab) as steppe:
        field = _Range(steppe, cloud(), (f"kill-{number:03}" for number in count(1)))
        for verb, calls in CALLS.items():
            for point in _points(calls):
                with lab.report.check(f"{verb}: the worker is killed {point.phase} {point.step}"):
                    _kill(field, verb, point)
                    kills += 1
        with lab.report.check("after all kills the ledger verifies and nothing differs"):
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found
            left = [*field.seen.ports(), *field.seen.volumes()]
            assert not left, left
    lab.report.figure("kills of the worker", str(kills))


def a_part_is_away(lab: Lab) -> None:
    """Each part of the cloud is stopped while a VM is asked for, and started again."""
    with beside(lab) as steppe:
        field = _Range(steppe, cloud(), (f"kill-{number:03}" for number in count(1)))
        for part in AWAY:
            with lab.report.check(f"a VM that is asked for while {part} is away is there once, and is deleted whole"):
                lab.daemons.stop(part)
                try:
                    vm = field.ordered("create", None)
                    _tried(steppe, vm)
                finally:
                    lab.daemons.start(part)
                began = time.monotonic()
                field.is_as_asked("create", vm)
                lab.report.figure(f"a VM is there, {part} being back for", f"{time.monotonic() - began:.0f} s")
                field.cleared(vm)
        with lab.report.check("a VM without data disks is made while cinder-api is away"):
            lab.daemons.stop("cinder-api")
            try:
                plain = steppe.made("/vms", **an_ask(next(field.names))).body["id"]
                settled(steppe, plain)
            finally:
                lab.daemons.start("cinder-api")
            field.cleared(plain)
        for part in ("nova-api", "rabbitmq", "cinder-api"):
            with lab.report.check(f"a VM that is deleted while {part} is away leaves nothing"):
                vm = str(field.prepared("delete"))
                lab.daemons.stop(part)
                try:
                    field.ordered("delete", vm)
                    _tried(steppe, vm)
                finally:
                    lab.daemons.start(part)
                field.is_as_asked("delete", vm)


def _points(calls: tuple[str, ...]) -> Iterator[Point]:
    yield from ends_of(calls)
    yield Point("save", "half way", "")
    yield Point("save", "after", "")


def _kill(field: _Range, verb: Verb, point: Point) -> None:
    prepared = field.prepared(verb)
    vm = killed_at(field.steppe, point, lambda: field.ordered(verb, prepared))
    field.is_as_asked(verb, vm)
    if verb != "delete":
        field.cleared(vm)


def _tried(steppe: Steppe, vm: str) -> None:
    """Wait until somebody has looked at a VM: it waits for its pool, or the pool has it in hand."""

    def looked_at() -> Any:
        found = steppe.call("GET", f"/vms/{vm}").body
        return found.get("waiting") or found.get("underway_since")

    until(looked_at, f"a look at {vm}", 120)
