"""A worker on somebody else's PostgreSQL waits while that is away, and goes on in the same process when it is back."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from controlplane.db import Sessions, transaction
from controlplane.models import Resource
from tests.cli.processes import ROOT, STEPPE, environment, until
from tests.factories import ask, given, vm
from tests.relay import Relay


class Worker:
    """A `steppe worker` whose way to the database leads through a gate."""

    def __init__(self, folder: Path, relay: Relay) -> None:
        self.log = folder / "worker.log"
        env = environment(folder, STEPPE_DATABASE_URL=relay.url, STEPPE_WORKER_DEAD_SECONDS="3")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                (*STEPPE, "worker"), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def said(self, what: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return what in self.log.read_text()


@pytest.fixture
def relay(url: str) -> Iterator[Relay]:
    with Relay(url) as made:
        yield made


@pytest.fixture
def worker(tmp_path: Path, relay: Relay) -> Iterator[Worker]:
    made = Worker(tmp_path, relay)
    yield made
    made.process.terminate()
    try:
        assert made.process.wait(30) == 0
    finally:
        made.process.kill()


def wanted(sessions: Sessions, name: str) -> UUID:
    with transaction(sessions) as session:
        return ask(session, vm(name))[0].id


def runs(sessions: Sessions, resource: UUID) -> bool:
    with transaction(sessions) as session:
        return session.get_one(Resource, resource).state == "running"


def test_a_worker_rides_over_an_absence_of_its_database(sessions: Sessions, relay: Relay, worker: Worker) -> None:
    given(sessions)
    first = wanted(sessions, "before")
    until(lambda: runs(sessions, first), "the first VM to run")
    relay.close()
    until(lambda: worker.said("waiting for the database"), "the worker to wait")
    second = wanted(sessions, "meanwhile")
    relay.open()
    until(lambda: runs(sessions, second), "the second VM to run")
    assert worker.said("the database answers again")
    assert not worker.said("Traceback"), worker.log.read_text()
    third = wanted(sessions, "after")
    until(lambda: runs(sessions, third), "the third VM to run")


def test_a_worker_that_is_started_before_its_database_waits_for_it(
    sessions: Sessions, relay: Relay, tmp_path: Path
) -> None:
    relay.close()
    early = Worker(tmp_path, relay)
    try:
        until(lambda: early.said("waiting for the database"), "the worker to wait")
        given(sessions)
        made = wanted(sessions, "web-01")
        relay.open()
        until(lambda: runs(sessions, made), "the VM to run")
    finally:
        early.process.terminate()
        early.process.wait(30)


def test_a_worker_that_waits_for_its_database_stops_when_it_is_told_to(relay: Relay, tmp_path: Path) -> None:
    relay.close()
    early = Worker(tmp_path, relay)
    until(lambda: early.said("waiting for the database"), "the worker to wait")
    early.process.terminate()
    assert early.process.wait(15) == 0
