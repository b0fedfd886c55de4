"""What a worker's log says, and does not say, of a database that is away."""

import asyncio
import gc
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout

from controlplane.shifts import say_absences_once


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    logger = logging.getLogger("asyncio")
    before = logger.filters[:]
    say_absences_once()
    yield
    logger.filters[:] = before


async def nobody_asks_how_it_ended(error: Exception) -> None:
    async def job() -> None:
        raise error

    task = asyncio.create_task(job())
    await asyncio.wait({task})
    del task
    gc.collect()


def run(error: Exception) -> None:
    """Run it in a thread of its own: in this one the browser of other tests may have a loop that runs."""
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, nobody_asks_how_it_ended(error)).result()


def away() -> Exception:
    error = ConnectorException()
    error.__cause__ = PoolTimeout("couldn't get a connection")
    return error


def test_a_job_that_ends_while_the_database_is_away_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    run(away())
    assert not caplog.records


def test_a_job_that_ends_by_any_other_error_leaves_one(caplog: pytest.LogCaptureFixture) -> None:
    run(ValueError("a bug"))
    assert "a bug" in caplog.text
