"""A real RADIUS server beside the database of a test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, text

from controlplane.db import Sessions, transaction
from controlplane.models import Resource
from tests.accounts import KEYS
from tests.templates import Template
from tests.vpn.accounts import Account, gateways, make
from tests.vpn.gateways import Gateway
from tests.vpn.radius_server import FREERADIUS, Radius, login, radius


@pytest.fixture(scope="session")
def start_gateways(template: Template[None]) -> Iterator[Template[None]]:
    """A small centre with two gateways."""
    with template.furnished(gateways) as made:
        yield made


@pytest.fixture
def freeradius() -> None:
    if not FREERADIUS:
        pytest.skip("NO RADIUS TESTS: there is no FreeRADIUS; deploy/system_packages.sh installs it")


@pytest.fixture
def running(freeradius: None, start_gateways: Template[None], url: str, tmp_path: Path) -> Iterator[Radius]:
    """A RADIUS server on the test's database."""
    login(url)
    with radius(url, tmp_path / "radius", KEYS.radius.file()) as server:
        yield server


@pytest.fixture
def gateway(running: Radius) -> Gateway:
    """The first gateway, and a RADIUS server that it asks."""
    return running.gateway()


@pytest.fixture
def given(sessions: Sessions) -> Callable[[Account], Resource]:
    """Make an account and commit it."""

    def made(account: Account) -> Resource:
        with transaction(sessions) as session:
            return make(session, account)

    return made


@pytest.fixture
def rows(sessions: Sessions) -> Callable[[str], list[Row[Any]]]:
    """Ask the database, or tell it something, as the centre sees it."""

    def found(statement: str) -> list[Row[Any]]:
        with transaction(sessions) as session:
            result = session.execute(text(statement))
            return list(result) if result.returns_rows else []

    return found
