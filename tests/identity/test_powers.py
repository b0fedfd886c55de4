"""Separated powers: what each role may do, and that no way leads from one to another."""

import threading
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from controlplane import accounts
from controlplane.actor import Actor, Role
from controlplane.db import Sessions, transaction
from controlplane.errors import (
    AdministratorsExist,
    Forbidden,
    Invalid,
    LastOfItsRole,
    NotFound,
    OwnAccount,
    Refusal,
)
from controlplane.lookups import department_for
from controlplane.models import User
from controlplane.paging import Listing
from controlplane.policy import ACTIONS, ADMINISTRATORS, ROLES, allows, table
from controlplane.services import leavers, users
from controlplane.services.users import NewUser
from tests.accounts import entrance
from tests.cli.processes import until
from tests.factories import given
from tests.people import ADMIN, AUDIT, OPERATOR, SECURITY, Staff, staff_of

POWERS: dict[Role, frozenset[str]] = {
    role: frozenset(action for action, roles in ACTIONS.items() if role in roles) for role in ROLES
}


def made(session: object, username: str, role: Role, department: str | None = None, **more: bool) -> User:
    return users.create(session, OPERATOR, NewUser(username, username, role, department, **more))[0]  # type: ignore[arg-type]


def test_each_administrator_alone_has_the_power_that_is_his() -> None:
    assert {r for r in ROLES if POWERS[r] & {"catalogue.write", "department.write", "quota.write", "pool.write"}} == {
        "system_admin"
    }
    assert {r for r in ROLES if POWERS[r] & {"role.grant", "session.end"}} == {"security_admin"}
    assert {r for r in ROLES if "audit.export" in POWERS[r]} == {"audit_admin"}
    assert {r for r in ROLES if "audit.read" in POWERS[r]} == {"audit_admin", "department_manager"}


def test_whoever_grants_runs_nothing_and_whoever_audits_changes_nothing() -> None:
    writes = {a for a in ACTIONS if a.rpartition(".")[2] not in {"read", "history", "export", "own"}}
    policy = {"role.grant", "routing.write", "request.decide", "request.comment", "request.attach", "lease.hold"}
    assert POWERS["security_admin"] & writes == policy | {"user.write", "session.end", "token.revoke"}
    assert not POWERS["audit_admin"] & writes
    assert not POWERS["auditor"] & writes
    assert POWERS["operator"] & writes == {"resource.operate", "drift.decide"}
    assert not POWERS["system_admin"] & {"user.write", "role.grant", "audit.read", "token.revoke", "policy.read"}


def test_everybody_sees_the_history_of_what_he_sees() -> None:
    assert ACTIONS["resource.history"] == ACTIONS["resource.read"]


def test_the_table_has_a_row_for_each_action_and_a_column_for_each_role() -> None:
    assert [row["action"] for row in table()] == list(ACTIONS)
    assert all(row.keys() == {"action", *ROLES} for row in table())


def test_a_user_has_one_role_and_no_other_word(sessions: Sessions) -> None:
    for role in ("system_admin,security_admin", "root"):
        with pytest.raises(DBAPIError), transaction(sessions) as session:
            user = made(session, f"u{len(role)}", "auditor")
            session.execute(update(User).where(User.id == user.id).values(role=text(f"'{role}'")))


def test_a_token_may_do_what_it_was_made_for_alone_and_never_more_than_its_owner() -> None:
    narrow = Actor(uuid4(), "t", "token", "auditor", actions=frozenset({"pool.read", "pool.write"}))
    assert [a for a in ACTIONS if allows(narrow, a)] == ["pool.read"]


def test_a_token_of_the_centre_confined_to_a_department_may_do_what_a_manager_may_there() -> None:
    department = uuid4()
    confined = Actor(uuid4(), "t", "token", "system_admin", department, frozenset({department}))
    may = {a for a in ACTIONS if allows(confined, a)}
    assert may == POWERS["system_admin"] & POWERS["department_manager"]
    assert "resource.create" in may and "pool.read" not in may


def test_nobody_may_nothing() -> None:
    nobody = Actor(uuid4(), "nobody", "nobody", "department_member")
    assert not [a for a in ACTIONS if allows(nobody, a)]


@pytest.mark.parametrize("actor", [ADMIN, AUDIT], ids=["system", "audit"])
def test_neither_the_system_nor_the_audit_administrator_touches_accounts(sessions: Sessions, actor: Actor) -> None:
    with transaction(sessions) as session:
        made(session, "wang", "auditor")
    for act in (
        lambda s: users.create(s, actor, NewUser("x", "x", "auditor")),
        lambda s: users.update(s, actor, "wang", {"role": "operator"}),
        lambda s: users.reset_password(s, actor, entrance(), "wang"),
        lambda s: users.reset_second_factor(s, actor, "wang"),
        lambda s: leavers.disable(s, actor, "wang"),
        lambda s: leavers.enable(s, actor, "wang"),
        lambda s: leavers.remove_leaver(s, actor, "wang"),
    ):
        with pytest.raises(Forbidden), transaction(sessions) as session:
            act(session)


