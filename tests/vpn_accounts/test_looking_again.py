"""Tunnels that come up, or come back, after the look that was to end them: a worker looks at them again."""

from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane import jobs
from controlplane.db import transaction
from controlplane.reconcile import gateways, tunnels
from provisioners.contract import Rejected, Unreachable
from tests.vpn_accounts.lab import VpnLab
from tests.working import leave_to_a_dead_worker, make_due, resume, work

AWAY = Unreachable("no route to host")


def again(vpn: VpnLab) -> list[int]:
    """Return in how many seconds a worker looks at tunnels again."""
    waiting = text("""
        SELECT round(extract(epoch FROM scheduled_at - now()))::integer FROM procrastinate_jobs
        WHERE task_name = 'tunnels' AND status = 'todo' ORDER BY scheduled_at
    """)
    with vpn.sessions() as session:
        return list(session.scalars(waiting))


def forget_jobs(vpn: VpnLab) -> None:
    with transaction(vpn.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))


def suspended(vpn: VpnLab) -> UUID:
    """Have an account be suspended, and its gateway be looked at while it has no tunnel."""
    [one] = vpn.active(1)
    vpn.act(one, "stop")
    work(vpn, jobs.GATEWAY)
    assert vpn.states(one) == ["stopped"]
    return one


def test_a_tunnel_that_comes_up_after_the_look_is_ended_by_the_second_and_no_sweep(vpn: VpnLab) -> None:
    suspended(vpn)
    vpn.let_in("wang1")
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == ["wang1"]
    soon, later = again(vpn)
    assert 0 < soon <= 5 and 55 < later <= 65
    make_due(vpn)
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == []
    assert vpn.jobs().count(jobs.TUNNELS) == 0


def test_a_client_that_comes_back_with_its_cookie_is_put_out_when_the_cookie_is_worth_nothing(vpn: VpnLab) -> None:
    suspended(vpn)
    tunnels.look_again(vpn.sessions, vpn.drivers, vpn.pool.id)
    vpn.let_in("wang1")
    make_due(vpn)
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == []


def test_a_tunnel_that_an_old_password_let_in_just_before_a_new_one_was_handed_out_is_ended(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    vpn.tried("wang1")
    vpn.issue(ids=[one])
    vpn.carried("wang1")
    tunnels.look_again(vpn.sessions, vpn.drivers, vpn.pool.id)
    assert vpn.up() == []
    vpn.let_in("wang1")
    tunnels.look_again(vpn.sessions, vpn.drivers, vpn.pool.id)
    assert vpn.up() == ["wang1"]


def test_looking_again_is_one_question_where_nothing_is_to_be_ended(vpn: VpnLab) -> None:
    vpn.active(1)
    vpn.let_in("wang1")
    vpn.gateway.calls.clear()
    assert tunnels.look_again(vpn.sessions, vpn.drivers, vpn.pool.id) == 0
    assert vpn.gateway.calls == ["tunnels"]
    assert vpn.up() == ["wang1"]


def test_however_often_a_gateway_is_looked_at_two_jobs_wait_to_look_again_and_count_from_the_last(vpn: VpnLab) -> None:
    vpn.look()
    with transaction(vpn.sessions) as session:
        session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 second'"))
    vpn.look()
    soon, later = again(vpn)
    assert 3 < soon <= 5 and 60 < later <= 65


@pytest.mark.parametrize(
    "error", [AWAY, Rejected("gateway.failed", "its list cannot be read")], ids=["away", "refuses"]
)
def test_a_gateway_that_does_not_say_what_is_up_is_looked_at_as_a_whole(vpn: VpnLab, error: Exception) -> None:
    suspended(vpn)
    forget_jobs(vpn)
    vpn.let_in("wang1")
    vpn.gateway.fail_next("tunnels", error)
    assert tunnels.look_again(vpn.sessions, vpn.drivers, vpn.pool.id) == 0
    assert vpn.jobs() == [jobs.GATEWAY]
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == []


def test_a_look_whose_groups_are_refused_is_followed_by_another_at_the_tunnels_all_the_same(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    forget_jobs(vpn)
    vpn.act(one, "stop")
    vpn.gateway.set_groups([])
    vpn.gateway.fail_next("set_groups", Rejected("gateway.failed", "no space left on device"))
    with pytest.raises(Rejected):
        gateways.attend(vpn.sessions, vpn.drivers, vpn.pool.id)
    assert len(again(vpn)) == 2


def test_a_second_look_whose_worker_died_is_done_by_another(vpn: VpnLab) -> None:
    suspended(vpn)
    vpn.let_in("wang1")
    make_due(vpn)
    leave_to_a_dead_worker(vpn, heard_of="10 minutes")
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == ["wang1"]
    resume(vpn)
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == []
    assert vpn.jobs().count(jobs.TUNNELS) == 0


def test_of_a_gateway_that_is_gone_nothing_is_asked(vpn: VpnLab) -> None:
    assert tunnels.look_again(vpn.sessions, vpn.drivers, UUID(int=7)) == 0
