"""Workers in tests: procrastinate's own, which end when no job is due, so that nothing waits for a clock."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol

from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy import text

from controlplane import jobs
from controlplane.bootstrap import Installation
from controlplane.db import Sessions, transaction
from controlplane.reconcile.drivers import Drivers
from controlplane.worker import make_app


class Place(Protocol):
    """Where a worker works: every lab."""

    installation: Installation
    sessions: Sessions
    drivers: Drivers


def work(lab: Place, queue: str = jobs.RECONCILE) -> None:
    """Do every job of a queue that is due, as a worker process would.

    In a thread of its own: the browser tests leave an event loop running in the main one.
    """
    app = make_app(lab.installation, lab.drivers)
    run = partial(
        app.run_worker,
        queues=[queue],
        wait=False,
        concurrency=4,
        delete_jobs="successful",
        install_signal_handlers=False,
        listen_notify=False,
    )
    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result()


def make_due(lab: Place, attempts: int | None = None) -> None:
    """Let the time that jobs were put off to be now."""
    with transaction(lab.sessions) as session:
        session.execute(
            text("UPDATE procrastinate_jobs SET scheduled_at = now(), attempts = coalesce(:attempts, attempts)"),
            {"attempts": attempts},
        )


def leave_to_a_dead_worker(lab: Place, heard_of: str) -> None:
    """Hand all jobs to a worker that was last heard of so long ago."""
    with transaction(lab.sessions) as session:
        worker = session.scalar(
            text(
                "INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() - CAST(:ago AS interval)) RETURNING id"
            ),
            {"ago": heard_of},
        )
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker"), {"worker": worker})


def resume(lab: Place) -> None:
    """Do what the worker does every minute."""
    app = make_app(lab.installation, lab.drivers)
    # Each worker that starts asks for it too.
    with app.open(), suppress(AlreadyEnqueued):
        app.configure_task("resume_stalled").defer(timestamp=0)
    work(lab, jobs.SWEEP)
