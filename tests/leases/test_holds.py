"""A legal hold: while it stands nothing is stopped, rebuilt or deleted, by the sweep or by hand."""

import pytest

from controlplane.db import transaction
from controlplane.errors import Forbidden, Invalid, NotNow, OnHold, TooLate
from controlplane.lease_sweep import Swept
from controlplane.services import leases
from controlplane.services.leases import Which
from provisioners.contract import Unreachable
from tests.leases.conftest import Leasing
from tests.people import ADMIN, SECURITY


def test_a_hold_stops_the_sweep_at_every_stage_and_lifting_it_begins_the_stage_anew(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    for days, stage in ((1, "stopped"), (7, "quarantined"), (30, "deleting")):
        leasing.hold(machine, SECURITY)
        leasing.later(days=days + 100)
        assert leasing.sweep() == Swept()
        leasing.lift(machine, SECURITY)
        leasing.later(days=days)
        assert leasing.swept(machine).lease_stage == stage
    assert (leasing.lab.record(machine).state, leasing.balanced()) == ("deleted", True)


def test_what_is_on_hold_is_not_stopped_rebuilt_or_deleted_by_hand(leasing: Leasing) -> None:
    machine = leasing.leased()
    leasing.hold(machine, SECURITY)
    for verb in ("stop", "rebuild", "delete"):
        with pytest.raises(OnHold):
            leasing.lab.act(machine, verb)
    leasing.lift(machine, SECURITY)
    leasing.lab.done(machine, "stop")


def test_a_hold_takes_back_a_deletion_that_no_driver_began_with(leasing: Leasing) -> None:
    machine = leasing.leased()
    leasing.lab.act(machine, "delete")
    leasing.hold(machine, SECURITY)
    assert leasing.lab.look(machine) == "settled"
    record = leasing.lab.record(machine)
    assert (record.state, record.desired, leasing.balanced()) == ("running", "present", True)


def test_a_hold_comes_too_late_once_a_driver_began_to_delete(leasing: Leasing) -> None:
    machine = leasing.leased()
    leasing.lab.act(machine, "delete")
    leasing.lab.driver().fail_next("delete", Unreachable("the pool is away"), after=True)
    with pytest.raises(Unreachable):
        leasing.lab.look(machine)
    with pytest.raises(TooLate):
        leasing.hold(machine, SECURITY)


def test_only_the_security_administrator_holds_and_says_why(leasing: Leasing) -> None:
    machine = leasing.leased()
    with pytest.raises(Forbidden):
        leasing.hold(machine, ADMIN)
    with transaction(leasing.lab.sessions) as session, pytest.raises(Invalid):
        leases.hold(session, SECURITY, Which("vm", machine), "  ", leasing.now)
    with pytest.raises(NotNow):
        leasing.lift(machine, SECURITY)


def test_the_trail_says_who_held_it_and_why(leasing: Leasing) -> None:
    machine = leasing.leased()
    leasing.hold(machine, SECURITY)
    leasing.lift(machine, SECURITY)
    assert leasing.lab.actions(machine)[-2:] == [("Security", "vm.hold", "success"), ("Security", "vm.lift", "success")]
