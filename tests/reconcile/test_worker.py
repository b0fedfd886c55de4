"""The worker as it is: procrastinate's own app on a real database, with jobs that the services have enqueued.

What is tested here is how errors become outcomes and when a job is done again; what a look does is tested elsewhere.
The worker ends when no job is due (`wait=False`), so nothing here waits for a clock: where the wait itself matters, the
time that a job is put off to is read from its row.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from procrastinate.jobs import Job
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from controlplane import jobs
from controlplane.db import transaction
from controlplane.models import User
from controlplane.worker import LONGEST_WAIT, BackOff, make_app
from provisioners.contract import Rejected, Unreachable
from tests.accounts import token_of
from tests.factories import ask, vm
from tests.reconcile.lab import Lab
from tests.working import leave_to_a_dead_worker, make_due, resume, work

AWAY = Unreachable("the hypervisor is away")


def rows(lab: Lab, resource: UUID) -> list[Any]:
    """Return the jobs of a resource: status, attempts, and in how many seconds they are due."""
    with transaction(lab.sessions) as session:
        return list(
            session.execute(
                text(
                    "SELECT status::text, attempts, extract(epoch FROM scheduled_at - now()) AS due"
                    " FROM procrastinate_jobs WHERE lock = :lock ORDER BY id"
                ),
                {"lock": str(resource)},
            )
        )


def test_what_was_asked_for_runs_and_its_jobs_are_gone(wide_lab: Lab) -> None:
    with transaction(wide_lab.sessions) as session:
        made = [r.id for r in ask(session, *(vm(f"web-{n}") for n in range(12)))]
    work(wide_lab)
    assert {wide_lab.record(r).state for r in made} == {"running"}
    assert {m.id for m in wide_lab.machines()} == set(made)
    assert [row for r in made for row in rows(wide_lab, r)] == []
    assert wide_lab.picture(made[0]).discrepancies == []


def test_every_order_for_one_vm_is_done_in_turn(lab: Lab) -> None:
    web = lab.ask()
    work(lab)
    for verb, state in (("stop", "stopped"), ("start", "running"), ("delete", "deleted")):
        lab.act(web, verb)
        work(lab)
        assert lab.record(web).state == state
    assert lab.machines() == []


def test_a_pool_that_is_away_is_tried_again_after_a_wait_that_grows(lab: Lab) -> None:
    web = lab.ask()
    waits = []
    for attempt in range(1, 5):
        lab.driver().fail_next("observe", AWAY)
        work(lab)
        [(status, attempts, due)] = rows(lab, web)
        assert (status, attempts) == ("todo", attempt)
        waits.append(due)
        make_due(lab)
    # A busy machine looks up to some time after the wait was set.
    assert all(meant - 1.9 < wait <= meant + 0.1 for wait, meant in zip(waits, (1, 2, 4, 8), strict=True)), waits
    assert (lab.record(web).state, lab.record(web).fault_code) == ("building", None)
    work(lab)
    assert lab.record(web).state == "running"
    assert rows(lab, web) == []


def test_the_wait_for_a_pool_ends_at_five_minutes(lab: Lab) -> None:
    web = lab.ask()
    make_due(lab, attempts=50)
    lab.driver().fail_next("observe", AWAY)
    work(lab)
    [(status, _, due)] = rows(lab, web)
    assert status == "todo"
    assert due == pytest.approx(300, abs=5)


def test_the_ceiling_holds_however_long_a_pool_is_away() -> None:
    job = Job(queue="reconcile", lock=None, queueing_lock=None, task_name="reconcile", attempts=5_000_000)
    decision = BackOff().get_retry_decision(exception=AWAY, job=job)
    assert decision is not None
    assert decision.retry_at is not None
    assert decision.retry_at - datetime.now(UTC) <= LONGEST_WAIT == timedelta(minutes=5)


def test_a_vm_that_waits_for_its_pool_says_why_and_until_when_and_is_otherwise_unchanged(lab: Lab) -> None:
    web = lab.ask()
    before = lab.record(web)
    lab.driver().fail_next("observe", AWAY)
    work(lab)
    waiting = lab.record(web)
    assert waiting.waiting_reason == "the hypervisor is away"
    assert waiting.next_try_at is not None
    [(_, _, due)] = rows(lab, web)
    assert (waiting.next_try_at - datetime.now(UTC)).total_seconds() == pytest.approx(float(due), abs=0.5)
    assert (waiting.version, waiting.updated_at) == (before.version, before.updated_at)
    make_due(lab)
    work(lab)
    built = lab.record(web)
    assert (built.state, built.waiting_reason, built.next_try_at) == ("running", None, None)


def test_what_a_pool_refuses_in_the_end_waits_no_more(lab: Lab) -> None:
    web = lab.ask()
    lab.driver().fail_next("observe", AWAY)
    work(lab)
    make_due(lab)
    lab.driver().fail_next("create", Rejected("fake.full", "the hypervisor is full"))
    work(lab)
    refused = lab.record(web)
    assert (refused.state, refused.waiting_reason, refused.next_try_at) == ("faulted", None, None)


def test_a_database_that_was_away_is_no_fault_of_the_vm(lab: Lab) -> None:
    web = lab.ask()
    lab.driver().fail_next("create", OperationalError("SELECT 1", {}, psycopg.OperationalError("gone")), after=True)
    work(lab)
    assert (lab.record(web).state, lab.record(web).fault_code) == ("building", None)
    assert [(status, attempts) for status, attempts, _ in rows(lab, web)] == [("todo", 1)]
    make_due(lab)
    work(lab)
    assert lab.record(web).state == "running"


def test_one_pool_away_keeps_nobody_elses_vm_waiting(wide_lab: Lab) -> None:
    with transaction(wide_lab.sessions) as session:
        made = [r.id for r in ask(session, *(vm(f"web-{n}") for n in range(12)))]
    for _ in range(12):
        wide_lab.driver("hv-01").fail_next("observe", AWAY)
    work(wide_lab)
    states = {(wide_lab.pool_of(r), wide_lab.record(r).state) for r in made}
    assert states == {("hv-01", "building"), ("hv-02", "running"), ("hv-03", "running")}


def test_a_refusal_is_an_outcome_and_no_failed_job(lab: Lab) -> None:
    web = lab.ask()
    lab.driver().fail_next("create", Rejected("fake.full", "the hypervisor is full"))
    work(lab)
    assert (lab.record(web).state, lab.record(web).fault_code) == ("faulted", "fake.full")
    assert rows(lab, web) == []


def test_a_bug_parks_the_vm_and_its_job_stays(lab: Lab) -> None:
    web, other = lab.ask("web-01"), lab.ask("web-02")
    lab.driver().fail_next("create", RuntimeError("boom"))
    work(lab)
    parked, running = sorted((lab.record(r) for r in (web, other)), key=lambda r: r.state)
    assert (parked.state, parked.fault_code, running.state) == ("faulted", "internal", "running")
    assert [(status, attempts) for status, attempts, _ in rows(lab, parked.id)] == [("failed", 1)]
    lab.act(parked.id, "retry")
    work(lab)
    assert lab.record(parked.id).state == "running"


def test_the_job_of_a_worker_that_died_is_done_by_another(lab: Lab) -> None:
    web = lab.ask()
    leave_to_a_dead_worker(lab, heard_of="10 minutes")
    work(lab)
    assert lab.record(web).state == "building", "while a worker is thought to have the job, no other takes it"
    resume(lab)
    work(lab)
    assert lab.record(web).state == "running"
    assert rows(lab, web) == []


def test_the_job_of_a_worker_that_lives_is_left_to_it(lab: Lab) -> None:
    web = lab.ask()
    leave_to_a_dead_worker(lab, heard_of="5 seconds")
    resume(lab)
    work(lab)
    assert [status for status, _, _ in rows(lab, web)] == ["doing"]
    assert lab.machines() == []


def test_a_sweep_whose_worker_died_does_not_keep_the_others_from_being_resumed(lab: Lab) -> None:
    web = lab.ask()
    app = make_app(lab.installation, lab.drivers)
    with app.open():
        app.configure_task(jobs.SWEEP, queue=jobs.SWEEP, lock=jobs.SWEEP, queueing_lock=jobs.SWEEP).defer(timestamp=0)
        leave_to_a_dead_worker(lab, heard_of="10 minutes")
        app.configure_task(jobs.SWEEP, queue=jobs.SWEEP, lock=jobs.SWEEP, queueing_lock=jobs.SWEEP).defer(timestamp=1)
    resume(lab)
    work(lab)
    assert lab.record(web).state == "running"
    work(lab, jobs.SWEEP)
    with transaction(lab.sessions) as session:
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'sweep'")) == 0


def test_the_sweep_runs_as_a_job_and_finds_what_was_forgotten(lab: Lab) -> None:
    web = lab.ask()
    lab.forget_jobs()
    app = make_app(lab.installation, lab.drivers)
    with app.open():
        app.configure_task(jobs.SWEEP, queue=jobs.SWEEP).defer(timestamp=0)
    work(lab, jobs.SWEEP)
    assert lab.jobs(web) == 1
    work(lab)
    assert lab.record(web).state == "running"


def test_accounts_that_nobody_uses_are_disabled_as_a_job(lab: Lab) -> None:
    with transaction(lab.sessions) as session:
        token_of(session, "idle", "operator")
    app = make_app(lab.installation, lab.drivers)
    later = datetime.now(UTC) + timedelta(days=lab.installation.settings.unused_days + 1)
    with ThreadPoolExecutor(1) as thread, app.open():
        app.configure_task("tidy_accounts").defer(timestamp=int(later.timestamp()))
        thread.submit(work, lab, jobs.SWEEP).result()
    with transaction(lab.sessions) as session:
        assert session.scalars(select(User.disabled_reason)).all() == ["unused"]


def test_the_trace_of_an_ask_is_found_again_in_what_the_worker_did(lab: Lab) -> None:
    web = lab.ask()
    with transaction(lab.sessions) as session:
        session.execute(text('UPDATE procrastinate_jobs SET args = args || \'{"trace": "trace-9"}\''))
    work(lab)
    with transaction(lab.sessions) as session:
        traces = session.scalars(
            text("SELECT trace FROM audit_events WHERE target_id = :id AND action = 'vm.running'"), {"id": web}
        ).all()
    assert traces == ["trace-9"]
