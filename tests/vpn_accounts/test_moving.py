"""Moving accounts to another gateway or another group: where they come in, what seats they take, what ends."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from controlplane.db import transaction
from controlplane.errors import Invalid, NothingFits, OverQuota, RowsRefused
from controlplane.models import Pool, VpnGroup
from controlplane.reconcile import gateways
from controlplane.services.vpn_moves import Target, move
from controlplane.services.vpn_orders import Which
from quotas import metering
from tests.people import ADMIN
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import GATEWAY, make_gateway, make_group

OTHER = "vpn-2"


def other_gateway(vpn: VpnLab, **more: Any) -> UUID:
    """Make a second gateway at which the department has a group."""
    with transaction(vpn.sessions) as session:
        make_gateway(session, OTHER, **more)
        make_group(session, gateway=OTHER)
        return session.scalars(select(Pool.id).where(Pool.code == OTHER)).one()


def group_of_a_system(vpn: VpnLab, gateway: str = GATEWAY) -> UUID | None:
    """Give the department a group for its system `monitoring` alone."""
    with transaction(vpn.sessions) as session:
        make_group(session, gateway=gateway, system="monitoring", prefix=28)
        return session.scalars(select(VpnGroup.system_id).where(VpnGroup.system_id.is_not(None))).one()


def moved(vpn: VpnLab, target: Target, *ids: UUID) -> list[UUID]:
    with transaction(vpn.sessions) as session:
        return move(session, ADMIN, Which("environment", ids), target)


def comes_in(vpn: VpnLab, name: str) -> list[tuple[str, str]]:
    """Return the gateways that RADIUS lets somebody in at, with the group."""
    with transaction(vpn.sessions) as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        found = "SELECT gateway, value FROM radius_reply WHERE username = :name AND attribute = 'Class'"
        return [(row[0], row[1].removeprefix("OU=")) for row in session.execute(text(found), {"name": name})]


def seats(vpn: VpnLab, pool: UUID) -> int:
    with vpn.sessions() as session:
        [balance] = metering.balances(session, [pool])[pool]
        return balance.used


def test_who_is_moved_comes_in_at_the_other_gateway_with_the_same_password_and_no_longer_at_the_first(
    vpn: VpnLab,
) -> None:
    made = vpn.active(1, 2, 3)
    vpn.let_in("wang1")
    other = other_gateway(vpn)
    assert moved(vpn, Target(gateway=OTHER), *made[:2]) == made[:2]
    assert comes_in(vpn, "wang1") == [(OTHER, "environment")]
    assert comes_in(vpn, "wang3") == [(GATEWAY, "environment")]
    assert (seats(vpn, vpn.pool.id), seats(vpn, other), vpn.used()) == (1, 2, 3)
    assert vpn.look().ended == 1, "the tunnel at the first gateway"
    gateways.check(vpn.sessions, vpn.drivers, other)
    assert vpn.states(*made) == ["running"] * 3
    assert not vpn.discrepancies()


def test_both_gateways_are_looked_at(vpn: VpnLab) -> None:
    made = vpn.active(1)
    other = other_gateway(vpn)
    with transaction(vpn.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    moved(vpn, Target(gateway=OTHER), *made)
    with vpn.sessions() as session:
        asked = session.scalars(text("SELECT args ->> 'pool_id' FROM procrastinate_jobs"))
        assert set(asked) == {str(vpn.pool.id), str(other)}


def test_who_is_moved_to_a_system_alone_is_put_into_its_group_and_back(vpn: VpnLab) -> None:
    [one] = vpn.active(1)
    system = group_of_a_system(vpn)
    vpn.let_in("wang1", group="environment")
    moved(vpn, Target(system="monitoring"))
    assert comes_in(vpn, "wang1") == [(GATEWAY, "environment_monitoring")]
    assert (vpn.record(one).system_id, vpn.record(one).spec["system"]) == (system, "monitoring")
    assert vpn.look().ended == 1, "the tunnel of the wide group"
    moved(vpn, Target(of_department=True))
    assert comes_in(vpn, "wang1") == [(GATEWAY, "environment")]
    assert vpn.record(one).system_id is None


@pytest.mark.parametrize("target", [Target(), Target(system="monitoring", of_department=True)], ids=["nowhere", "both"])
def test_a_move_to_nowhere_or_to_two_places_is_refused(vpn: VpnLab, target: Target) -> None:
    vpn.active(1)
    with pytest.raises(Invalid):
        moved(vpn, target)


def test_one_that_cannot_be_moved_is_named_and_none_is_moved(vpn: VpnLab) -> None:
    made = vpn.active(1, 2)
    other = other_gateway(vpn)
    vpn.act(made[1], "delete")
    with pytest.raises(RowsRefused) as refused:
        moved(vpn, Target(gateway=OTHER), *made, uuid4())
    assert [place for place, _ in refused.value.problems] == [1, 2]
    assert (seats(vpn, other), comes_in(vpn, "wang1")) == (0, [(GATEWAY, "environment")])


def test_where_the_department_has_no_group_nobody_is_moved(vpn: VpnLab) -> None:
    vpn.active(1)
    with transaction(vpn.sessions) as session:
        make_gateway(session, OTHER)
    with pytest.raises(RowsRefused) as refused:
        moved(vpn, Target(gateway=OTHER))
    [(_, problem)] = refused.value.problems
    assert "no group" in problem.message


def test_a_gateway_without_seats_takes_nobody(vpn: VpnLab) -> None:
    vpn.active(1, 2)
    other = other_gateway(vpn, seats=1)
    with pytest.raises(OverQuota):
        moved(vpn, Target(gateway=OTHER))
    assert (seats(vpn, other), seats(vpn, vpn.pool.id)) == (0, 2)


def test_of_a_department_without_accounts_nobody_is_moved(vpn: VpnLab) -> None:
    other_gateway(vpn)
    with pytest.raises(NothingFits):
        moved(vpn, Target(gateway=OTHER))
