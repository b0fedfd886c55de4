"""What nobody uses: its department is asked once, by a date; an answer keeps it, silence ends its lease."""

from datetime import timedelta
from uuid import UUID

import pytest

from controlplane.db import transaction
from controlplane.errors import Forbidden
from controlplane.services import leases
from controlplane.services.leases import Which
from controlplane.unused import Followed
from tests.leases.conftest import NOW, Leasing
from tests.people import ADMIN, AUDITOR


def stopped(leasing: Leasing, days: int = 60) -> UUID:
    """Return a machine that has been stopped for `days`."""
    machine = leasing.lab.running()
    leasing.lab.done(machine, "stop")
    leasing.change(machine, state_since=leasing.now - timedelta(days=days))
    return machine


def keep(leasing: Leasing, machine: UUID) -> None:
    with transaction(leasing.lab.sessions) as session:
        leases.keep(session, ADMIN, Which("vm", machine), leasing.now)


def test_the_department_is_asked_once_and_by_when(leasing: Leasing) -> None:
    stopped(leasing)
    assert leasing.follow() == Followed(asked=1)
    assert leasing.follow() == Followed()
    assert leasing.notices("unused.asked") == [
        {"name": "web-01", "department": "环境保护厅", "until": (NOW + timedelta(days=14)).isoformat()}
    ]


def test_what_was_stopped_for_less_or_runs_is_not_asked_about(leasing: Leasing) -> None:
    stopped(leasing, days=59)
    leasing.lab.running("web-02")
    assert leasing.follow() == Followed()


def test_silence_ends_the_lease_and_the_same_steps_follow(leasing: Leasing) -> None:
    machine = stopped(leasing)
    leasing.follow()
    leasing.later(days=14)
    assert leasing.follow() == Followed(ended=1)
    assert leasing.lab.record(machine).lease_until == leasing.now
    stages = []
    for days in (0, 7, 30):
        leasing.later(days=days)
        stages.append(leasing.swept(machine).lease_stage)
        assert leasing.follow() == Followed()
    assert (stages, leasing.lab.record(machine).state) == (["stopped", "quarantined", "deleting"], "deleted")
    assert leasing.balanced()


def test_an_answer_keeps_it_for_its_days_and_then_it_is_asked_about_again(leasing: Leasing) -> None:
    machine = stopped(leasing)
    leasing.follow()
    keep(leasing, machine)
    leasing.later(days=179)
    assert leasing.follow() == Followed()
    leasing.later(days=1)
    assert leasing.follow() == Followed(asked=1)


def test_what_is_started_after_the_question_is_used_again(leasing: Leasing) -> None:
    machine = stopped(leasing)
    leasing.follow()
    leasing.lab.done(machine, "start")
    leasing.later(days=20)
    assert leasing.follow() == Followed(used_again=1)
    assert leasing.lab.record(machine).lease_until is None


def test_a_machine_of_no_system_is_asked_about_though_it_runs(leasing: Leasing) -> None:
    machine = leasing.lab.running()
    leasing.change(machine, system_id=None)
    assert leasing.follow() == Followed(asked=1)


def test_the_centre_may_leave_unused_machines_alone(leasing: Leasing) -> None:
    stopped(leasing)
    leasing.policy(unused_days=None)
    assert leasing.follow() == Followed()


def test_nobody_answers_for_a_department_but_its_manager(leasing: Leasing) -> None:
    machine = stopped(leasing)
    with transaction(leasing.lab.sessions) as session, pytest.raises(Forbidden):
        leases.keep(session, AUDITOR, Which("vm", machine), leasing.now)
    keep(leasing, machine)


def test_the_time_of_a_state_is_noted_whatever_changes_it(leasing: Leasing) -> None:
    machine = leasing.lab.running()
    leasing.change(machine, state_since=NOW)
    leasing.change(machine, lease_warned=None)
    assert leasing.lab.record(machine).state_since == NOW
    leasing.lab.act(machine, "stop")
    assert leasing.lab.record(machine).state_since > NOW
