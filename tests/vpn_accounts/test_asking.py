"""Asking for VPN accounts: what is taken, what is kept of people, and what is refused."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from controlplane import persons, vpn_rows
from controlplane.actor import Actor
from controlplane.db import APP_ROLE, transaction
from controlplane.errors import AlreadyExists, Invalid, NoPool, NotFound, OverQuota, RowsRefused
from controlplane.models import Department, Request, VpnAccount, VpnGroup
from controlplane.services import departments, pools, requests, vpn_groups
from controlplane.services.pools import Capacity
from tests.people import ADMIN, staff_of
from tests.vpn_accounts.lab import VpnLab
from tests.vpn_accounts.scene import GATEWAY, KIND, make_gateway, make_group, row


def test_accounts_are_recorded_counted_and_told_in_one_go_and_their_gateway_is_looked_at_once(vpn: VpnLab) -> None:
    before = len(vpn.jobs())
    made = vpn.ask(row(1), row(2), row(3))
    assert vpn.states(*made) == ["building"] * 3
    assert vpn.used() == 3
    assert vpn.said("vpn_account.create") == 3
    assert vpn.jobs()[before:] == ["gateway"]
    assert vpn.discrepancies() == []


def test_nothing_of_a_person_is_kept_in_clear(vpn: VpnLab) -> None:
    vpn.ask(row(1), row(2))
    with vpn.sessions() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        for table in tables:
            for value in ("王芳1", "E00001", "0471-0000001"):
                if (table, value) == ("systems", "0471-0000001"):
                    continue  # The telephone of a system's contact, who is nobody's account.
                found = session.scalar(
                    text(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || :value || '%'"), {"value": value}
                )
                assert found == 0, (table, value)


def test_who_has_the_key_reads_the_person_and_finds_them_by_name_and_number(vpn: VpnLab) -> None:
    [made, _] = vpn.ask(row(1), row(2))
    with vpn.sessions() as session:
        found = session.scalars(
            select(VpnAccount).where(VpnAccount.name_key == persons.name_key(vpn.keys, " 王芳 1"))
        ).one()
        assert found.resource_id == made
        assert found.number_key == persons.number_key(vpn.keys, "e00001")
        assert persons.opened(vpn.keys, found.person) == row(1).person


def test_a_user_name_is_one_of_the_whole_centre_and_that_is_all_that_is_told(vpn: VpnLab) -> None:
    vpn.ask(row(1))
    with pytest.raises(AlreadyExists, match="wang1"):
        vpn.ask(row(1), department="finance")
    assert vpn.used("finance") == 0


def test_each_bad_row_of_many_is_named_and_nothing_is_taken(vpn: VpnLab) -> None:
    vpn.ask(row(1))
    with pytest.raises(RowsRefused) as refused:
        vpn.ask(row(2), row(1), row(3, system="nothing"), row(2), row(4, gateway="elsewhere"))
    problems = [(place, type(problem)) for place, problem in refused.value.problems]
    assert problems == [(1, AlreadyExists), (2, NotFound), (3, AlreadyExists), (4, Invalid)]
    assert vpn.used() == 1


def test_more_than_the_quota_is_refused_as_a_whole(vpn: VpnLab) -> None:
    with transaction(vpn.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", {"vpn_account": 2})
    with pytest.raises(OverQuota):
        vpn.ask(row(1), row(2), row(3))
    assert vpn.used() == 0 and vpn.known() == set()


def test_a_gateway_without_seats_takes_nobody(vpn: VpnLab) -> None:
    with transaction(vpn.sessions) as session:
        pools.set_capacity(session, ADMIN, GATEWAY, {KIND: Capacity(1)})
    with pytest.raises(NoPool):
        vpn.ask(row(1), row(2))
    assert vpn.used() == 0


def test_an_account_of_one_system_needs_a_group_of_that_system(vpn: VpnLab) -> None:
    with pytest.raises(Invalid, match="no gateway has a group for system monitoring"):
        vpn.ask(row(1, system="monitoring"))
    with transaction(vpn.sessions) as session:
        make_group(session, system="monitoring", prefix=26)
    [made] = vpn.ask(row(1, system="monitoring"))
    assert vpn.record(made).system_id is not None


def test_where_two_gateways_serve_a_department_the_one_that_was_named_is_taken(vpn: VpnLab) -> None:
    with transaction(vpn.sessions) as session:
        make_gateway(session, "vpn-2")
        make_group(session, gateway="vpn-2")
    made = vpn.ask(*(row(number, gateway="vpn-2") for number in range(4)))
    assert {vpn.record(account).pool_id for account in made} != {vpn.pool.id}
    with pytest.raises(Invalid, match="gateway vpn-2 has a group"):
        vpn.ask(row(9, gateway="vpn-2"), department="finance")


def test_a_departments_rule_makes_user_names_and_holds_those_that_are_said_to_it(vpn: VpnLab) -> None:
    _rule(vpn, "{department}-{number}")
    [made] = vpn.ask(row(7, username=None))
    assert vpn.record(made).name == "environment-e00007"
    with pytest.raises(Invalid, match="must be environment-e00008"):
        vpn.ask(row(8))


def test_a_number_that_makes_no_user_name_is_refused_with_its_row(vpn: VpnLab) -> None:
    _rule(vpn, "{number}")
    with pytest.raises(RowsRefused) as refused:
        vpn.ask(row(1, username=None), row("1 / 二", username=None))
    assert [place for place, _ in refused.value.problems] == [1]


def test_without_a_rule_a_user_name_must_be_said(vpn: VpnLab) -> None:
    with pytest.raises(Invalid, match="no rule"):
        vpn.ask(row(1, username=None))


def test_another_departments_accounts_cannot_be_asked_for(vpn: VpnLab) -> None:
    with vpn.sessions() as session:
        stranger = staff_of(session, session.query(Department).filter_by(code="finance").one()).manager
        with pytest.raises(NotFound):
            vpn_rows.specs(session, stranger, vpn.keys, "environment", [row(1)])


def test_what_was_asked_for_is_kept_with_the_request_without_the_person(vpn: VpnLab) -> None:
    vpn.ask(row(1, max_sessions=2))
    with vpn.sessions() as session:
        [request] = session.scalars(select(Request))
        assert [item["spec"] for item in request.items] == [{"username": "wang1", "max_sessions": 2}]


def test_the_web_server_can_write_hashes_and_read_none(vpn: VpnLab) -> None:
    vpn.active(1)
    for column in ("hash", "totp_secret"):
        with transaction(vpn.sessions) as session, pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text(f"SET LOCAL ROLE {APP_ROLE}"))
            with session.begin_nested():
                session.execute(text(f"SELECT {column} FROM vpn_accounts"))


def _rule(vpn: VpnLab, rule: str, who: Actor = ADMIN) -> None:
    with transaction(vpn.sessions) as session:
        group = session.scalars(select(VpnGroup).where(VpnGroup.name == "environment")).one()
        vpn_groups.update(session, who, group.id, {"username_rule": rule})


def test_a_request_that_nobody_decides_on_is_the_one_that_accounts_are_of(vpn: VpnLab) -> None:
    with transaction(vpn.sessions) as session:
        specs = vpn_rows.specs(session, ADMIN, vpn.keys, "environment", [row(1)])
        submitted = requests.submit(session, ADMIN, requests.Ask(KIND, "environment", specs))
    [made] = submitted.resources
    assert vpn.record(made.id).request_id == submitted.id
