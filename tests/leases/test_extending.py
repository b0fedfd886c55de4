"""An extension wins over the sweep, whichever of them comes first, until a driver began with the deletion."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from controlplane import jobs, lease_sweep, leases, lookups
from controlplane.asks.routing import Applies, StepOf
from controlplane.db import transaction
from controlplane.errors import Invalid, NotNow, TooLate
from controlplane.lease_sweep import Swept
from controlplane.reconcile.resource import _load  # the step before a driver is told
from controlplane.services import asking, routing
from controlplane.services.asking import Drafted
from controlplane.services.routing import RuleOf
from tests.leases.conftest import WORKER, Leasing
from tests.people import ADMIN, SECURITY
from tests.window.conftest import person


def extend(leasing: Leasing, session: Session, machine: UUID, days: int = 60) -> None:
    """Extend as an approved request does, in a transaction of the caller's."""
    resource = lookups.resource_for(session, ADMIN, "vm", machine, lock=True)
    leases.extend(session, resource, leasing.now + timedelta(days=days))
    jobs.enqueue(session, [machine])


def quarantined(leasing: Leasing) -> UUID:
    machine = leasing.leased(days=1)
    for days in (1, 7):
        leasing.later(days=days)
        leasing.swept(machine)
    assert leasing.lab.record(machine).lease_stage == "quarantined"
    return machine


@contextmanager
def sweeping(leasing: Leasing) -> Iterator[Swept]:
    """Sweep in a transaction of its own, which is committed at the end of the block."""
    with transaction(leasing.lab.sessions) as session:
        yield lease_sweep.sweep(session, WORKER, leasing.now)


def test_an_extension_that_is_under_way_when_the_sweep_comes_wins(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    leasing.later(days=1)
    with transaction(leasing.lab.sessions) as first:
        extend(leasing, first, machine)
        first.flush()
        assert leasing.sweep() == Swept()
    assert leasing.sweep() == Swept()
    assert (leasing.lab.record(machine).lease_stage, leasing.lab.record(machine).state) == ("granted", "running")
    assert leasing.verbs(machine) == []


@pytest.mark.parametrize("waits", [(1,), (1, 7), (1, 7, 30)])
def test_an_extension_that_comes_while_the_sweep_is_under_way_takes_back_what_that_did(
    leasing: Leasing, waits: tuple[int, ...]
) -> None:
    machine = leasing.leased(days=1)
    for days in waits[:-1]:
        leasing.later(days=days)
        leasing.swept(machine)
    leasing.later(days=waits[-1])
    with sweeping(leasing) as swept:
        assert swept.stopped + swept.quarantined + swept.deleted == 1
        with leasing.lab.sessions() as waiting, waiting.begin():
            waiting.connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(Exception, match="lock timeout"):
                extend(leasing, waiting, machine)
    with transaction(leasing.lab.sessions) as second:
        extend(leasing, second, machine)
    leasing.lab.look(machine)
    record = leasing.lab.record(machine)
    assert (record.lease_stage, record.state, record.desired) == ("granted", "running", "present")
    assert leasing.lab.machine(machine).power == "on"  # type: ignore[union-attr]
    assert leasing.balanced()
    assert leasing.sweep() == Swept()


def test_a_deletion_that_was_not_begun_is_taken_back_and_the_machine_keeps_its_disk(leasing: Leasing) -> None:
    machine = quarantined(leasing)
    leasing.later(days=30)
    assert leasing.sweep() == Swept(deleted=1)
    leasing.extend(machine, days=10)
    before = leasing.lab.machine(machine)
    leasing.lab.look(machine)
    after = leasing.lab.machine(machine)
    assert before is not None and after is not None and before.id == after.id
    assert leasing.lab.record(machine).state == "running"
    assert leasing.lab.used()[("environment", "vm")] == 1


def test_what_a_driver_began_to_remove_is_not_brought_back_empty(leasing: Leasing) -> None:
    machine = quarantined(leasing)
    leasing.later(days=30)
    leasing.sweep()
    with transaction(leasing.lab.sessions) as session:
        assert _load(session, machine) is not None
    with pytest.raises(TooLate):
        leasing.extend(machine, days=10)
    assert leasing.lab.look(machine) == "gone"


def test_a_worker_that_looks_after_the_extension_removes_nothing(leasing: Leasing) -> None:
    machine = quarantined(leasing)
    leasing.later(days=30)
    leasing.sweep()
    leasing.extend(machine, days=10)
    assert leasing.lab.look(machine) == "settled"
    assert leasing.lab.machine(machine) is not None


def test_what_its_people_had_stopped_themselves_stays_stopped(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    leasing.lab.done(machine, "stop")
    leasing.later(days=1)
    leasing.swept(machine)
    leasing.extend(machine, days=10)
    leasing.lab.look(machine)
    assert leasing.lab.record(machine).state == "stopped"


def test_what_was_deleted_by_hand_is_not_brought_back_by_an_extension(leasing: Leasing) -> None:
    machine = leasing.leased(days=10)
    leasing.lab.act(machine, "delete")
    with pytest.raises(NotNow):
        leasing.extend(machine, days=20)


def test_an_extension_is_later_than_the_end_that_there_is_and_than_now(leasing: Leasing) -> None:
    machine = leasing.leased(days=10)
    with transaction(leasing.lab.sessions) as session, pytest.raises(Invalid):
        extend(leasing, session, machine, days=9)
    with pytest.raises(Invalid):
        leasing.extend(machine, days=-1)


def test_warnings_begin_anew_after_an_extension(leasing: Leasing) -> None:
    machine = leasing.leased(days=5)
    leasing.sweep()
    leasing.extend(machine, days=6)
    assert leasing.sweep() == Swept(warned=1)
    assert len(leasing.notices("lease.extended")) == 1


def test_while_an_extension_is_asked_for_a_machine_is_stopped_and_nothing_more(leasing: Leasing) -> None:
    machine = leasing.leased(days=1)
    with transaction(leasing.lab.sessions) as session:
        colleague = person(session, "colleague", "department_member", "environment")
        item = {"do": "extend", "resource": str(machine), "until": (leasing.now + timedelta(days=90)).isoformat()}
        drafted = asking.draft(session, colleague, "environment", Drafted("再用三个月", "", [item]))
        steps = [StepOf.model_validate({"role": "system_admin", "stage": 1})]
        routing.create(session, SECURITY, "more", RuleOf("更多", "more", True, Applies(do=["extend"]), steps))
        asking.submit(session, colleague, drafted.id, leasing.now)
    for days in (1, 7, 30, 30):
        leasing.later(days=days)
        leasing.swept(machine)
    assert leasing.lab.record(machine).lease_stage == "stopped"
    with transaction(leasing.lab.sessions) as session:
        asking.withdraw(session, colleague, drafted.id, leasing.now)
    assert leasing.swept(machine).lease_stage == "quarantined"


def test_two_sweeps_at_a_time_share_the_work(leasing: Leasing) -> None:
    leasing.leased(days=1)
    leasing.later(days=1)
    with sweeping(leasing) as first:
        assert first == Swept(ended=1, stopped=1)
        assert leasing.sweep() == Swept()
    assert leasing.sweep() == Swept()
