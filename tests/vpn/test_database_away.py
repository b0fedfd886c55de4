"""RADIUS while its database is away, and afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Row

from controlplane.models import Resource
from tests.cli.processes import until
from tests.relay import Relay
from tests.templates import Template
from tests.vpn.accounts import PASSWORD, Account
from tests.vpn.gateways import Gateway
from tests.vpn.radius_server import Radius, login, radius

Given = Callable[[Account], Resource]
Rows = Callable[[str], list[Row[Any]]]

NAME = "wang.fang"
ACCOUNT = Account(NAME, max_sessions=5).with_password()
SOON = 10
"""Seconds: what a gateway waits before it gives a login up."""


@pytest.fixture
def relay(freeradius: None, start_gateways: Template[None], url: str) -> Iterator[Relay]:
    """The way from RADIUS to the test's database."""
    login(url)
    with Relay(url) as way:
        yield way


@pytest.fixture
def distant(relay: Relay, tmp_path: Path) -> Iterator[Radius]:
    with radius(relay.url, tmp_path / "radius") as running:
        yield running


def hurried(server: Radius) -> Gateway:
    """Return the first gateway, which does not wait long for an answer."""
    return replace(server.gateway(), patience=0.7)


def test_nobody_is_refused_for_it_and_all_goes_on_soon_after(
    distant: Radius, relay: Relay, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    gateway = hurried(distant)
    assert gateway.login(NAME, PASSWORD).accepted
    relay.close()
    for password in (PASSWORD, "wrong"):
        assert gateway.login(NAME, password).code == ""
    relay.open()
    back = monotonic()
    until(lambda: gateway.login(NAME, PASSWORD).accepted, "somebody comes in", SOON)
    assert monotonic() - back < SOON
    assert {tuple(row) for row in rows("SELECT accepted, reason FROM vpn_logins")} == {(True, None)}


def test_what_was_acknowledged_is_kept_and_the_rest_is_told_again(
    distant: Radius, relay: Relay, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    gateway = hurried(distant)
    told: set[str] = set()

    def tell(*ids: str) -> None:
        told.update(id for id in ids if gateway.account("Start", id, NAME))

    tell("one", "two")
    relay.close()
    tell("three", "four")
    assert told == {"one", "two"}
    assert gateway.restarted() is False
    relay.open()
    until(lambda: tell("three", "four") or told >= {"three", "four"}, "all is told", SOON)
    assert {row[0] for row in rows("SELECT session_id FROM vpn_sessions WHERE stopped IS NULL")} == told


def test_a_server_that_was_started_without_it_serves_once_it_is_there(
    relay: Relay, given: Given, tmp_path: Path
) -> None:
    given(ACCOUNT)
    relay.close()
    with radius(relay.url, tmp_path / "radius") as server:
        gateway = hurried(server)
        assert gateway.login(NAME, PASSWORD).code == ""
        relay.open()
        until(lambda: gateway.login(NAME, PASSWORD).accepted, "somebody comes in", SOON)
