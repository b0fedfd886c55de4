"""The worker: takes jobs, turns errors into outcomes, sweeps, and says that it lives.

Heartbeats, retries and the recovery of jobs whose worker died are procrastinate's.
"""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from controlplane import jobs
from controlplane.bootstrap import Installation
from controlplane.db import APP_ROLE, transaction
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.resource import park, reconcile
from controlplane.reconcile.sweep import sweep
from controlplane.services import idempotency
from provisioners.contract import Unreachable

STALLED_AFTER = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=5)

log = structlog.get_logger(__name__)


class BackOff(BaseRetryStrategy):
    """Try again after 1, 2, 4 ... seconds, at most LONGEST_WAIT, for as long as the pool is away."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to try again, or None for an error that trying again does not mend."""
        if not isinstance(exception, Unreachable):
            return None
        seconds = min(2**job.attempts, int(LONGEST_WAIT.total_seconds()))
        return RetryDecision(retry_in={"seconds": seconds})


def make_app(installation: Installation, drivers: Drivers) -> App:
    """Return the job application with every task of a worker."""
    connector = PsycopgConnector(
        conninfo=installation.url,
        kwargs={"options": f"-c role={APP_ROLE}"},
        min_size=1,
        max_size=installation.settings.job_threads + 3,
    )
    app = App(connector=connector)
    sessions = installation.sessions

    @app.task(name=jobs.RECONCILE, queue=jobs.RECONCILE, retry=BackOff())
    def look(resource_id: str, trace: str | None = None) -> str:
        with structlog.contextvars.bound_contextvars(trace=trace):
            try:
                return reconcile(sessions, drivers, UUID(resource_id), trace)
            except Unreachable as error:
                log.warning("unreachable", resource=resource_id, reason=str(error))
                raise
            except Exception as error:
                log.exception("bug", resource=resource_id)
                park(sessions, UUID(resource_id), error, trace)
                raise

    @app.periodic(cron=f"*/{installation.settings.sweep_minutes} * * * *")
    @app.task(name=jobs.SWEEP, queue=jobs.SWEEP, lock=jobs.SWEEP, queueing_lock=jobs.SWEEP)
    def sweep_all(timestamp: int) -> int:
        swept = sweep(sessions, drivers)
        log.info("swept", **asdict(swept), timestamp=timestamp)
        return swept.looks

    @app.task(name=jobs.CHECK, queue=jobs.SWEEP, lock=jobs.SWEEP)
    def check(pool_id: str | None = None, trace: str | None = None) -> int:
        with structlog.contextvars.bound_contextvars(trace=trace):
            swept = sweep(sessions, drivers, UUID(pool_id) if pool_id else None, trace)
            log.info("checked for drift", **asdict(swept), pool=pool_id)
            return swept.opened

    @app.periodic(cron="* * * * *")
    @app.task(name="resume_stalled", queue=jobs.SWEEP, queueing_lock="resume_stalled", pass_context=True)
    async def resume_stalled(context: JobContext, timestamp: int) -> None:
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER.total_seconds()):
            log.warning("resumed a job whose worker died", job=job.id, task=job.task_name, timestamp=timestamp)
            await manager.retry_job(job)

    @app.periodic(cron="17 * * * *")
    @app.task(name="forget_old_jobs", queue=jobs.SWEEP, queueing_lock="forget_old_jobs", pass_context=True)
    async def forget_old_jobs(context: JobContext, timestamp: int) -> None:
        await context.app.job_manager.delete_old_jobs(nb_hours=72)
        log.info("forgot finished jobs of before three days ago", timestamp=timestamp)

    @app.periodic(cron="27 * * * *")
    @app.task(name="forget_old_answers", queue=jobs.SWEEP, queueing_lock="forget_old_answers")
    def forget_old_answers(timestamp: int) -> None:
        with transaction(sessions) as session:
            idempotency.forget_old(session, datetime.fromtimestamp(timestamp, UTC))

    return app


def run(installation: Installation) -> None:
    """Work until told to stop by SIGINT or SIGTERM; jobs that were begun are finished first."""
    drivers = installation.drivers()
    app = make_app(installation, drivers)
    try:
        with app.open():
            pass
        app.run_worker(
            concurrency=installation.settings.job_threads,
            fetch_job_polling_interval=5,
            shutdown_graceful_timeout=20,
            stalled_worker_timeout=STALLED_AFTER.total_seconds(),
            delete_jobs="successful",
        )
    finally:
        drivers.close()
