"""The worker: takes jobs, turns errors into outcomes, sweeps, and says that it lives.

Heartbeats and retries are procrastinate's, and so is knowing whose worker died; what becomes of its jobs is said here.
"""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from controlplane import bootstrap, jobs, rounds
from controlplane.bootstrap import Installation
from controlplane.db import CENTRE_ROLE, CONNECT_SECONDS, Sessions, is_away, transaction
from controlplane.reconcile import gateways, tenancy, tunnels, watching
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.gate import Limits
from controlplane.reconcile.resource import park, put_off, reconcile
from controlplane.reconcile.sweep import sweep
from controlplane.settings import Settings
from controlplane.shifts import Plan, work
from controlplane.vpn_import import looking
from provisioners.contract import Rejected, Unreachable

LONGEST_WAIT = timedelta(minutes=5)
_LONGEST_LOOKOUT = 10

log = structlog.get_logger(__name__)


class BackOff(BaseRetryStrategy):
    """Try again after 1, 2, 4 ... seconds, at most LONGEST_WAIT, for as long as the pool or the database is away.

    Without chance in it: the gate of a pool lets a few in at once, however many are due.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to try again, or None for an error that trying again does not mend."""
        if isinstance(exception, Unreachable) or is_away(exception):
            return RetryDecision(retry_in={"seconds": wait(job)})
        return None


def wait(job: Job) -> int:
    """Return for how many seconds a job is put off that came to nothing."""
    longest = int(LONGEST_WAIT.total_seconds())
    return min(1 << min(job.attempts, longest.bit_length()), longest)


def make_app(installation: Installation, drivers: Drivers) -> App:
    """Return the job application with every task of a worker."""
    settings, sessions = installation.settings, installation.sessions
    app = App(connector=_connector(installation))

    @app.task(name=jobs.RECONCILE, queue=jobs.RECONCILE, retry=BackOff(), pass_context=True)
    def look(context: JobContext, resource_id: str, trace: str | None = None) -> str:
        resource = UUID(resource_id)
        with structlog.contextvars.bound_contextvars(trace=trace):
            try:
                return reconcile(sessions, drivers, resource, trace)
            except Unreachable as error:
                log.warning("unreachable", resource=resource_id, reason=str(error))
                until = datetime.now(UTC) + timedelta(seconds=wait(context.job))
                put_off(sessions, resource, str(error), until)
                raise
            except Exception as error:
                if is_away(error):
                    log.warning("the database is away", resource=resource_id, reason=str(error).partition("\n")[0])
                    raise
                log.exception("bug", resource=resource_id)
                park(sessions, resource, error, trace)
                raise

    @app.task(name=jobs.WATCH, queue=jobs.WATCH, retry=BackOff())
    async def watch_pool(pool_id: str, trace: str | None = None) -> None:
        pool = UUID(pool_id)
        for _ in range(watching.ROUNDS):
            if not await asyncio.to_thread(watching.watch, sessions, drivers, pool, trace):
                return
            await asyncio.sleep(watching.EVERY_SECONDS)
        await asyncio.to_thread(_watch_on, sessions, pool, trace)

    @app.task(name=jobs.FOLLOW, queue=jobs.RECONCILE, retry=BackOff())
    def follow(department_id: str, trace: str | None = None) -> int:
        with structlog.contextvars.bound_contextvars(trace=trace):
            return tenancy.follow(sessions, drivers, UUID(department_id), trace)

    @app.periodic(cron=f"*/{settings.sweep_minutes} * * * *")
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

    @app.periodic(cron=f"* * * * * */{_lookout(settings)}")
    @app.task(name="resume_stalled", queue=jobs.SWEEP, queueing_lock="resume_stalled", pass_context=True)
    async def resume_stalled(context: JobContext, timestamp: int) -> None:
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=settings.worker_dead_seconds):
            await _take_over(manager, job)

    @app.periodic(cron="17 * * * *")
    @app.task(name="forget_old_jobs", queue=jobs.SWEEP, queueing_lock="forget_old_jobs", pass_context=True)
    async def forget_old_jobs(context: JobContext, timestamp: int) -> None:
        await context.app.job_manager.delete_old_jobs(nb_hours=72)
        log.info("forgot finished jobs of before three days ago", timestamp=timestamp)

    _add_gateways(app, sessions, drivers)
    _add_imports(app, installation)
    rounds.add(app, installation)
    return app


