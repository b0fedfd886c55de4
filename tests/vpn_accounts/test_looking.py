"""Looks at a gateway: accounts that become as they are wanted, tunnels that end, groups that follow."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from controlplane import jobs
from controlplane.db import transaction
from controlplane.kinds.vpn_account import VpnAccountSize
from controlplane.models import PoolCheck, VpnGroup, VpnSession
from controlplane.reconcile import gateways
from controlplane.reconcile.resource import reconcile
from controlplane.services import vpn_groups
from provisioners.contract import Rejected, TunnelGroup, Unreachable
from tests.people import ADMIN
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import make_gateway, make_group, row
from tests.working import work


def test_accounts_are_active_once_their_gateway_has_their_group(vpn: VpnLab) -> None:
    made = vpn.ask(row(1), row(2))
    looked = vpn.look()
    assert (looked.settled, looked.grouped) == (2, True)
    assert vpn.states(*made) == ["running", "running"]
    assert {group.name for group in vpn.gateway.groups()} == {"environment", "finance"}
    assert vpn.said("vpn_account.running") == 2


def test_a_second_look_finds_nothing_to_do(vpn: VpnLab) -> None:
    vpn.active(1)
    vpn.gateway.calls.clear()
    looked = vpn.look()
    assert (looked.settled, looked.grouped, looked.ended) == (0, False, 0)
    assert set(vpn.gateway.calls) == {"tunnels", "groups"}


def test_without_a_password_nobody_comes_in_and_with_one_everybody_does(vpn: VpnLab) -> None:
    vpn.ask(row(1))
    assert vpn.obstacle("wang1") == "no_password"
    vpn.issue()
    assert vpn.obstacle("wang1") is None


def test_who_is_suspended_is_out_of_radius_at_once_and_done_when_the_tunnel_is_gone(vpn: VpnLab) -> None:
    [one, other] = vpn.active(1, 2)
    vpn.let_in("wang1"), vpn.let_in("wang2", "2")
    vpn.act(one, "stop")
    assert vpn.obstacle("wang1") == "suspended"
    assert vpn.states(one) == ["changing"]
    assert vpn.look().ended == 1
    assert vpn.up() == ["wang2"]
    assert vpn.states(one, other) == ["stopped", "running"]
    vpn.act(one, "start")
    assert vpn.obstacle("wang1") is None
    vpn.look()
    assert vpn.states(one) == ["running"]


def test_a_suspension_is_not_done_while_the_tunnel_cannot_be_ended(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    vpn.let_in("wang1")
    vpn.act(one, "stop")
    vpn.gateway.fail_next("disconnect", Unreachable("occtl does not answer"))
    with pytest.raises(Unreachable):
        vpn.look()
    assert vpn.states(one) == ["changing"]
    assert vpn.obstacle("wang1") == "suspended"
    vpn.look()
    assert vpn.states(one) == ["stopped"] and vpn.up() == []


def test_groups_that_cannot_be_set_keep_nobody_in(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    vpn.let_in("wang1")
    vpn.act(one, "stop")
    vpn.gateway.set_groups([])
    vpn.gateway.fail_next("set_groups", Rejected("gateway.failed", "no space left on device"))
    with pytest.raises(Rejected):
        vpn.look()
    assert vpn.up() == [] and vpn.states(one) == ["stopped"]


def test_a_revoked_account_is_forgotten_with_its_person_once_it_is_gone(vpn: VpnLab) -> None:
    [one, _] = vpn.active(1, 2)
    vpn.let_in("wang1")
    vpn.act(one, "delete")
    assert vpn.obstacle("wang1") == "revoked" and vpn.used() == 2
    vpn.look()
    assert vpn.up() == []
    assert vpn.known() == {"wang2"}
    assert vpn.record(one).state == "deleted" and vpn.record(one).deleted_at is not None
    assert vpn.used() == 1 and vpn.discrepancies() == []
    [again] = vpn.ask(row(1))
    assert vpn.record(again).name == "wang1"


def test_a_tunnel_of_nobody_of_ours_is_ended(vpn: VpnLab) -> None:
    vpn.active(1)
    vpn.let_in("intruder")
    vpn.look()
    assert vpn.up() == []


def test_a_tunnel_outlives_neither_its_lease_nor_its_password_nor_its_group(vpn: VpnLab) -> None:
    [leased, _, _] = vpn.active(1, 2, 3)
    for number in (1, 2, 3):
        vpn.let_in(f"wang{number}", str(number))
    with transaction(vpn.sessions) as session:
        ended = text("UPDATE resources SET lease_until = now() - interval '1 s' WHERE id = :id")
        session.execute(ended, {"id": leased})
    assert vpn.obstacle("wang1") == "expired"
    vpn.look()
    assert vpn.up() == ["wang2", "wang3"]
    vpn.let_in("wang2", "2", since=datetime.now(UTC).timestamp() - 600)
    vpn.let_in("wang3", "3", group="finance")
    vpn.look()
    assert vpn.up() == []


def test_of_too_many_tunnels_of_one_account_the_newest_end(vpn: VpnLab) -> None:
    [one] = vpn.active(1, max_sessions=3)
    for number in (1, 2, 3):
        vpn.let_in("wang1", str(number), since=4e9 + number)
    vpn.look()
    assert len(vpn.up()) == 3
    vpn.act(one, "resize", VpnAccountSize(max_sessions=1))
    vpn.look()
    assert [tunnel.session for tunnel in vpn.gateway.tunnels()] == ["1"]


def test_a_new_password_ends_what_the_old_one_let_in(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    vpn.let_in("wang1", "a")
    vpn.started("a", "wang1", "10.96.0.5", ago=60)
    vpn.look()
    assert vpn.up() == ["wang1"]
    before = len(vpn.jobs())
    vpn.issue(ids=[one])
    assert vpn.jobs()[before:] == ["gateway"]
    vpn.look()
    assert vpn.up() == []


def test_a_look_at_one_account_has_its_gateway_looked_at_once(vpn: VpnLab) -> None:
    made = vpn.ask(row(1), row(2))
    before = len(vpn.jobs())
    for account in made:
        assert reconcile(vpn.sessions, vpn.drivers, account) == "underway"
    # What was put there by the ask waits still, and serves.
    assert vpn.jobs()[before:] == []
    vpn.look()
    assert vpn.states(*made) == ["running", "running"]


def test_what_is_wanted_otherwise_while_a_look_is_under_way_is_left_to_the_next(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    vpn.act(one, "stop")
    seen = vpn.record(one)
    vpn.act(one, "start")
    pending = [gateways._Pending(one, seen.generation, True)]
    assert gateways._settle(vpn.sessions, ADMIN, pending) == 0
    assert vpn.states(one) == ["changing"]
    vpn.look()
    assert vpn.states(one) == ["running"]


def test_an_account_can_be_suspended_though_its_gateway_never_answered(vpn: VpnLab) -> None:
    [one] = vpn.ask(row(1))
    vpn.issue()
    vpn.act(one, "stop")
    assert vpn.obstacle("wang1") == "suspended"


def test_why_a_gateway_is_waited_for_stands_on_its_accounts_and_on_it(vpn: VpnLab) -> None:
    [one] = vpn.ask(row(1))
    vpn.gateway.fail_next("tunnels", Unreachable("no route to host"))
    with pytest.raises(Unreachable):
        vpn.look()
    gateways.put_off(vpn.sessions, vpn.pool.id, "no route to host", datetime.now(UTC) + timedelta(seconds=4))
    assert vpn.record(one).waiting_reason == "no route to host"
    with vpn.sessions() as session:
        assert session.get_one(PoolCheck, vpn.pool.id).trouble == "no route to host"
    vpn.look()
    assert vpn.record(one).waiting_reason is None
    with vpn.sessions() as session:
        assert session.get_one(PoolCheck, vpn.pool.id).trouble is None


def test_a_gateway_that_is_away_holds_up_no_other(vpn: VpnLab) -> None:
    with transaction(vpn.sessions) as session:
        make_gateway(session, "vpn-2")
        make_group(session, gateway="vpn-2")
    here = vpn.ask(row(1, gateway="vpn-1"))
    there = vpn.ask(row(2, gateway="vpn-2"))
    vpn.gateway.fail_next("tunnels", Unreachable("away"))
    with pytest.raises(Unreachable):
        vpn.look()
    gateways.check(vpn.sessions, vpn.drivers, vpn.record(there[0]).pool_id)
    assert vpn.states(*here, *there) == ["building", "running"]


def test_a_group_that_changes_is_changed_at_the_gateway(vpn: VpnLab) -> None:
    vpn.look()
    with transaction(vpn.sessions) as session:
        group = session.scalars(select(VpnGroup).where(VpnGroup.name == "finance")).one()
        vpn_groups.update(session, ADMIN, group.id, {"networks": ["10.9.0.0/16"], "down_kbit": 2000})
    assert vpn.look().grouped
    [found] = [group for group in vpn.gateway.groups() if group.name == "finance"]
    assert (found.networks, found.down_kbit) == (("10.9.0.0/16",), 2000)


def test_groups_that_somebody_changed_at_the_gateway_are_set_again_and_the_trail_says_so(vpn: VpnLab) -> None:
    vpn.look()
    vpn.gateway.set_groups([])
    assert vpn.look().grouped
    assert vpn.said("pool.configure") == 2


def test_groups_that_are_otherwise_though_they_were_set_are_an_error(vpn: VpnLab) -> None:
    forgetful = vpn.gateway
    forgetful.set_groups = lambda groups: None  # type: ignore[method-assign]
    with pytest.raises(Rejected, match="environment, finance"):
        vpn.look()


def test_the_record_of_a_tunnel_that_the_gateway_does_not_name_is_closed(vpn: VpnLab) -> None:
    vpn.active(1, 2)
    vpn.let_in("wang1", "a")
    vpn.started("a", "wang1", "10.96.0.5", ago=60)
    vpn.started("b", "wang2", "10.96.0.6", ago=60)
    vpn.started("c", "wang2", "10.96.0.7", ago=0)
    vpn.look()
    with vpn.sessions() as session:
        closed = {s.unique_id: s.cause for s in session.scalars(select(VpnSession)) if s.stopped}
    assert closed == {"b": "Lost-Carrier"}


def test_just_the_tunnel_that_was_ordered_to_end_ends_though_nobody_told_its_address_yet(vpn: VpnLab) -> None:
    vpn.active(1, max_sessions=2)
    for unique in ("a", "b"):
        vpn.let_in("wang1", unique)
        vpn.started(unique, "wang1", None, ago=6)
    vpn.disconnect("b")
    assert vpn.look().ended == 1
    assert [tunnel.session for tunnel in vpn.gateway.tunnels()] == ["a"]


def test_of_tunnels_that_came_up_in_one_minute_the_one_that_radius_was_told_of_last_is_the_newest(vpn: VpnLab) -> None:
    [one] = vpn.active(1, max_sessions=2)
    for unique, ago in (("newer", 6), ("older", 9)):
        vpn.let_in("wang1", unique)
        vpn.started(unique, "wang1", None, ago)
    vpn.act(one, "resize", VpnAccountSize(max_sessions=1))
    vpn.look()
    assert [tunnel.session for tunnel in vpn.gateway.tunnels()] == ["older"]


def stopped_meanwhile(vpn: VpnLab, account: UUID, *errors: Exception) -> None:
    """Have an account be suspended while the gateway is asked for its groups, once; looks from then on fail."""
    gateway, groups = vpn.gateway, vpn.gateway.groups

    def first() -> frozenset[TunnelGroup]:
        gateway.groups = groups  # type: ignore[method-assign]
        vpn.act(account, "stop")
        reconcile(vpn.sessions, vpn.drivers, account)
        for error in errors:
            gateway.fail_next("tunnels", error)
        return groups()

    gateway.groups = first  # type: ignore[method-assign]


@pytest.fixture
def two(vpn: VpnLab) -> list[UUID]:
    """Two accounts that are in, and no job; the first is to be suspended."""
    made = vpn.active(1, 2)
    work(vpn, jobs.RECONCILE), work(vpn, jobs.GATEWAY)
    vpn.let_in("wang1"), vpn.let_in("wang2", "2")
    vpn.act(made[0], "stop")
    return made


def test_what_is_ordered_while_a_look_is_under_way_is_done_by_the_same_job(vpn: VpnLab, two: list[UUID]) -> None:
    stopped_meanwhile(vpn, two[1])
    gateways.attend(vpn.sessions, vpn.drivers, vpn.pool.id)
    assert vpn.up() == []
    assert vpn.states(*two) == ["stopped", "stopped"]
    assert "gateway" not in vpn.jobs()


@pytest.mark.parametrize(
    "error", [Rejected("gateway.failed", "not now"), Unreachable("no route to host"), RuntimeError("a bug")], ids=repr
)
def test_who_asked_while_a_look_was_under_way_is_served_though_the_look_for_them_fails(
    vpn: VpnLab, two: list[UUID], error: Exception
) -> None:
    stopped_meanwhile(vpn, two[1], error)
    with pytest.raises(type(error)):
        gateways.attend(vpn.sessions, vpn.drivers, vpn.pool.id)
    assert vpn.states(*two) == ["stopped", "changing"]
    work(vpn, jobs.GATEWAY)
    assert vpn.up() == []
    assert vpn.states(*two) == ["stopped", "stopped"]


def test_whose_look_is_refused_twice_is_told_why_and_no_job_goes_round_in_circles(vpn: VpnLab, two: list[UUID]) -> None:
    refused = Rejected("gateway.failed", "no space left on device")
    stopped_meanwhile(vpn, two[1], refused, refused)
    work(vpn, jobs.RECONCILE), work(vpn, jobs.GATEWAY)
    assert vpn.jobs().count("gateway") == 1
    work(vpn, jobs.GATEWAY)
    assert vpn.states(*two) == ["stopped", "changing"]
    assert vpn.record(two[1]).waiting_reason == str(refused)
    assert "gateway" not in vpn.jobs()
