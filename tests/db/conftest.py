"""One database for all tests that commit nothing: making one costs more than most of those tests do."""

from collections.abc import Iterator

import pytest

from controlplane.db import Sessions, make_engine, make_sessions
from tests.templates import Template


@pytest.fixture(scope="session")
def shared_url(template: Template[None]) -> Iterator[str]:
    """URL of a migrated, empty database in which nobody may commit."""
    with template.copy() as url:
        yield url


@pytest.fixture(scope="session")
def shared(shared_url: str) -> Iterator[Sessions]:
    """Sessions on the shared database, as the application role; leave each by rolling it back."""
    engine = make_engine(shared_url)
    yield make_sessions(engine)
    engine.dispose()
