"""A worker works in shifts: each lasts as long as the connection to the database does.

Without it nothing that is done can be written down under the shift's name. So the shift ends; the jobs that it had
belong to nobody from then on, and the next one, which begins as soon as the database answers, takes them up again.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from procrastinate import App
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from controlplane.db import CONNECT_SECONDS, is_away

FINISH_SECONDS = 20.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_TALKERS = ("asyncio", "procrastinate.utils", "procrastinate.worker", "procrastinate.worker.worker", "psycopg.pool")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a worker works. `revive` is called while the database does not answer, and may start it."""

    url: str
    app: Callable[[], App]
    threads: int
    dead_seconds: float
    revive: Callable[[], None]


def work(plan: Plan) -> None:
    """Work until SIGINT or SIGTERM; jobs that were begun are finished first, for FINISH_SECONDS."""
    say_absences_once()
    asyncio.run(_work(plan))


async def _work(plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(plan.threads + 1, thread_name_prefix="job"))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        await _database_answers(plan, stop)
        if not stop.is_set():
            await _shift(plan, stop)


async def _database_answers(plan: Plan, stop: asyncio.Event) -> None:
    """Wait for it, asking ever more rarely; one line in the log says so, not one for each try."""
    pause, waiting = _FIRST_PAUSE, False
    while not stop.is_set():
        try:
            connection = await psycopg.AsyncConnection.connect(plan.url, connect_timeout=CONNECT_SECONDS)
        except psycopg.OperationalError as error:
            if not waiting:
                log.warning("waiting for the database", reason=str(error).splitlines()[0])
            waiting = True
        else:
            await connection.close()
            if waiting:
                log.info("the database answers again")
            return
        await asyncio.to_thread(plan.revive)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _shift(plan: Plan, stop: asyncio.Event) -> None:
    app, lost = plan.app(), asyncio.Event()
    app.job_manager = _Books(app.job_manager, lost)
    try:
        async with app.open_async():
            await _until(asyncio.create_task(_run(app, plan)), stop, lost)
    except Exception as error:
        if not is_away(error):
            raise
        log.warning("lost the database", error=type(error).__name__)


async def _run(app: App, plan: Plan) -> None:
    await app.run_worker_async(
        concurrency=plan.threads,
        fetch_job_polling_interval=5,
        shutdown_graceful_timeout=FINISH_SECONDS,
        update_heartbeat_interval=plan.dead_seconds / 3,
        stalled_worker_timeout=plan.dead_seconds,
        delete_jobs="successful",
        install_signal_handlers=False,
    )


async def _until(shift: "asyncio.Task[None]", *ends: asyncio.Event) -> None:
    """Let a shift run until it ends by itself or one of `ends` is set."""
    waits = [asyncio.create_task(end.wait()) for end in ends]
    await asyncio.wait({shift, *waits}, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    shift.cancel()
    done, _ = await asyncio.wait({shift}, timeout=FINISH_SECONDS + 2 * CONNECT_SECONDS)
    if not done:
        log.error("jobs did not end in time; they are left to another worker")
        # Their threads cannot be ended but with the process.
        os._exit(1)
    with suppress(asyncio.CancelledError):
        shift.result()


def say_absences_once() -> None:
    """Have libraries keep to themselves that the database is away."""
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Pass over what libraries say about a database that is away: it is said once, and in one line, by us."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return not is_away(error) and "error connecting" not in record.msg


class _Books(JobManager):
    """Writes down how jobs ended. Where the database is away the shift is over: no job may stay with one that lives."""

    def __init__(self, manager: JobManager, lost: asyncio.Event) -> None:
        super().__init__(manager.connector)
        self._lost = lost

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        try:
            await super().finish_job(job, status, delete_job)
        except Exception as error:
            if is_away(error):
                self._lost.set()
            raise

    async def retry_job(self, job: Job, *at: Any, **more: Any) -> None:
        try:
            await super().retry_job(job, *at, **more)
        except Exception as error:
            if is_away(error):
                self._lost.set()
            raise
