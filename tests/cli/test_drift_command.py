"""`steppe drift` with a worker of its own: what it prints, and the exit code that a cron job lives on."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from controlplane import jobs
from controlplane.bootstrap import Installation
from controlplane.cli import steppe as command
from controlplane.db import transaction
from controlplane.settings import settings
from controlplane.worker import make_app
from provisioners.contract import Machine, Rejected
from tests.cli.processes import until
from tests.reconcile import behind
from tests.reconcile.lab import Lab

Steppe = Callable[..., Result]


@pytest.fixture
def lab(installation: Installation) -> Iterator[Lab]:
    with Lab(installation) as made:
        behind.policy(made, "report")
        yield made


@pytest.fixture
def steppe(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steppe]:
    """Run commands on the test's own database."""
    monkeypatch.setenv("STEPPE_DATABASE_URL", installation.url)
    monkeypatch.setenv("STEPPE_STATE_DIR", str(installation.settings.state_dir))
    monkeypatch.setenv("STEPPE_LOG_LEVEL", "error")
    settings.cache_clear()
    yield lambda *words: CliRunner().invoke(command, words)
    settings.cache_clear()


@contextmanager
def working(lab: Lab) -> Iterator[None]:
    """Let a worker that has the lab's drivers do what is asked of it, as long as the block lasts."""
    over = Event()

    def work() -> None:
        while not over.is_set():
            make_app(lab.installation, lab.drivers).run_worker(
                queues=[jobs.SWEEP, jobs.RECONCILE],
                wait=False,
                delete_jobs="successful",
                install_signal_handlers=False,
                listen_notify=False,
            )

    with ThreadPoolExecutor(1) as thread:
        doing = thread.submit(work)
        try:
            yield
        finally:
            over.set()
            doing.result(60)


def listed(result: Result) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_where_all_is_as_recorded_it_ends_with_0(lab: Lab, steppe: Steppe) -> None:
    behind.quiet(lab, "web-01")
    with working(lab):
        result = steppe("drift", "--format", "json")
    assert (result.exit_code, listed(result)) == (0, []), result.output


def test_drift_is_looked_for_now_listed_and_ends_with_1(lab: Lab, steppe: Steppe) -> None:
    [web] = behind.quiet(lab, "web-01")
    behind.stop(lab, web)
    with working(lab):
        result = steppe("drift", "--format", "json")
        table = steppe("drift", "--no-check")
    assert (result.exit_code, table.exit_code) == (1, 1), result.output
    [row] = listed(result)
    assert (row["pool"], row["kind"], row["name"], row["department"]) == ("hv-01", "different", "web-01", "environment")
    assert row["differences"] == {"power": {"wanted": "on", "observed": "off"}}
    assert "power: on -> off" in table.stdout


def test_a_pool_that_cannot_be_looked_at_ends_with_2_and_says_why(lab: Lab, steppe: Steppe) -> None:
    for _ in range(5):  # the worker may have a sweep to do before the check
        lab.driver().fail_next("discover", Rejected("fake.denied", "wrong key"))
    with working(lab):
        result = steppe("drift")
    assert result.exit_code == 2
    assert "could not look at hv-01" in result.stderr
    assert "wrong key" in result.stderr


def test_without_a_worker_it_ends_with_2_after_its_bound(lab: Lab, steppe: Steppe) -> None:
    result = steppe("drift", "--timeout", "1")
    assert result.exit_code == 2
    assert "steppe worker" in result.stderr


def test_a_check_that_failed_ends_with_2(lab: Lab, steppe: Steppe) -> None:
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(steppe, "drift", "--timeout", "20")
        while not running.done():
            with transaction(lab.sessions) as session:
                session.execute(text("UPDATE procrastinate_jobs SET status = 'failed' WHERE task_name = 'check'"))
    assert running.result().exit_code == 2
    assert "failed" in running.result().stderr


def test_what_is_known_is_printed_without_looking(lab: Lab, steppe: Steppe) -> None:
    [web] = behind.quiet(lab, "web-01")
    behind.stop(lab, web)
    assert steppe("drift", "--no-check").exit_code == 0
    behind.swept(lab)
    assert steppe("drift", "--no-check", "--pool", "hv-01").exit_code == 1


def test_a_pool_that_does_not_exist_is_not_found(lab: Lab, steppe: Steppe) -> None:
    assert steppe("drift", "--pool", "nowhere").exit_code == 4


def test_drift_is_repaired_accepted_and_adopted_by_command(lab: Lab, steppe: Steppe) -> None:
    web, db = behind.quiet(lab, "web-01", "db-01")
    behind.stop(lab, web)
    behind.delete(lab, db)
    stranger = uuid4()
    lab.driver().put(Machine(stranger, "legacy-db", "on", 3, 512, 7, ""))
    with working(lab):
        found = {row["name"]: row["id"] for row in listed(steppe("drift", "--format", "json"))}
        words = ("--department", "finance", "--system", "monitoring", "--address", "business=10.1.0.9")
        for result in (
            steppe("drift", "repair", found["web-01"]),
            steppe("drift", "accept", found["db-01"]),
            steppe("drift", "adopt", found["legacy-db"], *words),
        ):
            assert result.exit_code == 0, result.output
        until(lambda: not any(lab.jobs(vm) for vm in (web, db, stranger)), "the decisions are carried out")
    machine = lab.machine(web)
    assert machine is not None
    assert machine.power == "on"
    assert lab.record(db).state == "deleted"
    assert (lab.record(stranger).state, lab.record(stranger).name) == ("running", "legacy-db")
    assert lab.used()["finance", "vcpu"] == 3


def test_a_refusal_ends_with_3_and_a_finding_that_is_none_with_4(lab: Lab, steppe: Steppe) -> None:
    behind.make_foreign(lab)
    behind.swept(lab)
    assert steppe("drift", "repair", str(behind.drift(lab).id)).exit_code == 3
    assert steppe("drift", "repair", str(UUID(int=1))).exit_code == 4


def test_the_policy_of_a_pool_is_set_by_command(lab: Lab, steppe: Steppe) -> None:
    assert steppe("pool", "update", "hv-01", "--drift", "repair").exit_code == 0
    assert lab.pool().drift_policy == "repair"


def test_the_doctor_speaks_of_drift_and_of_pools_that_cannot_be_seen(lab: Lab, steppe: Steppe) -> None:
    def doctor() -> dict[str, Any]:
        return next(row for row in json.loads(steppe("doctor", "--json").stdout) if row["check"] == "drift")

    assert doctor()[""] == "ok"
    behind.make_foreign(lab)
    behind.swept(lab)
    assert (doctor()[""], "1 machines" in doctor()["found"]) == ("look", True)
    lab.driver().fail_next("discover", Rejected("fake.denied", "wrong key"))
    behind.swept(lab)
    assert "hv-01" in doctor()["found"]
