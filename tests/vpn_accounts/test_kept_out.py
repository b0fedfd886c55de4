"""Who is kept out by a tunnel of his own that died: his gateway is asked, and the next try lets him in."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from controlplane import jobs
from controlplane.db import transaction
from controlplane.worker import make_app
from tests.vpn_accounts.lab import VpnLab
from tests.working import work

TOO_MANY = "too_many_sessions"


def round_of_the_clock(vpn: VpnLab, later: timedelta = timedelta()) -> int:
    """Have the clock come round, and workers do what comes of it; return how many gateways were to be asked."""
    tick = make_app(vpn.installation, vpn.drivers).tasks["doubt_tunnels"].func
    asked = int(tick(timestamp=int((datetime.now(UTC) + later).timestamp())))
    work(vpn, jobs.GATEWAY)
    return asked


def put_back(vpn: VpnLab, seconds: int) -> None:
    """Let the tunnels have been told of so much earlier."""
    with transaction(vpn.sessions) as session:
        earlier = text("UPDATE vpn_sessions SET updated = updated - make_interval(secs => :seconds)")
        session.execute(earlier, {"seconds": seconds})


@pytest.fixture
def one(vpn: VpnLab) -> VpnLab:
    """An account of which RADIUS was told a tunnel some seconds ago, and no job."""
    vpn.active(1)
    with transaction(vpn.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    vpn.started("a", "wang1", "10.96.0.5", ago=20)
    vpn.gateway.calls.clear()
    return vpn


def test_who_is_kept_out_by_a_tunnel_that_died_comes_in_after_one_round_of_the_clock(one: VpnLab) -> None:
    assert one.counted("wang1") == 1
    one.tried("wang1", TOO_MANY)
    assert round_of_the_clock(one) == 1
    assert one.counted("wang1") == 0
    assert one.gateway.calls == ["tunnels"]


def test_whose_tunnel_is_up_is_kept_out_still(one: VpnLab) -> None:
    one.let_in("wang1", "a")
    one.tried("wang1", TOO_MANY)
    assert round_of_the_clock(one) == 1
    assert (one.up(), one.counted("wang1")) == (["wang1"], 1)


def test_a_tunnel_that_was_told_of_just_before_is_found_dead_by_a_later_round(one: VpnLab) -> None:
    put_back(one, -19)
    one.tried("wang1", TOO_MANY)
    round_of_the_clock(one)
    assert one.counted("wang1") == 1
    put_back(one, 10)
    assert round_of_the_clock(one, timedelta(seconds=10)) == 1
    assert one.counted("wang1") == 0


def test_a_refusal_of_a_while_ago_or_for_another_reason_asks_no_gateway(one: VpnLab) -> None:
    one.tried("wang1", "wrong_password")
    one.tried("wang1")
    assert round_of_the_clock(one) == 0
    one.tried("wang1", TOO_MANY)
    assert round_of_the_clock(one, timedelta(seconds=17)) == 0
    assert one.gateway.calls == []
