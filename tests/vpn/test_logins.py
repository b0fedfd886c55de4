"""Who comes in by RADIUS and who does not, and the reason that is kept of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row

from controlplane.models import Resource
from tests.vpn.accounts import CHOSEN, PASSWORD, SESSION_MINUTES, Account, hashed
from tests.vpn.gateways import Answer, Gateway
from tests.vpn.radius_server import Radius

Given = Callable[[Account], Resource]
Rows = Callable[[str], list[Row[Any]]]

NAME = "wang.fang"
ACCOUNT = Account(NAME).with_password()
IN_OUR_GROUP = "0x" + b"OU=environment".hex()
OF_A_GROUP = ("Class", "Session-Timeout", "Acct-Interim-Interval")

NO_TEXT, HALF_A_SIGN = (name.decode(errors="surrogateescape") for name in (b"\xff\xc0\x80", b"\xed\xa0\x80"))

KEPT_OUT = {
    "suspended": replace(ACCOUNT, power="off"),
    "revoked": replace(ACCOUNT, desired="absent"),
    "expired": replace(ACCOUNT, lease=timedelta(seconds=-1)),
    "other_gateway": replace(ACCOUNT, gateway="vpn-2"),
    "no_password": Account(NAME),
}


def logins(rows: Rows) -> list[tuple[Any, ...]]:
    """Return what is kept of each login, in order."""
    return [tuple(row) for row in rows("SELECT username, accepted, reason FROM vpn_logins ORDER BY id")]


def assert_told_nothing(answer: Answer) -> None:
    assert answer.rejected
    assert answer.attributes == {}


@pytest.mark.parametrize(
    ("account", "password"), [(ACCOUNT, PASSWORD), (Account(NAME).with_chosen_password(), CHOSEN)], ids=["SHA", "yes"]
)
def test_who_has_the_password_comes_in_and_is_put_into_his_group(
    gateway: Gateway, given: Given, rows: Rows, account: Account, password: str
) -> None:
    given(account)
    answer = gateway.login(NAME, password)
    assert answer.accepted
    assert answer.attributes == {
        "Class": IN_OUR_GROUP,
        "Session-Timeout": str(SESSION_MINUTES * 60),
        "Acct-Interim-Interval": "60",
    }
    assert logins(rows) == [(NAME, True, None)]
    assert rows("SELECT FROM vpn_accounts WHERE last_login_at > now() - interval '1 minute'")


def test_a_password_whose_hash_reads_like_hexadecimal_lets_in_as_any_other(gateway: Gateway, given: Given) -> None:
    """FreeRADIUS takes what begins with 0x for hexadecimal, as one base64 in 4,096 does: it could answer nothing."""
    like = next(hash_ for hash_ in (hashed(PASSWORD) for _ in range(100_000)) if hash_.startswith("0x"))
    given(replace(ACCOUNT, hash=like))
    assert gateway.login(NAME, PASSWORD).accepted
    assert gateway.login(NAME, PASSWORD + "x").rejected


def test_a_session_ends_with_the_lease(gateway: Gateway, given: Given) -> None:
    given(replace(ACCOUNT, lease=timedelta(minutes=10)))
    answer = gateway.login(NAME, PASSWORD)
    assert answer.accepted
    assert 0 < int(answer.attributes["Session-Timeout"]) <= 600


def test_a_wrong_password_comes_in_nowhere(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    wrong = (PASSWORD + "x", PASSWORD.lower(), "", NO_TEXT, "x' OR '1'='1")
    for password in wrong:
        assert_told_nothing(gateway.login(NAME, password))
    assert logins(rows) == [(NAME, False, "wrong_password")] * len(wrong)


def test_ten_wrong_passwords_from_one_address_shut_the_name_to_that_address_and_to_no_other(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    given(replace(ACCOUNT, username="zhang.wei"))
    for number in range(10):
        assert_told_nothing(gateway.login(NAME, f"guess {number}"))
    assert_told_nothing(gateway.login(NAME, PASSWORD))
    assert gateway.login("zhang.wei", PASSWORD).accepted
    assert gateway.login(NAME, PASSWORD, Calling_Station_Id="203.0.113.10").accepted
    assert logins(rows)[9:] == [
        (NAME, False, "wrong_password"),
        (NAME, False, "too_many_tries"),
        ("zhang.wei", True, None),
        (NAME, True, None),
    ]


def test_a_name_that_was_shut_opens_five_minutes_after_the_wrong_tries(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    for number in range(12):
        assert_told_nothing(gateway.login(NAME, f"guess {number}"))
    rows("UPDATE vpn_logins SET at = at - interval '5 minutes'")
    assert gateway.login(NAME, PASSWORD).accepted


def test_nobody_comes_in_by_a_name_that_is_none(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    assert_told_nothing(gateway.login("zhang.wei", PASSWORD))
    assert logins(rows) == [("zhang.wei", False, "unknown")]


@pytest.mark.parametrize("reason", KEPT_OUT)
def test_who_may_not_come_in_is_kept_out_with_the_right_password(
    gateway: Gateway, given: Given, rows: Rows, reason: str
) -> None:
    given(KEPT_OUT[reason])
    assert_told_nothing(gateway.login(NAME, PASSWORD))
    assert logins(rows) == [(NAME, False, reason)]


def test_an_account_without_a_group_at_its_gateway_comes_in_nowhere(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    rows("DELETE FROM vpn_groups")
    assert_told_nothing(gateway.login(NAME, PASSWORD))
    assert logins(rows) == [(NAME, False, "no_group")]


def test_no_gateway_speaks_for_another(running: Radius, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    second = replace(running.gateway("vpn-2"), patience=0.5)
    assert_told_nothing(second.login(NAME, PASSWORD, NAS_Identifier="vpn-1"))
    assert not second.account("Start", "one", NAME, NAS_Identifier="vpn-1")
    assert logins(rows) == [(NAME, False, "other_gateway")]
    assert rows("SELECT FROM vpn_sessions") == []


def test_a_session_more_than_allowed_is_refused_until_one_ends(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(replace(ACCOUNT, max_sessions=2))
    for session in ("one", "two"):
        assert gateway.login(NAME, PASSWORD).accepted
        assert gateway.account("Start", session, NAME)
    assert_told_nothing(gateway.login(NAME, PASSWORD))
    assert gateway.account("Stop", "one", NAME)
    assert gateway.login(NAME, PASSWORD).accepted
    assert logins(rows)[2:] == [(NAME, False, "too_many_sessions"), (NAME, True, None)]


def test_that_sessions_are_used_up_is_not_told_to_who_has_a_wrong_password(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    assert gateway.account("Start", "one", NAME)
    assert_told_nothing(gateway.login(NAME, "wrong"))
    assert logins(rows) == [(NAME, False, "wrong_password")]


def test_a_session_that_nobody_told_of_for_three_minutes_keeps_nobody_out(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    assert gateway.account("Start", "one", NAME)
    assert_told_nothing(gateway.login(NAME, PASSWORD))
    rows("UPDATE vpn_sessions SET updated = now() - interval '3 minutes 1 second'")
    assert gateway.login(NAME, PASSWORD).accepted


ODD = {
    "'; DROP TABLE vpn_logins; --": "=27=3B DROP TABLE vpn_logins=3B --",
    "wang.fang' --": "wang.fang=27 --",
    "' OR '1'='1": "=27 OR =271=27==271",
    "\\'; SELECT 1; --": "=5C=27=3B SELECT 1=3B --",
    "%{sql:DELETE FROM vpn_logins}": "=25=7Bsql:DELETE FROM vpn_logins=7D",
    NO_TEXT: "=FF=C0=80",
    HALF_A_SIGN: "=ED=A0=80",
    "line\nbreak": "line\\nbreak",
    "nothing\0more": "nothing",
    "n" * 250: "n" * 250,
    "张伟": "张伟",
}
"""Names, and as what they are kept."""


def test_a_name_that_is_an_attack_comes_in_nowhere_and_is_kept_as_text(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    for name in ODD:
        assert_told_nothing(gateway.login(name, PASSWORD))
    assert logins(rows) == [(kept, False, "unknown") for kept in ODD.values()]


def test_a_session_whose_id_is_an_attack_is_kept_as_text(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    for name in ODD:
        assert gateway.account("Start", name, name, Calling_Station_Id=name)
        assert gateway.account("Stop", name, name, Acct_Session_Time=5)
    found = rows("SELECT session_id, username, client, seconds FROM vpn_sessions WHERE stopped IS NOT NULL ORDER BY id")
    assert [tuple(row) for row in found] == [(kept, kept, None, 5) for kept in ODD.values()]
    assert gateway.login(NAME, PASSWORD).accepted
