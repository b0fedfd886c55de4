"""Logins and tunnels of long ago: forgotten when they need not be kept any longer."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from controlplane import vpn_logs
from controlplane.db import transaction
from controlplane.models import VpnLogin, VpnSession
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import row

DAY = 86_400


@pytest.fixture
def told(vpn: VpnLab) -> VpnLab:
    """A login of now, and tunnels of 399 and 401 days ago of which one never ended."""
    vpn.ask(row(1))
    for unique, ago in (("open", 401 * DAY), ("old", 401 * DAY), ("young", 399 * DAY)):
        vpn.started(unique, "wang1", "10.96.0.5", ago)
    with transaction(vpn.sessions) as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("UPDATE vpn_sessions SET stopped = started WHERE unique_id <> 'open'"))
        session.execute(text("SELECT radius_logged('wang1', 'vpn-1', '203.0.113.7', false, 'wrong_password')"))
    return vpn


def forgotten(vpn: VpnLab, days: int, later: timedelta = timedelta()) -> int:
    with transaction(vpn.sessions) as session:
        return vpn_logs.forget_old(session, datetime.now(UTC) + later, days)


def kept(vpn: VpnLab) -> set[str]:
    with vpn.sessions() as session:
        return set(session.scalars(select(VpnSession.unique_id)))


def test_what_ended_longer_ago_is_forgotten_and_what_is_up_is_not(told: VpnLab) -> None:
    assert forgotten(told, 400) == 1
    assert kept(told) == {"open", "young"}


def test_logins_are_forgotten_too(told: VpnLab) -> None:
    assert forgotten(told, 400, timedelta(days=401)) == 3
    with told.sessions() as session:
        assert session.scalars(select(VpnLogin.id)).all() == []


def test_no_days_are_for_good(told: VpnLab) -> None:
    assert forgotten(told, 0) == 0


def test_a_pass_takes_no_more_than_it_may_and_the_next_goes_on(told: VpnLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vpn_logs, "AT_ONCE", 1)
    assert [forgotten(told, 300), forgotten(told, 300), forgotten(told, 300)] == [1, 1, 0]
