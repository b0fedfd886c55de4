"""Wrong tries: what they cost whoever makes them, and what nobody learns by them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import argon2._password_hasher as argon
import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.entrance import Places
from controlplane.errors import SignInBusy, SignInLocked
from controlplane.models import AuditEvent, SignInTry
from controlplane.services import sign_in
from tests.accounts import RULES
from tests.cli.processes import until
from tests.identity.gate import NOON, Gate

NAMES = ("wang", "nobody-of-this-name")


def fail(gate: Gate, name: str, times: int) -> None:
    for _ in range(times):
        assert gate.enter(name, "wrong") is None


def locked_minutes(gate: Gate, name: str) -> int | None:
    try:
        assert gate.enter(name, "wrong") is None
    except SignInLocked as refusal:
        return int(refusal.values["minutes"])
    return None


@pytest.mark.parametrize("name", NAMES)
def test_five_wrong_tries_lock_a_name_for_a_minute_and_each_further_one_for_twice_as_long(
    gate: Gate, name: str
) -> None:
    gate.person("wang")
    fail(gate, name, 5)
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        assert locked_minutes(gate, name) == minutes
        gate.wait(minutes=minutes)
        fail(gate, name, 1)


def test_tries_on_a_locked_name_do_not_lock_it_longer(gate: Gate) -> None:
    known = gate.person("wang")
    fail(gate, "wang", 5)
    for _ in range(20):
        assert locked_minutes(gate, "wang") == 1
    gate.wait(minutes=1)
    assert gate.enter("wang", known.password)


def test_the_right_password_opens_no_locked_name(gate: Gate) -> None:
    known = gate.person("wang")
    fail(gate, "wang", 5)
    with pytest.raises(SignInLocked):
        gate.enter("wang", known.password)


def test_coming_in_forgets_the_wrong_tries(gate: Gate) -> None:
    known = gate.person("wang")
    for _ in range(3):
        fail(gate, "wang", 4)
        assert gate.enter("wang", known.password)


@pytest.mark.parametrize("name", NAMES)
def test_a_locked_name_costs_no_hash_whether_there_is_such_a_user_or_not(
    gate: Gate, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.person("wang")
    hashes: list[object] = []
    real: Any = argon.verify_secret

    def counted(*values: Any) -> Any:
        hashes.append(values)
        return real(*values)

    monkeypatch.setattr(argon, "verify_secret", counted)
    fail(gate, name, 5)
    assert len(hashes) == 5, "a try costs one hash, for a known and an unknown name alike"
    for _ in range(10):
        assert locked_minutes(gate, name) == 1
    assert len(hashes) == 5


@pytest.mark.usefixtures("real_passwords")
def test_twenty_tries_at_once_are_no_more_than_five(gate: Gate) -> None:
    gate.person("wang")

    def one(_number: int) -> bool:
        try:
            return gate.enter("wang", "wrong") is None
        except SignInLocked:
            return False

    with ThreadPoolExecutor(8) as pool:
        tried = list(pool.map(one, range(20)))
    assert sum(tried) == 5


def test_a_wrong_code_counts_like_a_wrong_password_and_a_right_password_between_does_not_help(gate: Gate) -> None:
    boss = gate.person("boss", "system_admin")
    for _ in range(4):
        secret = gate.enter("boss", boss.password)
        assert secret and gate.prove(secret, "000000") is None
    secret = gate.enter("boss", boss.password)
    assert secret and gate.prove(secret, "not-a-recovery-code") is None
    with pytest.raises(SignInLocked):
        gate.enter("boss", boss.password)
    with pytest.raises(SignInLocked):
        gate.prove(secret, boss.codes[0])


def test_what_was_typed_as_a_name_that_nobody_has_is_written_nowhere(gate: Gate) -> None:
    assert gate.enter("MySecret-Password", "") is None
    with transaction(gate.records) as session:
        [event] = session.scalars(select(AuditEvent)).all()
        assert (event.action, event.outcome) == ("user.sign_in", "failure")
        said = f"{event.target_name} {event.actor_name} {event.details}"
        assert "MySecret" not in said and event.target_name.startswith("?")
        assert event.details["address"] == gate.address
        [row] = session.scalars(select(SignInTry)).all()
        assert row.name_hash == gate.entrance.keys.hidden("MySecret-Password")


def test_a_wrong_password_is_told_of_the_user_and_nothing_of_the_password(gate: Gate) -> None:
    gate.person("wang")
    fail(gate, "wang", 1)
    with transaction(gate.records) as session:
        [event] = session.scalars(select(AuditEvent).where(AuditEvent.outcome == "failure")).all()
    assert (event.target_name, event.actor_name) == ("wang", "nobody")
    assert event.details == {"address": "10.0.0.7", "with": "password"}


def test_tries_of_yesterday_are_forgotten(gate: Gate) -> None:
    fail(gate, "wang", 3)
    with transaction(gate.records) as session:
        sign_in.forget_old(session, NOON + timedelta(hours=23))
        assert session.scalars(select(SignInTry)).all()
        sign_in.forget_old(session, NOON + timedelta(hours=25))
        assert not session.scalars(select(SignInTry)).all()


def test_few_passwords_are_checked_at_once_and_who_comes_then_is_asked_to_come_back() -> None:
    places = Places(8)
    with ThreadPoolExecutor(1) as pool:
        with places.one():
            waiting = pool.submit(enter, places)
            until(lambda: refused(places), "the second to wait inside")
            assert not waiting.done()
        assert waiting.result(10) is True
    assert enter(places)


def refused(places: Places) -> bool:
    """Tell whether no more are let in; a place that is free is only felt for."""
    taken = places._inside.acquire(blocking=False)
    if taken:
        places._inside.release()
        return False
    with pytest.raises(SignInBusy):
        enter(places)
    return True


def enter(places: Places) -> bool:
    with places.one():
        return True


def test_the_longest_lock_is_the_longest_however_many_tries() -> None:
    assert RULES.locked_for(4) is None
    assert RULES.locked_for(5) == timedelta(minutes=1)
    assert RULES.locked_for(10**6) == timedelta(minutes=60)
