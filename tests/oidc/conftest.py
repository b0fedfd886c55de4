"""Identity providers: a real one that serves all tests of a process, and one that can be told to lie."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from controlplane.bootstrap import Installation
from tests.callers import Known
from tests.oidc.double import Double
from tests.oidc.office import BACK, Office
from tests.oidc.real import RealProvider, running
from tests.templates import Template

Opens = Callable[..., Office]


@pytest.fixture(scope="session")
def started() -> Iterator[RealProvider]:
    """A real provider, started once a process: it takes a second."""
    with running() as provider:
        yield provider


@pytest.fixture
def real(started: RealProvider) -> RealProvider:
    """That provider, knowing nobody yet."""
    started.people = {}
    started.says(people={}, redirects=[BACK], signOutTo=["http://localhost/sign-in"], inUserinfo=False)
    return started


@pytest.fixture
def double() -> Iterator[Double]:
    """A provider that can be told to lie, where a real one never would."""
    with Double() as provider:
        yield provider


@pytest.fixture
def office(installation: Installation, start_callers: Template[Known]) -> Iterator[Opens]:
    """Opens Steppe with the provider of an issuer and further settings."""
    with ExitStack() as stack:

        def opened(issuer: str, **more: Any) -> Office:
            made = Office(installation, issuer, start_callers.made, **more)
            stack.callback(made.http.close)
            return made

        yield opened