def test_nobody_changes_disables_resets_or_removes_the_own_account(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        me = made(session, "me", "security_admin")
        made(session, "other", "security_admin")
        actor = Actor(me.id, "me", "user", "security_admin", user=me.id)
        token = Actor(uuid4(), "me/t", "token", "security_admin", user=me.id)
    for who in (actor, token):
        for act in (
            lambda s, a: users.update(s, a, "me", {"role": "system_admin"}),
            lambda s, a: users.reset_second_factor(s, a, "me"),
            lambda s, a: users.reset_password(s, a, entrance(), str(me.id)),
            lambda s, a: leavers.disable(s, a, "me"),
            lambda s, a: leavers.remove_leaver(s, a, "me"),
        ):
            with pytest.raises(OwnAccount), transaction(sessions) as session:
                act(session, who)


def test_the_last_active_security_administrator_stays(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        made(session, "first", "security_admin")
        made(session, "program", "security_admin", service=True)
        made(session, "gone", "security_admin")
        leavers.disable(session, SECURITY, "gone")
    for act in (
        lambda s: leavers.disable(s, SECURITY, "first"),
        lambda s: leavers.remove_leaver(s, SECURITY, "first"),
        lambda s: users.update(s, SECURITY, "first", {"role": "auditor"}),
    ):
        with pytest.raises(LastOfItsRole), transaction(sessions) as session:
            act(session)
    with transaction(sessions) as session:
        leavers.enable(session, SECURITY, "gone")
        leavers.remove_leaver(session, SECURITY, "first")


def test_of_two_who_remove_the_last_two_security_administrators_at_once_one_is_refused(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        made(session, "first", "security_admin")
        made(session, "second", "security_admin")
    refused: list[type[Refusal]] = []

    def remove_second() -> None:
        try:
            with transaction(sessions) as session:
                leavers.remove_leaver(session, SECURITY, "second")
        except Refusal as refusal:
            refused.append(type(refusal))

    with sessions() as session:
        leavers.remove_leaver(session, SECURITY, "first")
        thread = threading.Thread(target=remove_second)
        thread.start()
        until(lambda: waits(sessions), "the second to wait for the first")
        session.commit()
    thread.join(30)
    assert refused == [LastOfItsRole]


def waits(sessions: Sessions) -> bool:
    with sessions() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@pytest.fixture
def staff(sessions: Sessions) -> Staff:
    """People of a department of a small centre, in which accounts stand for some of them."""
    given(sessions)
    with transaction(sessions) as session:
        for username, role, department in (
            ("member", "department_member", "environment"),
            ("manager", "department_manager", "environment"),
            ("stranger", "department_member", "finance"),
            ("boss", "security_admin", None),
        ):
            made(session, username, role, department)  # type: ignore[arg-type]
        return staff_of(session, department_for(session, ADMIN, "environment", "department.read"))


def test_a_manager_makes_and_disables_members_of_her_department_and_nobody_else(
    sessions: Sessions, staff: Staff
) -> None:
    with transaction(sessions) as session:
        users.create(session, staff.manager, NewUser("new", "新", "department_member", "environment"))
        assert leavers.disable(session, staff.manager, "new").disabled_reason == "decision"
        leavers.enable(session, staff.manager, "new")
        assert users.reset_password(session, staff.manager, entrance(), "member")[1]
    refusals: dict[type[Refusal], tuple[NewUser, ...]] = {
        Forbidden: (
            NewUser("x", "x", "department_manager", "environment"),
            NewUser("x", "x", "security_admin"),
            NewUser("x", "x", "auditor"),
        ),
        NotFound: (NewUser("x", "x", "department_member", "finance"),),
        Invalid: (NewUser("x", "x", "department_member"),),
    }
    for refusal, wishes in refusals.items():
        for wish in wishes:
            with pytest.raises(refusal), transaction(sessions) as session:
                users.create(session, staff.manager, wish)
    for ref, refused in (("stranger", NotFound), ("boss", NotFound), ("manager", Forbidden)):
        with pytest.raises(refused), transaction(sessions) as session:
            leavers.disable(session, staff.manager, ref)
    with pytest.raises(Forbidden), transaction(sessions) as session:
        users.update(session, staff.manager, "member", {"role": "department_manager"})
    with pytest.raises(Forbidden), transaction(sessions) as session:
        users.create(session, staff.colleague, NewUser("x", "x", "department_member", "environment"))


def test_a_manager_sees_the_accounts_of_her_department_alone(sessions: Sessions, staff: Staff) -> None:
    with transaction(sessions) as session:
        seen = [u.username for u in accounts.users(session, staff.manager, Listing()).items]
        everybody = [u.username for u in accounts.users(session, SECURITY, Listing()).items]
        found = accounts.users(session, SECURITY, Listing(filters={"q": "MAN", "department": "environment"}))
    assert seen == ["manager", "member"]
    assert everybody == ["boss", "manager", "member", "stranger"]
    assert [u.username for u in found.items] == ["manager"]


def test_the_first_three_administrators_are_made_once_each_with_a_password_to_change(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        first = users.bootstrap(session, OPERATOR)
        assert {user.role for user, _ in first} == ADMINISTRATORS
        assert all(user.must_change_password and user.password_hash and len(word) >= 12 for user, word in first)
        assert len({word for _, word in first}) == 3
    with pytest.raises(AdministratorsExist), transaction(sessions) as session:
        users.bootstrap(session, OPERATOR)
    with transaction(sessions) as session:
        assert len(session.scalars(select(User)).all()) == 3


def test_networks_that_are_none_are_refused(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        made(session, "wang", "system_admin")
    for wrong in (["10.0.0.1/8"], ["nonsense"], ["10.0.0.0/8"] * 21):
        with pytest.raises(Invalid), transaction(sessions) as session:
            users.update(session, SECURITY, "wang", {"networks": wrong})
