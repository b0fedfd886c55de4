"""What gateways tell of sessions, in whichever order and however often they tell it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from controlplane.models import Resource
from tests.vpn.accounts import PASSWORD, Account
from tests.vpn.gateways import Gateway
from tests.vpn.radius_server import Radius

Given = Callable[[Account], Resource]
Rows = Callable[[str], list[Row[Any]]]

NAME = "wang.fang"
ACCOUNT = Account(NAME).with_password()
GIB4 = 2**32


def only(rows: Rows) -> dict[str, Any]:
    """Return the one session that there is."""
    [found] = rows("SELECT * FROM vpn_sessions")
    return dict(found._mapping)


def test_a_session_is_kept_with_whose_it_is_and_how_it_ended(gateway: Gateway, given: Given, rows: Rows) -> None:
    resource = given(ACCOUNT)
    assert gateway.account("Start", "a+b/c==", NAME, Framed_IP_Address="10.80.1.7")
    begun = only(rows)
    assert begun["stopped"] is None
    assert (begun["resource_id"], begun["department_id"]) == (resource.id, resource.department_id)
    assert (str(begun["client"]), str(begun["address"])) == ("203.0.113.9", "10.80.1.7")
    assert (begun["session_id"], begun["gateway"], begun["username"]) == ("a+b/c==", "vpn-1", NAME)
    done = {"Acct_Session_Time": 90, "Acct_Input_Octets": 1000, "Acct_Output_Octets": 2000}
    assert gateway.account("Stop", "a+b/c==", NAME, **done, Acct_Terminate_Cause="Admin-Reset")
    ended = only(rows)
    assert ended["stopped"] is not None
    assert [ended[name] for name in ("seconds", "bytes_in", "bytes_out", "cause")] == [90, 1000, 2000, "Admin-Reset"]
    assert ended["address"] == begun["address"]


def test_more_than_four_gigabytes_are_counted_whole(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    more = {
        "Acct_Input_Octets": GIB4 - 1,
        "Acct_Input_Gigawords": 3,
        "Acct_Output_Octets": 7,
        "Acct_Output_Gigawords": 1,
    }
    assert gateway.account("Interim-Update", "one", NAME, **more)
    found = only(rows)
    assert (found["bytes_in"], found["bytes_out"]) == (4 * GIB4 - 1, GIB4 + 7)


def test_a_session_whose_start_was_lost_begins_when_it_began(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    assert gateway.account("Interim-Update", "one", NAME, Acct_Session_Time=600)
    [[ago]] = rows("SELECT extract(epoch FROM now() - started)::integer FROM vpn_sessions")
    assert 600 <= ago < 630


def test_what_is_told_twice_or_late_changes_nothing(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    middle = {"Acct_Session_Time": 60, "Acct_Input_Octets": 500, "Acct_Output_Octets": 500}
    end = {"Acct_Session_Time": 90, "Acct_Input_Octets": 1000, "Acct_Output_Octets": 2000}
    assert gateway.account("Start", "one", NAME)
    for _ in range(2):
        assert gateway.account("Interim-Update", "one", NAME, **middle)
    for _ in range(2):
        assert gateway.account("Stop", "one", NAME, **end, Acct_Terminate_Cause="User-Request")
    ended = only(rows)
    assert gateway.account("Interim-Update", "one", NAME, **middle)
    assert gateway.account("Start", "one", NAME)
    after = only(rows)
    assert {**after, "updated": None} == {**ended, "updated": None}
    assert gateway.login(NAME, PASSWORD).accepted


def given_up(rows: Rows) -> None:
    """Have the record be closed as of a tunnel that was lost without a word."""
    rows("UPDATE vpn_sessions SET stopped = updated, cause = 'Lost-Carrier'")


def test_a_session_that_was_taken_for_lost_is_open_again_once_it_is_told_of_again(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    assert gateway.account("Interim-Update", "one", NAME, Acct_Session_Time=60)
    given_up(rows)
    assert gateway.account("Interim-Update", "one", NAME, Acct_Session_Time=120)
    found = only(rows)
    assert (found["stopped"], found["cause"]) == (None, None)
    assert gateway.login(NAME, PASSWORD).rejected
    assert gateway.account("Stop", "one", NAME, Acct_Session_Time=130, Acct_Terminate_Cause="User-Request")
    assert only(rows)["cause"] == "User-Request"


def test_a_session_that_was_taken_for_lost_stays_so_where_an_old_packet_comes_late(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    assert gateway.account("Interim-Update", "one", NAME, Acct_Session_Time=60)
    given_up(rows)
    for status in ("Start", "Interim-Update"):
        assert gateway.account(status, "one", NAME, Acct_Session_Time=60)
    assert gateway.account("Start", "one", NAME, Acct_Session_Time=61)
    assert only(rows)["cause"] == "Lost-Carrier"


def test_the_end_of_a_session_that_was_taken_for_lost_is_what_is_told_of_it_and_nothing_opens_it_again(
    gateway: Gateway, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    assert gateway.account("Start", "one", NAME)
    given_up(rows)
    assert gateway.account("Stop", "one", NAME, Acct_Session_Time=90, Acct_Terminate_Cause="Lost-Carrier")
    ended = only(rows)
    assert ended["stopped"] > ended["started"]
    assert gateway.account("Interim-Update", "one", NAME, Acct_Session_Time=95)
    after = only(rows)
    assert (after["stopped"], after["cause"]) == (ended["stopped"], "Lost-Carrier")


def test_no_late_packet_opens_a_session_that_ended_with_its_gateway(gateway: Gateway, given: Given, rows: Rows) -> None:
    given(ACCOUNT)
    assert gateway.account("Start", "one", NAME)
    assert gateway.restarted()
    assert gateway.account("Interim-Update", "one", NAME, Acct_Session_Time=60)
    assert only(rows)["cause"] == "NAS-Reboot" and only(rows)["stopped"]


def test_a_gateway_that_restarts_has_no_sessions_left_and_another_one_keeps_its_own(
    running: Radius, given: Given, rows: Rows
) -> None:
    given(ACCOUNT)
    first, second = running.gateway("vpn-1"), running.gateway("vpn-2")
    for gateway in (first, second):
        assert gateway.account("Start", "the-same-id", NAME)
    assert first.restarted()
    found = rows("SELECT gateway, stopped IS NOT NULL, cause FROM vpn_sessions ORDER BY gateway")
    assert [tuple(row) for row in found] == [("vpn-1", True, "NAS-Reboot"), ("vpn-2", False, None)]
    assert second.restarted("Accounting-Off")
    assert rows("SELECT FROM vpn_sessions WHERE stopped IS NULL") == []
    assert first.restarted()


def test_a_session_of_somebody_unknown_is_kept_as_nobodys(gateway: Gateway, rows: Rows) -> None:
    assert gateway.account("Start", "one", "zhang.wei")
    found = only(rows)
    assert (found["username"], found["resource_id"], found["department_id"]) == ("zhang.wei", None, None)