def _add_gateways(app: App, sessions: Sessions, drivers: Drivers) -> None:
    @app.task(name=jobs.GATEWAY, queue=jobs.GATEWAY, retry=BackOff(), pass_context=True)
    def look_at_gateway(context: JobContext, pool_id: str, trace: str | None = None) -> int:
        with structlog.contextvars.bound_contextvars(trace=trace):
            try:
                return gateways.attend(sessions, drivers, UUID(pool_id), trace)
            except Unreachable as error:
                log.warning("unreachable", pool=pool_id, reason=str(error))
                until = datetime.now(UTC) + timedelta(seconds=wait(context.job))
                gateways.put_off(sessions, UUID(pool_id), str(error), until)
                raise
            except Rejected as error:
                # The sweep tries again; what stands in the way is a person's to mend.
                log.warning("rejected", pool=pool_id, code=error.code, detail=error.detail)
                gateways.put_off(sessions, UUID(pool_id), str(error), None)
                return 0

    @app.task(name=jobs.TUNNELS, queue=jobs.GATEWAY, retry=BackOff())
    def look_at_tunnels(pool_id: str, trace: str | None = None) -> int:
        with structlog.contextvars.bound_contextvars(trace=trace):
            return tunnels.look_again(sessions, drivers, UUID(pool_id), trace)


def _add_imports(app: App, installation: Installation) -> None:
    desk = looking.desk(installation)

    @app.task(name=jobs.IMPORT, queue=jobs.IMPORT, retry=BackOff())
    def look_at_import(import_id: str, trace: str | None = None) -> str:
        with structlog.contextvars.bound_contextvars(trace=trace):
            return looking.look(desk, UUID(import_id), trace)


def run(installation: Installation) -> None:
    """Work until told to stop by SIGINT or SIGTERM, through any absence of the database."""
    settings = installation.settings
    drivers = installation.drivers(Limits(settings.pool_calls, settings.pool_call_seconds))
    try:
        work(
            Plan(
                installation.url,
                partial(make_app, installation, drivers),
                settings.job_threads,
                settings.worker_dead_seconds,
                bootstrap.keeper(settings),
            )
        )
    finally:
        drivers.close()


def _watch_on(sessions: Sessions, pool: UUID, trace: str | None) -> None:
    with transaction(sessions) as session:
        jobs.enqueue_watch(session, pool, trace)


def _connector(installation: Installation) -> PsycopgConnector:
    return PsycopgConnector(
        conninfo=installation.url,
        kwargs={"options": f"-c role={CENTRE_ROLE}"},
        min_size=1,
        max_size=installation.settings.job_threads + 3,
        timeout=CONNECT_SECONDS,
    )


def _lookout(settings: Settings) -> int:
    """Return how many seconds pass between two looks for workers that died."""
    return max(1, min(settings.worker_dead_seconds // 3, _LONGEST_LOOKOUT))


async def _take_over(manager: JobManager, job: Job) -> None:
    """Let a job of a dead worker be done again; what comes again by the clock is dropped. That has its own name for a
    queueing lock."""
    log.warning("resumed a job whose worker died", job=job.id, task=job.task_name)
    try:
        if job.queueing_lock == job.task_name:
            # The next one may wait already, and there can be but one.
            await manager.finish_job(job, Status.FAILED, delete_job=True)
        else:
            await manager.retry_job(job)
    except ConnectorException as error:
        if is_away(error):
            raise
        log.info("another worker was faster, or the next one waits already", job=job.id)
