"""VPN accounts with a second factor: the code follows the password, is good once, and says nothing of the password."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import time
from typing import Any

import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Row

from controlplane.models import Resource
from controlplane.secrets import radius_keys
from tests.accounts import KEYS, TOTP_SECRET
from tests.vpn.accounts import CHOSEN, PASSWORD, Account
from tests.vpn.gateways import Gateway
from tests.vpn.radius_server import Radius
from tests.vpn.test_logins import assert_told_nothing, logins

Given = Callable[[Account], Resource]
Rows = Callable[[str], list[Row[Any]]]

NAME = "wang.fang"
SEALED = KEYS.radius.seal(TOTP_SECRET)
ACCOUNT = Account(NAME, totp_secret=SEALED).with_password()
TOTP = pyotp.TOTP(TOTP_SECRET)


def this_step() -> int:
    return int(time()) // TOTP.interval


def code(steps: int = 0) -> str:
    """Return the code of now, or of so many times thirty seconds from now."""
    return TOTP.generate_otp(this_step() + steps)


def wrong_code() -> str:
    """Return six digits that are not a code for some minutes to come."""
    good = {code(steps) for steps in range(-5, 10)}
    return next(six for six in ("000000", "111111", "222222", *map(str, range(300000, 300020))) if six not in good)


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_who_has_password_and_code_comes_in(gateway: Gateway, given: Given, rows: Rows, shift: int) -> None:
    given(ACCOUNT)
    asked_in = None
    while asked_in != this_step():
        asked_in = this_step()
        answer = gateway.login(NAME, PASSWORD + code(shift))
    assert answer.accepted
    assert rows("SELECT totp_step FROM vpn_accounts")[0][0] == asked_in + shift


def test_a_chosen_password_may_have_any_signs_before_the_code(gateway: Gateway, given: Given) -> None:
    given(Account(NAME, totp_secret=SEALED).with_chosen_password())
    assert gateway.login(NAME, CHOSEN + code()).accepted


ODD = ("12345678", "ends-in-654321", "a\\nb\\\\", "%{User-Name}", "${name}", "'", '"', "`ls`", "\\x41", "\\", "电池")


def test_a_password_of_odd_signs_is_split_from_its_code_as_it_is(gateway: Gateway, given: Given) -> None:
    for number, password in enumerate(ODD):
        given(Account(f"user-{number}", totp_secret=SEALED).with_password(password))
        assert gateway.login(f"user-{number}", password + code()).accepted, password


def test_a_code_is_good_once(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    once = PASSWORD + code()
    assert gateway.login(NAME, once).accepted
    assert_told_nothing(gateway.login(NAME, once))
    assert logins(rows) == [(NAME, True, None), (NAME, False, "replayed_code")]


def test_of_two_who_come_with_one_code_at_once_one_comes_in(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(replace(ACCOUNT, max_sessions=9))
    once = PASSWORD + code()
    with ThreadPoolExecutor(4) as several:
        answers = list(several.map(lambda _: gateway.login(NAME, once), range(4)))
    assert sorted(answer.code for answer in answers) == ["Access-Accept", *["Access-Reject"] * 3]
    assert {reason for _, accepted, reason in logins(rows) if not accepted} == {"replayed_code"}


def test_an_older_code_than_the_last_is_good_no_more(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    assert gateway.login(NAME, PASSWORD + code(1)).accepted
    assert_told_nothing(gateway.login(NAME, PASSWORD + code(0)))
    assert logins(rows)[1:] == [(NAME, False, "replayed_code")]


def test_ten_wrong_codes_shut_the_name_wherever_they_came_from(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    for number in range(10):
        assert_told_nothing(gateway.login(NAME, PASSWORD + wrong_code(), Calling_Station_Id=f"203.0.113.{number}"))
    assert_told_nothing(gateway.login(NAME, PASSWORD + code(), Calling_Station_Id="203.0.113.99"))
    assert logins(rows)[-1] == (NAME, False, "too_many_tries")


def test_a_wrong_an_old_and_a_missing_code_come_in_nowhere(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    for tried in (wrong_code(), code(-4), code(4), ""):
        assert_told_nothing(gateway.login(NAME, PASSWORD + tried))
    assert [reason for _, _, reason in logins(rows)] == [*["wrong_code"] * 3, "no_code"]


def test_a_code_with_a_wrong_password_is_refused_like_any_and_is_not_used_up(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    now = code()
    wrong = ("wrong" + now, "wrong" + wrong_code(), "wrong", now, "\udcff" + now)
    for tried in wrong:
        assert_told_nothing(gateway.login(NAME, tried))
    assert [reason for _, _, reason in logins(rows)] == ["wrong_password"] * len(wrong)
    assert gateway.login(NAME, PASSWORD + now).accepted


def test_a_refusal_for_too_many_sessions_uses_no_code_up(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    now = PASSWORD + code()
    assert gateway.account("Start", "one", NAME)
    assert_told_nothing(gateway.login(NAME, now))
    assert gateway.account("Stop", "one", NAME)
    assert gateway.login(NAME, now).accepted


def test_who_has_no_second_factor_may_have_a_password_that_ends_like_a_code(gateway: Gateway, given: Given) -> None:
    given(Account(NAME).with_password("ends-in-654321"))
    assert gateway.login(NAME, "ends-in-654321").accepted


def test_a_secret_that_no_key_opens_lets_nobody_in_and_is_in_the_log(running: Radius, given: Given, rows: Rows) -> None:
    stranger = radius_keys([Fernet.generate_key().decode()]).seal(TOTP_SECRET)
    given(replace(ACCOUNT, totp_secret=stranger))
    asking = replace(running.gateway(), patience=0.5)
    assert asking.login(NAME, PASSWORD + code()).code == ""
    assert logins(rows) == []
    assert "no key of the ring opens a secret: InvalidToken" in running.log()


def test_a_new_key_in_the_ring_is_taken_without_a_restart(running: Radius, given: Given) -> None:
    newer = radius_keys([Fernet.generate_key().decode()])
    given(replace(ACCOUNT, totp_secret=newer.seal(TOTP_SECRET)))
    (running.folder / "totp.keys").write_text(newer.file() + KEYS.radius.file())
    assert running.gateway().login(NAME, PASSWORD + code()).accepted
    given(replace(ACCOUNT, username="li.na"))
    assert running.gateway().login("li.na", PASSWORD + code()).accepted
