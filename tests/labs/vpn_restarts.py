"""Logins by the hundred while the RADIUS server and the database are restarted, at a gateway that Steppe cannot reach.

The gateway is its packets alone: it asks again as a real one does, and dies without a word about half of its tunnels.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import psycopg

from tests.cli.processes import postmaster, runs
from tests.labs.vpn_steppe import LOST_GATEWAY
from tests.labs.vpn_story import AT_ONCE, OURS, Lab, side_by_side
from tests.labs.waiting import until

ACCOUNTS = 120
_PATIENCE, _CLOCK = 90.0, 6 * 60 + 15
_MINUTES = timedelta(minutes=5, seconds=65)
NAMES = [f"load-{number:03}" for number in range(ACCOUNTS)]


class Came(NamedTuple):
    """How somebody came in: after how long, and how many tries, of which some were refused."""

    seconds: float
    tries: int
    refused: int


def parts_are_restarted_under_load(lab: Lab) -> None:
    """Two hundred and forty logins; the RADIUS server goes in the first half, the database in the second.

    FreeRADIUS refuses whoever it is about to answer in the instant in which it is told to end: they try once more.
    """
    check = lab.report.check
    lab.ask(OURS, NAMES, gateway=LOST_GATEWAY)
    lab.hand_out(OURS)
    before = _accounts(lab)
    for what, restart in (("RADIUS server", _restart_radius), ("database", _restart_database)):
        with check(f"{ACCOUNTS} people come in while the {what} is restarted, each within {_PATIENCE:g} s of tries"):
            came = _load(lab, partial(restart, lab))
            tries, refused = sum(one.tries for one in came), sum(one.refused for one in came)
            again, longest = sum(one.tries > 1 for one in came), max(one.seconds for one in came)
            told = f"{tries} tries, {again} asked again, {refused} of them as refused; the longest wait {longest:.1f} s"
            lab.report.figure(f"{ACCOUNTS} logins while the {what} is restarted", told)
            assert refused <= AT_ONCE if what == "RADIUS server" else refused == 0
    with check("no account is lost and none has changed"):
        assert _accounts(lab) == before
    with check("every tunnel is told of in spite of it, and half of them never of their end"):
        side_by_side(partial(_account, lab, "Start"), NAMES)
        side_by_side(partial(_account, lab, "Stop"), NAMES[::2])
        assert len(lab.sessions(gateway=LOST_GATEWAY, up="true")) == ACCOUNTS // 2


def the_clock_ends_what_is_left(lab: Lab) -> None:
    """What nobody told the end of is closed by the clock, and so is who stays longer than his lease."""
    with lab.report.check(
        "no tunnel of a gateway that died is open for more than three minutes and a round of the clock"
    ):
        until("all to be closed", lambda: not lab.sessions(gateway=LOST_GATEWAY, up="true"), _CLOCK, 2)
        found = [one for one in lab.sessions(gateway=LOST_GATEWAY) if one["cause"] == "Lost-Carrier"]
        assert len(found) == ACCOUNTS // 2 and all(one["stopped"] == one["updated"] for one in found), len(found)
    with lab.report.check("the tunnel of a lease that ended is gone within five minutes and a round of the clock"):
        for name, ended in lab.ends.items():
            told = lab.told(name, ended=True, seconds=_CLOCK)
            late = datetime.fromisoformat(told["stopped"]) - ended
            lab.report.figure("lease ended to tunnel gone", f"{late.total_seconds():.0f} s, told as {told['cause']}")
            assert late < _MINUTES, late


def _load(lab: Lab, restart: Callable[[], None]) -> list[Came]:
    """Have all log in, and something restarted once a third has; return how each came in."""
    came = threading.Semaphore(0)

    def once_a_third_is_in() -> None:
        for _ in range(ACCOUNTS // 3):
            came.acquire()
        restart()

    thread = threading.Thread(target=once_a_third_is_in)
    thread.start()
    try:
        return side_by_side(partial(_log_in, lab, came), NAMES)
    finally:
        came.release(ACCOUNTS)
        thread.join()


def _log_in(lab: Lab, came: threading.Semaphore, username: str) -> Came:
    gateway, began, tries, refused = lab.site.packets(LOST_GATEWAY, patience=2), time.monotonic(), 0, 0
    while time.monotonic() - began < _PATIENCE:
        answer = gateway.login(username, lab.passwords[username])
        tries, refused = tries + 1, refused + answer.rejected
        if answer.accepted:
            came.release()
            return Came(time.monotonic() - began, tries, refused)
    raise AssertionError(f"{username} does not come in: {tries} tries, {refused} refused")


def _account(lab: Lab, status: str, username: str) -> None:
    gateway = lab.site.packets(LOST_GATEWAY, patience=2)
    until(f"the {status} of {username}", lambda: gateway.account(status, f"s-{username}", username), _PATIENCE)


def _restart_radius(lab: Lab) -> None:
    lab.site.stop_radius()
    time.sleep(3)
    lab.site.start_radius()


def _restart_database(lab: Lab) -> None:
    """Have it go as a package's update has it go; whoever keeps Steppe running has it come back."""
    state = lab.folder / "steppe"
    old = postmaster(state)
    assert old
    os.kill(old, signal.SIGINT)
    until("the database to end", lambda: not runs(old), 60)
    until("the database to be back", lambda: postmaster(state), 60)


def _accounts(lab: Lab) -> list[tuple[str, ...]]:
    statement = """
        SELECT a.username, a.hash, r.wanted::text, r.desired, r.generation::text
        FROM vpn_accounts a JOIN resources r ON r.id = a.resource_id ORDER BY a.username
    """
    with psycopg.connect(lab.url) as connection:
        return list(connection.execute(statement))
