"""Durable jobs. A job is deferred on the caller's own connection, so it exists exactly if the decision does.

A job says only *look at this resource*; `lock` lets one worker at a time look.
"""

from collections.abc import Iterable
from uuid import UUID

from procrastinate import SyncPsycopgConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy import text
from sqlalchemy.orm import Session

RECONCILE = "reconcile"
SWEEP = "sweep"
CHECK = "check"

_deferring = JobManager(SyncPsycopgConnector())
"""Never opened: it only ever speaks on the connection that it is handed."""


def enqueue(session: Session, resources: Iterable[UUID], trace: str | None = None) -> None:
    """Ask a worker to look at `resources` once the caller's transaction commits."""
    jobs = [
        Job(
            queue=RECONCILE,
            lock=str(resource),
            queueing_lock=None,
            task_name=RECONCILE,
            task_kwargs={"resource_id": str(resource), "trace": trace},
        )
        for resource in resources
    ]
    if jobs:
        _deferring.batch_defer_jobs(jobs, connection=session.connection().connection.driver_connection)


def enqueue_check(session: Session, pool: UUID | None = None, trace: str | None = None) -> int:
    """Ask a worker to check one pool, or all, for drift; return the job's id. One that waits already serves as well."""
    wanted = {"pool_id": str(pool) if pool else None}
    waiting: int | None = session.scalar(_WAITING_CHECK, {"task": CHECK, "pool": wanted["pool_id"]})
    if waiting is not None:
        return waiting
    job = Job(queue=SWEEP, lock=SWEEP, queueing_lock=None, task_name=CHECK, task_kwargs={**wanted, "trace": trace})
    [made] = _deferring.batch_defer_jobs([job], connection=session.connection().connection.driver_connection)
    assert made.id is not None  # noqa: S101 - it was just given one
    return made.id


def state_of(session: Session, job: int) -> str | None:
    """Return the state of a job: `todo`, `doing`, `failed`; None once it was done."""
    status: str | None = session.scalar(_STATUS, {"job": job})
    return status


_WAITING_CHECK = text("""
    SELECT id FROM procrastinate_jobs
    WHERE task_name = :task AND status = 'todo' AND args ->> 'pool_id' IS NOT DISTINCT FROM :pool
    ORDER BY id LIMIT 1
""")

_STATUS = text("SELECT status::text FROM procrastinate_jobs WHERE id = :job AND status <> 'succeeded'")
