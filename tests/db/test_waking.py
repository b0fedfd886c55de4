"""When workers are told that there is something to look at."""

from collections.abc import Iterator

import psycopg
import pytest

from controlplane import jobs
from controlplane.db import Sessions, new_id
from controlplane.services import requests
from tests.factories import given, vm
from tests.people import ADMIN

Listening = psycopg.Connection[tuple[object, ...]]

ANY = "procrastinate_any_queue_v1"


@pytest.fixture
def listening(url: str) -> Iterator[Listening]:
    """Somebody who listens as workers do, to what is said to all; and to what nobody says any more, of each queue."""
    with psycopg.connect(url, autocommit=True) as connection:
        for queue in (jobs.RECONCILE, jobs.GATEWAY, jobs.SWEEP):
            connection.execute(f'LISTEN "procrastinate_queue_v1#{queue}"')
        connection.execute(f"LISTEN {ANY}")
        yield connection


def woken(listening: Listening) -> list[str]:
    """Return on which channels workers were woken until now; the server hands that over before it answers."""
    listening.execute("SELECT 1")
    return [said.channel for said in listening.notifies(timeout=0)]


def test_an_ask_wakes_the_workers_once_and_not_by_the_trigger(sessions: Sessions, listening: Listening) -> None:
    given(sessions)
    with sessions() as session:
        requests.submit(session, ADMIN, requests.Ask("vm", "environment", [vm("web-01"), vm("web-02")]))
        session.commit()
    assert woken(listening) == [ANY]


def test_workers_are_woken_for_pools_once_and_not_by_the_trigger(sessions: Sessions, listening: Listening) -> None:
    with sessions() as session:
        jobs.enqueue_pools(session, [new_id(), new_id()])
        session.commit()
    assert woken(listening) == [ANY]


def test_whoever_says_nothing_of_it_wakes_the_workers_by_the_trigger(sessions: Sessions, listening: Listening) -> None:
    with sessions() as session:
        jobs.enqueue_check(session)
        session.commit()
    assert woken(listening) == [ANY]


def test_one_wake_up_behind_the_commit_serves_for_all_that_it_defers(sessions: Sessions, listening: Listening) -> None:
    with sessions() as session:
        jobs.enqueue(session, [new_id()])
        jobs.enqueue_check(session)
        session.commit()
    assert woken(listening) == [ANY]
