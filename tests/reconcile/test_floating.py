"""Floating addresses from the order on: given and taken away by looks, and given back only once nothing leads there."""

from dataclasses import replace
from typing import Literal
from uuid import UUID

import pytest

from controlplane.errors import HasFloating, HasNoFloating, NoFloating
from provisioners.contract import Rejected, Unreachable
from provisioners.fake_driver import Moment
from tests.reconcile.lab import Lab

FIRST, SECOND = "172.31.99.9", "172.31.99.10"
INSIDE = "10.1.0.2"
AWAY = Unreachable("the cloud is away")


def leads(lab: Lab, resource: UUID) -> str | None:
    machine = lab.machine(resource)
    return machine.floating_address if machine else None


def claimed(lab: Lab, resource: UUID) -> list[str]:
    return lab.picture(resource).claims


def test_a_vm_is_built_with_the_floating_address_that_was_chosen(lab: Lab) -> None:
    resource = lab.running(floating_subnet="outside")
    assert (leads(lab, resource), claimed(lab, resource)) == (FIRST, [INSIDE, FIRST])


def test_one_that_is_given_afterwards_leads_to_the_vm_by_a_look(lab: Lab) -> None:
    resource = lab.running()
    lab.act(resource, "float", subnet="outside")
    assert (lab.record(resource).state, leads(lab, resource)) == ("changing", None)
    assert claimed(lab, resource) == [INSIDE, FIRST]
    assert lab.look(resource) == "settled"
    assert (lab.record(resource).state, leads(lab, resource)) == ("running", FIRST)
    assert lab.actions(resource)[-1] == ("worker", "vm.running", "success")


def test_one_that_is_taken_away_is_given_back_when_it_leads_nowhere_and_not_before(lab: Lab) -> None:
    resource = lab.running(floating_subnet="outside")
    lab.act(resource, "unfloat")
    assert claimed(lab, resource) == [INSIDE, FIRST]
    lab.driver().fail_next("set_floating", Rejected("fake.busy", "not now"))
    assert lab.look(resource) == "faulted"
    assert (leads(lab, resource), claimed(lab, resource)) == (FIRST, [INSIDE, FIRST])
    lab.done(resource, "retry")
    assert (leads(lab, resource), claimed(lab, resource)) == (None, [INSIDE])
    assert lab.record(resource).wanted["floating"] is None
    other = lab.running("web-02", floating_subnet="outside")
    assert leads(lab, other) == FIRST


def test_one_that_could_not_be_taken_away_is_the_one_that_is_given_again(lab: Lab) -> None:
    resource = lab.running(floating_subnet="outside")
    lab.act(resource, "unfloat")
    lab.driver().fail_next("set_floating", Rejected("fake.busy", "not now"))
    assert lab.look(resource) == "faulted"
    lab.done(resource, "float", subnet="outside")
    assert (leads(lab, resource), claimed(lab, resource)) == (FIRST, [INSIDE, FIRST])


def test_a_deleted_vm_gives_it_back_with_all_else(lab: Lab) -> None:
    resource = lab.running(floating_subnet="outside")
    lab.done(resource, "delete")
    assert claimed(lab, resource) == []


def test_one_that_somebody_took_away_in_the_pool_is_seen_as_a_difference_and_led_back(lab: Lab) -> None:
    resource = lab.running(floating_subnet="outside")
    machine = lab.machine(resource)
    assert machine is not None
    for other in (None, "172.31.99.77"):
        lab.driver().put(replace(machine, floating_address=other))
        assert lab.look(resource) == "settled"
        assert leads(lab, resource) == FIRST
    assert claimed(lab, resource) == [INSIDE, FIRST]


@pytest.mark.parametrize("moment", ["before", "half_way", "after"])
@pytest.mark.parametrize("verb", ["float", "unfloat"])
def test_a_failure_at_any_moment_changes_nothing_about_the_end(
    lab: Lab, verb: Literal["float", "unfloat"], moment: Moment
) -> None:
    resource = lab.running(**({"floating_subnet": "outside"} if verb == "unfloat" else {}))
    lab.act(resource, verb, **({"subnet": "outside"} if verb == "float" else {}))
    before = claimed(lab, resource)
    lab.driver().fail_next("set_floating", AWAY, after=moment == "after", half_way=moment == "half_way")
    with pytest.raises(Unreachable):
        lab.look(resource)
    assert claimed(lab, resource) == before
    assert lab.look(resource) == "settled"
    ends = {"float": (FIRST, [INSIDE, FIRST]), "unfloat": (None, [INSIDE])}
    assert (leads(lab, resource), claimed(lab, resource)) == ends[verb]


def test_a_vm_has_one_at_most_and_none_to_take_away_twice(lab: Lab) -> None:
    resource = lab.running(floating_subnet="outside")
    with pytest.raises(HasFloating, match=FIRST):
        lab.act(resource, "float", subnet="outside")
    lab.done(resource, "unfloat")
    with pytest.raises(HasNoFloating):
        lab.act(resource, "unfloat")


def test_a_vm_in_a_pool_without_them_gets_none(libvirt_lab: Lab) -> None:
    resource = libvirt_lab.running()
    with pytest.raises(NoFloating) as refusal:
        libvirt_lab.act(resource, "float", subnet="outside")
    assert refusal.value.code == "floating.not_here"
