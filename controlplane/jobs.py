"""Durable jobs. A job is deferred on the caller's own connection, so it exists exactly if the decision does.

A job says only *look at this resource*; `lock` lets one worker at a time look.
"""

from collections.abc import Iterable
from uuid import UUID

from procrastinate import SyncPsycopgConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy.orm import Session

RECONCILE = "reconcile"
SWEEP = "sweep"

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
