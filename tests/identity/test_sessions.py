"""Sessions: how long they live, how many there are, and what ends them."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from controlplane.db import transaction
from controlplane.entrance import Arrival
from controlplane.errors import NotFound, WrongNetwork
from controlplane.models import SignIn, User
from controlplane.services import own_account, sessions, sign_in, users
from controlplane.sign_ins import Admitted
from tests.accounts import RULES
from tests.cli.processes import until
from tests.identity.gate import Gate
from tests.people import AUDITOR, SECURITY


def test_who_does_nothing_for_half_an_hour_is_signed_out(gate: Gate) -> None:
    secret = gate.come_in(gate.person("wang"))
    for _ in range(4):
        gate.wait(minutes=29)
        assert gate.who(secret)
    gate.wait(minutes=30)
    assert gate.who(secret) is None


def test_a_page_that_renews_itself_keeps_nobody_signed_in(gate: Gate) -> None:
    secret = gate.come_in(gate.person("wang"))
    for _ in range(29):
        gate.wait(minutes=1)
        assert gate.who(secret, active=False)
    gate.wait(minutes=1)
    assert gate.who(secret, active=False) is None


def test_everybody_is_signed_out_after_eight_hours(gate: Gate) -> None:
    secret = gate.come_in(gate.person("wang"))
    for _ in range(23):
        gate.wait(minutes=20)
        assert gate.who(secret)
    gate.wait(minutes=20)
    assert gate.who(secret) is None


def test_a_session_is_written_to_once_a_minute_at_most(gate: Gate) -> None:
    secret = gate.come_in(gate.person("wang"))
    came = gate.now
    gate.wait(seconds=50)
    gate.who(secret)
    assert last_seen(gate) == came
    gate.wait(seconds=20)
    gate.who(secret)
    assert last_seen(gate) == gate.now


def last_seen(gate: Gate) -> object:
    with transaction(gate.records) as session:
        return session.scalars(select(SignIn.last_seen_at)).one()


def test_one_session_more_than_allowed_ends_the_oldest(gate: Gate) -> None:
    wang, other = gate.person("wang"), gate.come_in(gate.person("zhang"))
    secrets = [gate.come_in(wang) for _ in range(RULES.at_once + 1)]
    assert [gate.who(s) is not None for s in secrets] == [False, True, True, True]
    assert gate.who(other)


def test_two_sign_ins_at_once_leave_no_more_sessions_than_allowed(gate: Gate) -> None:
    gate.entrance = replace(gate.entrance, rules=replace(RULES, at_once=1))
    wang = gate.person("wang")
    second: list[Admitted | None] = []

    def come() -> None:
        with transaction(gate.records) as session:
            second.append(sign_in.enter(session, gate.entrance, "wang", wang.password, gate.arrival()))

    with gate.records() as session:
        first = sign_in.enter(session, gate.entrance, "wang", wang.password, gate.arrival())
        thread = threading.Thread(target=come)
        thread.start()
        until(lambda: waiting(gate), "the second to wait for the first")
        session.commit()
    thread.join(30)
    assert first and second and second[0]
    assert [gate.who(s.secret) is not None for s in (first, second[0])] == [False, True]


def waiting(gate: Gate) -> bool:
    """Tell whether somebody waits for a lock."""
    with gate.records() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_another_password_ends_the_sessions_elsewhere_and_not_this_one(gate: Gate) -> None:
    wang = gate.person("wang")
    here, there = gate.come_in(wang), gate.come_in(wang)
    found = gate.who(here)
    assert found
    with transaction(gate.records) as session:
        change = (wang.password, "Grassland-Horse-42-Lamp")
        own_account.change_password(session, gate.entrance, found.actor, found.id, change, gate.now)
    assert gate.who(here)
    assert gate.who(there) is None
    assert gate.enter("wang", wang.password) is None
    assert gate.enter("wang", "Grassland-Horse-42-Lamp")


def test_another_role_ends_every_session(gate: Gate) -> None:
    secret = gate.come_in(gate.person("wang"))
    with transaction(gate.records) as session:
        users.update(session, SECURITY, "wang", {"role": "operator"})
    assert gate.who(secret) is None


def test_one_ends_ones_own_sessions_and_sees_no_others(gate: Gate) -> None:
    wang, secret = gate.person("wang"), gate.come_in(gate.person("zhang"))
    first, second = gate.come_in(wang), gate.come_in(wang)
    me, other = gate.who(first), gate.who(secret)
    assert me and other
    with transaction(gate.records) as session:
        assert len(sessions.of_all(session, me.actor, RULES, gate.now)) == 2
        assert len(sessions.of_all(session, SECURITY, RULES, gate.now)) == 3
        with pytest.raises(NotFound):
            sessions.end(session, me.actor, other.id, gate.now)
        sessions.end(session, me.actor, gate.opened(second), gate.now)
    assert gate.who(second) is None
    with transaction(gate.records) as session:
        sessions.end(session, SECURITY, other.id, gate.now)
    assert gate.who(secret) is None


def test_a_session_without_its_second_factor_waits_ten_minutes_and_is_nobodys_to_see(gate: Gate) -> None:
    boss = gate.person("boss", "system_admin")
    secret = gate.enter("boss", boss.password)
    assert secret
    found = gate.who(secret)
    assert found and found.step == "second_factor"
    with transaction(gate.records) as session:
        assert not sessions.of_all(session, SECURITY, RULES, gate.now)
    gate.wait(minutes=10)
    assert gate.who(secret) is None


def test_the_secret_of_before_the_second_factor_is_worth_nothing_after_it(gate: Gate) -> None:
    boss = gate.person("boss", "system_admin")
    before = gate.enter("boss", boss.password)
    assert before
    after = gate.prove(before, boss.codes[0])
    assert after and after != before
    assert gate.who(before) is None
    found = gate.who(after)
    assert found and found.step is None


def test_an_account_confined_to_networks_is_let_in_from_there_alone(gate: Gate) -> None:
    boss = gate.person("boss", "system_admin")
    with transaction(gate.records) as session:
        users.update(session, SECURITY, "boss", {"networks": ["10.0.0.0/24", "fd00::/8"]})
    secret = gate.come_in(boss)
    gate.address = "fd00::1"
    assert gate.who(secret)
    gate.address = "::ffff:10.0.0.9"
    assert gate.who(secret)
    gate.address = "192.0.2.1"
    with pytest.raises(WrongNetwork):
        gate.who(secret)
    with pytest.raises(WrongNetwork):
        gate.enter("boss", boss.password)
    assert gate.enter("boss", "wrong") is None, "only who knows the password is told of networks"


def test_an_old_password_must_be_changed_before_anything_else(gate: Gate) -> None:
    wang = gate.person("wang")
    with transaction(gate.records) as session:
        user = session.scalars(select(User).where(User.username == "wang")).one()
        user.password_changed_at = gate.now - RULES.password_age + timedelta(minutes=1)
    secret = gate.come_in(wang)
    found = gate.who(secret)
    assert found and found.step is None
    gate.wait(minutes=1)
    found = gate.who(secret)
    assert found and found.step == "password"


def test_a_console_lives_as_long_as_a_session_of_its_user_idle_or_not(gate: Gate) -> None:
    secret = gate.come_in(gate.person("wang"))
    found = gate.who(secret)
    assert found
    gate.wait(minutes=45)
    with transaction(gate.records) as session:
        again = sessions.actor_again(session, RULES, found.actor.id, Arrival(now=gate.now))
        assert again and again.name == "Wang"
        sessions.end(session, SECURITY, found.id, gate.now)
        assert sessions.actor_again(session, RULES, found.actor.id, Arrival(now=gate.now)) is None
        assert sessions.actor_again(session, RULES, AUDITOR.id, Arrival(now=gate.now)) is None
