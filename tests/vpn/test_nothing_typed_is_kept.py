"""No password and no code is anywhere after people have tried to come in: not in a table, not in a file of RADIUS's."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
from psycopg import sql

from controlplane.models import Resource
from tests.accounts import KEYS, TOTP_SECRET
from tests.vpn.accounts import Account
from tests.vpn.radius_server import PASSWORD as OF_THE_DATABASE
from tests.vpn.radius_server import Radius
from tests.vpn.test_login_codes import code

Given = Callable[[Account], Resource]

TYPED = {
    "wang.fang": "Right-Password-81",
    "li.na": "Wrong-Password-82",
    "zhang.wei": "Password-Of-Nobody-83",
    "liu.yang": "Suspended-Password-84",
    "chen.jie": "Password-With-Code-85",
    "zhao.lei": "Password-Without-Code-86",
}


def every_row(url: str) -> str:
    """Return every row of every table as text, of those too that are nobody's to read but the owner's."""
    with psycopg.connect(url) as owner:
        tables = [name for (name,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = (owner.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))) for name in tables)
        return "\n".join(line for found in rows for (line,) in found)


def test_no_password_is_in_a_table_or_in_a_log_of_radius(running: Radius, url: str, given: Given) -> None:
    coded = Account(totp_secret=KEYS.radius.seal(TOTP_SECRET))
    given(Account("wang.fang").with_password(TYPED["wang.fang"]))
    given(Account("li.na").with_password("another"))
    given(Account("liu.yang", power="off").with_password(TYPED["liu.yang"]))
    for name in ("chen.jie", "zhao.lei"):
        given(replace(coded, username=name).with_password(TYPED[name]))
    gateway = running.gateway()
    assert gateway.login("wang.fang", TYPED["wang.fang"]).accepted
    for name in ("li.na", "zhang.wei", "liu.yang", "zhao.lei"):
        assert gateway.login(name, TYPED[name]).rejected
    for _ in range(2):
        gateway.login("chen.jie", TYPED["chen.jie"] + code())
    # What FreeRADIUS itself cannot read, or not as text, it may be moved to complain of.
    assert gateway.login("chen.jie", TYPED["chen.jie"] + "\udcff" + code()).rejected
    kept = every_row(url) + running.log()
    assert "wang.fang" in kept
    for secret in (*TYPED.values(), OF_THE_DATABASE, TOTP_SECRET):
        assert secret not in kept
