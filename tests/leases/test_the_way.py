"""A lease goes its way by the clock: warned, stopped, quarantined, deleted; each on its day, and once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.errors import InQuarantine
from controlplane.lease_sweep import Swept
from controlplane.models import Notification, Resource
from controlplane.services import users
from controlplane.services.users import NewUser
from tests.leases.conftest import Leasing
from tests.people import OPERATOR


def look(of: Resource) -> tuple[str, str]:
    return of.lease_stage, of.state


def test_a_machine_is_warned_of_three_times_and_then_stopped_quarantined_and_deleted_each_on_its_day(
    leasing: Leasing,
) -> None:
    machine = leasing.leased(days=40)
    seen = {}
    for day in range(90):
        before = leasing.lab.record(machine)
        after = leasing.swept(machine)
        if (before.lease_warned, *look(before)) != (after.lease_warned, *look(after)):
            seen[day] = (after.lease_warned, *look(after))
        assert leasing.balanced()
        leasing.later(days=1)
    assert seen == {
        10: (30, "warned", "running"),
        33: (7, "warned", "running"),
        39: (1, "warned", "running"),
        40: (1, "stopped", "stopped"),
        47: (1, "quarantined", "stopped"),
        77: (1, "deleting", "deleted"),
    }
    assert [told["days"] for told in leasing.notices("lease.warning")] == [30, 7, 1]
    for event in ("lease.stopped", "lease.quarantined", "lease.deleted"):
        assert len(leasing.notices(event)) == 1
    assert leasing.verbs(machine) == ["vm.lease_ended", "vm.lease_stopped", "vm.lease_quarantined", "vm.lease_deleted"]
    assert leasing.lab.used() == {}


def test_a_second_sweep_right_after_finds_nothing(leasing: Leasing) -> None:
    leasing.leased(days=5)
    assert leasing.sweep() == Swept(warned=1)
    assert leasing.sweep() == Swept()
    leasing.later(days=6)
    assert leasing.sweep() == Swept(ended=1, stopped=1)
    assert leasing.sweep() == Swept()


def test_a_sweep_that_is_late_skips_nothing_and_each_step_counts_from_when_the_one_before_was_taken(
    leasing: Leasing,
) -> None:
    machine = leasing.leased(days=40)
    seen = []
    for days in (400, 6, 1, 29, 1):
        leasing.later(days=days)
        seen.append(leasing.swept(machine).lease_stage)
    assert seen == ["stopped", "stopped", "quarantined", "quarantined", "deleting"]
    assert leasing.lab.record(machine).state == "deleted"


def test_days_of_grace_come_between_the_end_and_the_stop(leasing: Leasing) -> None:
    leasing.policy(stop_days=3)
    machine = leasing.leased(days=1)
    seen = []
    for days in (20, 2, 1):
        leasing.later(days=days)
        seen.append(look(leasing.swept(machine)))
    assert seen == [("ended", "running"), ("ended", "running"), ("stopped", "stopped")]


def test_a_step_without_days_is_passed_over(leasing: Leasing) -> None:
    leasing.policy(stop_days=None, quarantine_days=2, delete_days=None)
    machine = leasing.leased(days=1)
    leasing.later(days=1)
    assert look(leasing.swept(machine)) == ("ended", "running")
    leasing.later(days=2)
    assert look(leasing.swept(machine)) == ("quarantined", "stopped")
    leasing.later(days=1000)
    assert look(leasing.swept(machine)) == ("quarantined", "stopped")


def test_without_warnings_nobody_is_warned(leasing: Leasing) -> None:
    leasing.policy(warn_days=[])
    leasing.leased(days=5)
    assert leasing.sweep() == Swept()


def test_what_is_in_the_middle_of_a_change_waits_for_its_end(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    leasing.lab.act(machine, "resize", vcpu=4, memory_mib=4096, disk_gib=50)
    leasing.later(days=2)
    assert leasing.sweep() == Swept(ended=1)
    leasing.lab.look(machine)
    assert look(leasing.swept(machine)) == ("stopped", "stopped")


def test_what_has_stopped_already_is_only_written_down(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    leasing.lab.done(machine, "stop")
    generation = leasing.lab.record(machine).generation
    leasing.later(days=2)
    after = leasing.swept(machine)
    assert (look(after), after.generation, after.lease_stopped) == (("stopped", "stopped"), generation, False)


def test_the_sweep_stops_a_machine_just_as_the_verb_does(leasing: Leasing) -> None:
    swept, ordered = leasing.leased(days=1), leasing.leased(days=500, name="web-02")
    leasing.later(days=2)
    leasing.sweep()
    leasing.lab.act(ordered, "stop")

    def shown(machine: object) -> tuple[object, ...]:
        record = leasing.lab.record(machine)  # type: ignore[arg-type]
        wanted = {k: v for k, v in record.wanted.items() if k not in {"id", "name", "nics"}}
        return record.state, record.generation, wanted, record.fault_code, leasing.lab.jobs(record.id)

    assert shown(swept) == shown(ordered)


def test_what_was_started_after_the_stop_is_stopped_again_for_the_quarantine(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    leasing.later(days=1)
    leasing.swept(machine)
    leasing.lab.done(machine, "start")
    leasing.later(days=7)
    assert look(leasing.swept(machine)) == ("quarantined", "stopped")


def test_nothing_but_an_extension_brings_a_machine_out_of_quarantine(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    leasing.later(days=1)
    leasing.swept(machine)
    leasing.later(days=7)
    leasing.swept(machine)
    for verb, body in (("start", {}), ("reboot", {}), ("rebuild", {}), ("resize", {"flavor": "small"})):
        with pytest.raises(InQuarantine):
            leasing.lab.act(machine, verb, **body)
    leasing.extend(machine, days=10)
    leasing.lab.look(machine)
    record = leasing.lab.record(machine)
    assert (look(record), leasing.balanced()) == (("granted", "running"), True)


def test_the_end_of_a_contract_is_warned_of_and_nothing_more(leasing: Leasing) -> None:
    machine = leasing.lab.running()
    leasing.change(machine, contract_end=leasing.now + timedelta(days=8))
    for _ in range(12):
        leasing.swept(machine)
        leasing.later(days=1)
    assert [(told["what"], told["days"]) for told in leasing.notices("lease.warning")] == [
        ("contract", 8),
        ("contract", 7),
        ("contract", 1),
    ]
    assert look(leasing.lab.record(machine)) == ("granted", "running")


def test_nobody_of_another_department_is_told(leasing: Leasing) -> None:
    leasing.leased(days=5)
    with transaction(leasing.lab.sessions) as session:
        users.create(session, OPERATOR, NewUser("theirs", "Theirs", "department_manager", "finance"))
    leasing.sweep()
    with transaction(leasing.lab.sessions) as session:
        assert session.scalars(select(Notification.user_id)).all() == [leasing.manager]
