"""Every step that is ever planned is broken once, at every moment at which it can break, and then looked at again.

A hypervisor goes away in the middle of things: before it did what it was told, after it did and before it said so, and
half way. Whatever happened, the next look must end exactly where a life without failures ends: the same record, the
same machine and no second one, the same ledger, the same addresses.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from controlplane.reconcile.resource import park
from provisioners.contract import Machine, Rejected, Unreachable, load_machine
from provisioners.fake_driver import Moment
from provisioners.fake_driver import Step as Call
from tests.reconcile.lab import NOBODY, Lab, Picture

AWAY = Unreachable("the hypervisor is away")
REFUSED = Rejected("fake.full", "the hypervisor is full")


@dataclass(frozen=True)
class Case:
    """A verb for a VM that was brought `from_` nothing, running or stopped, and the steps that it takes."""

    verb: str
    steps: tuple[Call, ...]
    from_: Literal["nothing", "running", "stopped"] = "running"
    body: tuple[tuple[str, int | tuple[int, ...]], ...] = ()

    def prepare(self, lab: Lab) -> UUID:
        """Bring a VM to where the verb begins, and order the verb."""
        resource = lab.ask("web-01")
        if self.from_ != "nothing":
            assert lab.look(resource) == "settled"
        if self.from_ == "stopped":
            lab.done(resource, "stop")
        if self.verb != "create":
            lab.act(resource, self.verb, **dict(self.body))
        return resource


LARGER = (("vcpu", 4), ("memory_mib", 8192), ("disk_gib", 60))
SMALLER = (("vcpu", 1), ("memory_mib", 1024), ("disk_gib", 50))

DATA = (*LARGER, ("data_disks", (10, 30)))

CASES: dict[str, Case] = {
    "create": Case("create", ("create",), "nothing"),
    "start": Case("start", ("start",), "stopped"),
    "stop": Case("stop", ("stop",)),
    "reboot": Case("reboot", ("reboot",)),
    "resize a running one": Case("resize", ("stop", "resize", "start"), body=LARGER),
    "resize a stopped one": Case("resize", ("resize",), "stopped", LARGER),
    "shrink a running one": Case("resize", ("stop", "resize", "start"), body=SMALLER),
    "give a running one data disks": Case("resize", ("stop", "resize", "start"), body=DATA),
    "rebuild a running one": Case("rebuild", ("stop", "rebuild", "start")),
    "rebuild a stopped one": Case("rebuild", ("rebuild",), "stopped"),
    "delete a running one": Case("delete", ("delete",)),
    "delete a stopped one": Case("delete", ("delete",), "stopped"),
    "delete one that was never built": Case("delete", (), "nothing"),
}
HALF_WAY = {"create", "reboot", "resize", "rebuild", "delete"}
"""Steps that have a half way: the others happen or do not."""


def every_failure() -> Iterator[Any]:
    for name, case in CASES.items():
        for step in ("observe", *case.steps):
            moments: tuple[Moment, ...] = ("before", "after", *(("half_way",) if step in HALF_WAY else ()))
            for moment in moments:
                yield pytest.param(case, step, moment, id=f"{name}: {step} fails {moment}")


def every_refusal() -> Iterator[Any]:
    for name, case in CASES.items():
        for step in case.steps:
            yield pytest.param(case, step, id=f"{name}: {step} is refused")


_LIVED: dict[Case, Picture] = {}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def without_failure(lab: Lab, case: Case) -> Picture:
    """Live the same life with no failure, take its picture, and clear it away so that the other starts alike.

    Every lab is alike, so one such life is enough for all tests of a case.
    """
    if case in _LIVED:
        return _LIVED[case]
    resource = case.prepare(lab)
    lab.look(resource)
    picture = lab.picture(resource)
    if not picture.record["deleted"]:
        lab.done(resource, "delete")
    assert lab.machines() == []
    assert lab.used() == {}
    return _LIVED.setdefault(case, picture)


def fail(lab: Lab, step: Call, error: Exception, moment: Moment = "before") -> None:
    lab.driver().fail_next(step, error, after=moment == "after", half_way=moment == "half_way")


@every_case
def test_a_verb_takes_exactly_its_steps(lab: Lab, case: Case) -> None:
    resource = case.prepare(lab)
    calls = len(lab.driver().calls)
    lab.look(resource)
    assert [step for step, _ in lab.driver().calls[calls:]] == ["observe", *case.steps]


@pytest.mark.parametrize(("case", "step", "moment"), list(every_failure()))
def test_a_step_that_fails_once_changes_nothing_about_the_end(lab: Lab, case: Case, step: Call, moment: Moment) -> None:
    expected = without_failure(lab, case)
    resource = case.prepare(lab)
    before = lab.record(resource)
    fail(lab, step, AWAY, moment)
    with pytest.raises(Unreachable):
        lab.look(resource)
    after = lab.record(resource)
    assert (after.state, after.version, after.observed_generation) == (
        before.state, before.version, before.observed_generation,
    )  # fmt: skip
    assert lab.look(resource) in {"settled", "gone"}
    assert lab.picture(resource) == expected
    assert expected.discrepancies == []


@every_case
def test_a_pool_that_fails_at_every_step_is_worn_down(lab: Lab, case: Case) -> None:
    expected = without_failure(lab, case)
    resource = case.prepare(lab)
    for step in dict.fromkeys(("observe", *case.steps)):
        for moment in ("before", "after", "half_way"):
            if moment != "half_way" or step in HALF_WAY:
                fail(lab, step, AWAY, moment)
    for _ in range(20):
        try:
            lab.look(resource)
        except Unreachable:
            continue
        break
    assert lab.picture(resource) == expected


@every_case
def test_looking_again_at_what_is_done_changes_nothing(lab: Lab, case: Case) -> None:
    resource = case.prepare(lab)
    lab.look(resource)
    before, version, actions = lab.picture(resource), lab.record(resource).version, lab.actions(resource)
    assert lab.look(resource) == ("nothing" if before.record["deleted"] else "settled")
    assert lab.picture(resource) == before
    assert lab.record(resource).version == version
    assert lab.actions(resource) == actions


@pytest.mark.parametrize(("case", "step"), list(every_refusal()))
def test_a_refused_step_says_why_and_the_same_order_again_brings_it_to_the_same_end(
    lab: Lab, case: Case, step: Call
) -> None:
    expected = without_failure(lab, case)
    resource = case.prepare(lab)
    used = lab.used()
    fail(lab, step, REFUSED)
    assert lab.look(resource) == "faulted"
    faulted = lab.record(resource)
    assert (faulted.state, faulted.fault_code, faulted.fault_detail) == (
        "faulted", "fake.full", "the hypervisor is full",
    )  # fmt: skip
    assert lab.actions(resource)[-1] == ("worker", "vm.faulted", "failure")
    assert lab.used() == used, "a refusal neither takes nor gives back"
    lab.done(resource, "delete" if case.verb == "delete" else "retry")
    assert one_order_later(expected) == lab.picture(resource)


def one_order_later(picture: Picture) -> Picture:
    """Return the picture with the one generation more that the second order made."""
    record = {
        **picture.record,
        "generation": picture.record["generation"] + 1,
        "observed_generation": picture.record["observed_generation"] + 1,
    }
    return replace(picture, record=record, machines=[replace(m, generation=m.generation + 1) for m in picture.machines])


def test_a_vm_that_could_not_be_built_can_be_deleted_and_leaves_nothing(lab: Lab) -> None:
    resource = lab.ask()
    lab.driver().fail_next("create", REFUSED, half_way=True)
    assert lab.look(resource) == "faulted"
    assert [m.complete for m in lab.machines()] == [False]
    lab.act(resource, "delete")
    assert lab.look(resource) == "gone"
    left = lab.picture(resource)
    assert (left.machines, left.used, left.claims, left.discrepancies) == ([], {}, [], [])
    assert (left.record["state"], left.record["deleted"]) == ("deleted", True)


def test_a_vm_whose_deletion_was_refused_still_holds_its_quota_and_address(lab: Lab) -> None:
    resource = lab.running()
    before = lab.picture(resource)
    lab.act(resource, "delete")
    lab.driver().fail_next("delete", REFUSED)
    assert lab.look(resource) == "faulted"
    after = lab.picture(resource)
    assert (after.used, after.claims) == (before.used, before.claims)
    assert after.record["desired"] == "absent"


def test_what_vanishes_while_it_is_deleted_is_gone(lab: Lab) -> None:
    resource = lab.running()
    lab.act(resource, "delete")
    lab.driver().delete(resource)
    assert lab.look(resource) == "gone"
    assert lab.picture(resource).used == {}


def test_a_bug_is_raised_and_leaves_the_record_as_it_was(lab: Lab) -> None:
    resource = lab.ask()
    before = lab.picture(resource)
    lab.driver().fail_next("create", RuntimeError("boom: secret-password"))
    with pytest.raises(RuntimeError, match="boom"):
        lab.look(resource)
    assert lab.picture(resource) == before


def test_a_parked_vm_says_that_the_fault_is_ours_and_no_more_of_it(lab: Lab) -> None:
    resource = lab.ask()
    park(lab.sessions, resource, RuntimeError("boom: secret-password"), "trace-7")
    parked = lab.record(resource)
    assert (parked.state, parked.fault_code) == ("faulted", "internal")
    assert "RuntimeError" in (parked.fault_detail or "")
    assert "secret-password" not in (parked.fault_detail or "")
    assert lab.actions(resource)[-1] == ("worker", "vm.faulted", "failure")


def test_a_parked_vm_is_brought_back_by_retry(lab: Lab) -> None:
    resource = lab.ask()
    park(lab.sessions, resource, RuntimeError("boom"))
    lab.done(resource, "retry")
    back = lab.record(resource)
    assert (back.state, back.fault_code, back.fault_detail) == ("running", None, None)
    assert lab.picture(resource).discrepancies == []


def test_parking_what_is_gone_or_never_was_does_nothing(lab: Lab) -> None:
    resource = lab.running()
    lab.done(resource, "delete")
    before = lab.picture(resource), lab.actions(resource)
    park(lab.sessions, resource, RuntimeError("boom"))
    park(lab.sessions, uuid4(), RuntimeError("boom"))
    assert (lab.picture(resource), lab.actions(resource)) == before


@every_case
def test_libvirts_simulated_hypervisor_comes_to_what_was_wanted(libvirt_lab: Lab, case: Case) -> None:
    resource = case.prepare(libvirt_lab)
    assert libvirt_lab.look(resource) == ("gone" if case.verb == "delete" else "settled")
    picture, record = libvirt_lab.picture(resource), libvirt_lab.record(resource)
    assert picture.discrepancies == []
    if case.verb == "delete":
        assert (picture.machines, picture.used, picture.claims) == ([], {}, [])
        return
    wanted = load_machine(record.wanted)
    labels = ("name", "power", "vcpu", "memory_mib", "disk_gib", "data_disks", "image")
    counts = ("generation", "boots", "builds", "department", "system")
    assert picture.machines == [Machine(id=NOBODY, **{key: getattr(wanted, key) for key in (*labels, *counts)})]
    assert record.state == ("running" if wanted.power == "on" else "stopped")
    assert picture.used["environment", "vcpu"] == picture.used["hv-01", "vcpu"] == wanted.vcpu
    assert picture.claims == [nic.address for nic in wanted.nics]
    assert libvirt_lab.look(resource) == "settled"
    assert libvirt_lab.picture(resource) == picture
