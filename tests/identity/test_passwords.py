"""Rules of passwords: which are refused, and why."""

import itertools

import pytest

from controlplane import passwords
from controlplane.db import transaction
from controlplane.errors import (
    PasswordGuessable,
    PasswordHasName,
    PasswordLength,
    PasswordTooPlain,
    PasswordUsed,
    Refusal,
    WrongCredentials,
)
from controlplane.models import User
from controlplane.passwords import Wish
from controlplane.services import own_account, users
from controlplane.services.users import NewUser
from tests.identity.gate import Gate
from tests.people import SECURITY

GOOD = ("Grassland-Horse-42-Lamp", "草原上的Lampe-1985-茶", "qv7T xk2Lw9 pz")
BAD: dict[str, type[Refusal]] = {
    "Ab1-": PasswordLength,
    "Kz7-mQ2-vR9": PasswordLength,
    "Aa1-" * 40: PasswordLength,
    "grasslandhorselamp": PasswordTooPlain,
    "GRASSLANDHORSE-": PasswordTooPlain,
    "8462917305-8264": PasswordTooPlain,
    "Wang-Grassland-42": PasswordHasName,
    "xx-WANG-Horse-42": PasswordHasName,
    "Password@2026": PasswordGuessable,
    "Aa1111111111": PasswordGuessable,
    "Qwertyuiop12": PasswordGuessable,
}


@pytest.mark.parametrize("password", GOOD)
def test_a_password_that_keeps_every_rule_is_taken(password: str) -> None:
    passwords.check(Wish(password, ("wang", "王芳")), 12)


@pytest.mark.parametrize("password", BAD)
def test_a_password_that_breaks_a_rule_is_told_which(password: str) -> None:
    with pytest.raises(BAD[password]):
        passwords.check(Wish(password, ("wang", "王芳")), 12)


@pytest.mark.usefixtures("real_passwords")
def test_a_hash_costs_whoever_guesses_what_the_makers_of_argon2_advise() -> None:
    assert passwords.hashed("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_the_hash_of_nobody_is_matched_by_nothing() -> None:
    assert not passwords.matches(None, "")
    assert not passwords.matches("no hash", "x")
    assert not passwords.matches(passwords.hashed("x"), "\ud800")


def change(gate: Gate, secret: str, present: str, wanted: str) -> None:
    found = gate.who(secret)
    assert found
    with transaction(gate.records) as session:
        own_account.change_password(session, gate.entrance, found.actor, found.id, (present, wanted), gate.now)


def test_none_of_the_last_five_passwords_is_taken_again_and_the_sixth_is(gate: Gate) -> None:
    wang = gate.person("wang")
    secret = gate.come_in(wang)
    had = [wang.password, *(f"Grassland-Horse-{number}-Lamp" for number in range(10, 15))]
    for present, wanted in itertools.pairwise(had):
        change(gate, secret, present, wanted)
    for old in had[1:]:
        with pytest.raises(PasswordUsed):
            change(gate, secret, had[-1], old)
    change(gate, secret, had[-1], "Grassland-Horse-99-Lamp")
    change(gate, secret, "Grassland-Horse-99-Lamp", had[1])


def test_who_does_not_know_the_present_password_changes_nothing(gate: Gate) -> None:
    wang = gate.person("wang")
    with pytest.raises(WrongCredentials):
        change(gate, gate.come_in(wang), "wrong", "Grassland-Horse-42-Lamp")
    assert gate.enter("wang", wang.password)


def test_a_reset_password_must_be_changed_first_and_is_not_among_those_to_take(gate: Gate) -> None:
    wang = gate.person("wang")
    before = gate.come_in(wang)
    for _ in range(5):
        assert gate.enter("wang", "wrong") is None
    with transaction(gate.records) as session:
        _, fresh = users.reset_password(session, SECURITY, gate.entrance, "wang")
    assert gate.who(before) is None
    secret = gate.enter("wang", fresh)
    assert secret, "the name is unlocked"
    found = gate.who(secret)
    assert found and found.step == "password"
    with pytest.raises((PasswordUsed, PasswordTooPlain)):
        change(gate, secret, fresh, fresh)
    change(gate, secret, fresh, "Grassland-Horse-42-Lamp")
    found = gate.who(secret)
    assert found and found.step is None


def test_a_program_has_no_password_and_never_signs_in(gate: Gate) -> None:
    with transaction(gate.records) as session:
        made, password = users.create(session, SECURITY, NewUser("program", "程序", "operator", service=True))
        assert (password, made.password_hash) == (None, None)
    assert gate.enter("program", "") is None
    with transaction(gate.records) as session:
        assert session.get_one(User, made.id).last_sign_in_at is None
