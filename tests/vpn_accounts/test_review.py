"""Accounts that nobody confirms or uses, as the days go by."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text

from controlplane import unused, vpn_review
from controlplane.db import transaction
from controlplane.models import AuditEvent, Resource
from controlplane.options import LeasePolicy, VpnPolicy, set_option
from controlplane.services import vpn_orders
from controlplane.services.vpn_orders import Order, Which
from controlplane.vpn_review import Reviewed
from tests.people import ADMIN, OPERATOR
from tests.vpn_accounts.lab import VpnLab

NOW = datetime.now(UTC)


def review(vpn: VpnLab, days: float) -> Reviewed:
    """Go through the accounts so many days from now, and look at the gateway."""
    with transaction(vpn.sessions) as session:
        reviewed = vpn_review.review(session, OPERATOR, NOW + timedelta(days=days))
    vpn.look()
    return reviewed


def confirm(vpn: VpnLab, days: float = 0) -> None:
    with transaction(vpn.sessions) as session:
        vpn_orders.act(session, ADMIN, Order("confirm", Which("environment")))
        # The clock of the database stands still while a test goes through a year.
        session.execute(text("UPDATE vpn_accounts SET confirmed_at = :at"), {"at": NOW + timedelta(days=days)})


def used(vpn: VpnLab, days: float) -> None:
    with transaction(vpn.sessions) as session:
        session.execute(text("UPDATE vpn_accounts SET last_login_at = :at"), {"at": NOW + timedelta(days=days)})


def test_a_department_is_told_once_and_who_is_not_confirmed_is_suspended_on_the_day(vpn: VpnLab) -> None:
    made = vpn.active(1, 2)
    used(vpn, 360)
    assert review(vpn, 334) == Reviewed()
    assert review(vpn, 336) == Reviewed(told=2)
    assert review(vpn, 337) == Reviewed()
    assert vpn.states(*made) == ["running", "running"]
    assert review(vpn, 366) == Reviewed(unconfirmed=2)
    assert vpn.states(*made) == ["stopped", "stopped"]
    with vpn.sessions() as session:
        why = session.scalars(select(AuditEvent.details).where(AuditEvent.action == "vpn_account.stop")).all()
    assert [details["because"] for details in why] == ["unconfirmed", "unconfirmed"]


def test_who_is_confirmed_stays_for_another_year_and_is_told_of_again(vpn: VpnLab) -> None:
    made = vpn.active(1)
    used(vpn, 700)
    assert review(vpn, 340) == Reviewed(told=1)
    confirm(vpn, 350)
    assert review(vpn, 366) == Reviewed()
    assert review(vpn, 690) == Reviewed(told=1)
    assert review(vpn, 716) == Reviewed(unconfirmed=1)
    assert vpn.states(*made) == ["stopped"]


def test_what_nobody_uses_is_suspended_and_resumed_it_has_its_days_again(vpn: VpnLab) -> None:
    [one, other] = vpn.active(1, 2)
    used(vpn, 170)
    with transaction(vpn.sessions) as session:
        session.execute(text("UPDATE vpn_accounts SET last_login_at = NULL WHERE username = 'wang2'"))
    assert review(vpn, 181) == Reviewed(unused=1)
    assert vpn.states(one, other) == ["running", "stopped"]
    vpn.act(other, "start")
    vpn.look()
    with transaction(vpn.sessions) as session:
        session.execute(text("UPDATE resources SET state_since = :at"), {"at": NOW + timedelta(days=182)})
    assert review(vpn, 183) == Reviewed()
    assert vpn.states(other) == ["running"]


def test_an_account_that_was_never_handed_out_is_not_unused(vpn: VpnLab) -> None:
    made = vpn.active(1)
    with transaction(vpn.sessions) as session:
        session.execute(text("UPDATE vpn_accounts SET issued_at = NULL, scheme = NULL, hash = NULL"))
    assert review(vpn, 300) == Reviewed()
    assert vpn.states(*made) == ["running"]


def test_a_centre_may_pass_both_over(vpn: VpnLab) -> None:
    vpn.active(1)
    with transaction(vpn.sessions) as session:
        set_option(session, ADMIN, VpnPolicy(confirm_days=None, unused_days=None))
    assert review(vpn, 3000) == Reviewed()


def test_an_account_that_serves_no_system_is_not_taken_for_ownerless(vpn: VpnLab) -> None:
    vpn.active(1)
    with transaction(vpn.sessions) as session:
        assert session.scalars(select(Resource.id).where(unused.unused(LeasePolicy(), NOW))).all() == []
