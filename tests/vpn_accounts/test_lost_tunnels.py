"""Tunnels that nobody tells of any more: when their record is closed, and when their gateway is left to say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controlplane import lost_tunnels
from controlplane.db import transaction
from controlplane.models import VpnSession
from controlplane.reconcile import recording
from controlplane.reconcile.recording import Checked
from controlplane.worker import make_app
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import row


@pytest.fixture
def told(vpn: VpnLab) -> Iterator[VpnLab]:
    """A gateway that nobody has looked at, and three tunnels that RADIUS was told of."""
    vpn.ask(row(1))
    for unique, ago in (("fresh", 0), ("quiet", 170), ("lost", 190)):
        vpn.started(unique, "wang1", "10.96.0.5", ago)
    yield vpn


def closed(vpn: VpnLab) -> dict[str, VpnSession]:
    with vpn.sessions() as session:
        found = session.scalars(select(VpnSession).where(VpnSession.stopped.is_not(None)))
        return {one.unique_id: one for one in found}


def close(vpn: VpnLab, later: timedelta = timedelta()) -> int:
    with transaction(vpn.sessions) as session:
        return lost_tunnels.close(session, datetime.now(UTC) + later)


def looked(vpn: VpnLab, **more: Any) -> None:
    with transaction(vpn.sessions) as session:
        recording.checked(session, [Checked(vpn.pool.id, **more)])


def test_a_tunnel_that_is_not_told_of_for_three_minutes_ended_when_it_last_was(told: VpnLab) -> None:
    assert close(told) == 1
    [lost] = closed(told).values()
    assert (lost.unique_id, lost.cause, lost.stopped) == ("lost", "Lost-Carrier", lost.updated)


def test_closing_again_changes_nothing(told: VpnLab) -> None:
    close(told)
    before = closed(told)["lost"].stopped
    assert close(told) == 0
    assert closed(told)["lost"].stopped == before


def test_three_minutes_later_none_is_left_open(told: VpnLab) -> None:
    assert close(told, timedelta(minutes=3, seconds=1)) == 3


def test_a_gateway_that_answered_since_has_said_itself_what_is_up(told: VpnLab) -> None:
    looked(told)
    assert close(told) == 0


def test_a_gateway_that_answered_long_ago_has_said_nothing_of_now(told: VpnLab) -> None:
    looked(told)
    assert close(told, timedelta(minutes=11)) == 3


def test_a_gateway_that_did_not_answer_has_said_nothing(told: VpnLab) -> None:
    looked(told, trouble="no answer")
    assert close(told) == 1


def test_a_worker_does_it_by_the_clock(told: VpnLab) -> None:
    app = make_app(told.installation, told.drivers)
    now = int(datetime.now(UTC).timestamp())
    assert app.tasks["close_lost_tunnels"].func(timestamp=now) == 1
    assert app.tasks["close_lost_tunnels"].func(timestamp=now) == 0
