"""What RADIUS's role may do in the database: read two views and call six functions, whatever else there is."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, LiteralString, cast

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState, UndefinedObject, WrongObjectType

from controlplane.models import Resource
from tests.templates import Template
from tests.vpn.accounts import Account
from tests.vpn.radius_server import login

Given = Callable[[Account], Resource]

VIEWS = {"radius_check", "radius_reply"}
FUNCTIONS = {
    "radius_accounting",
    "radius_gateway_restarted",
    "radius_guesses",
    "radius_logged",
    "radius_sessions",
    "radius_totp_used",
}
PURE = {"pieces", "pieces_sought"}
"""What makes text of text, and is anybody's to call."""
REFUSALS = (InsufficientPrivilege, ObjectNotInPrerequisiteState, WrongObjectType)
"""Of a view that nothing can be written to, PostgreSQL says so before it looks who asks."""
WRITES = (
    "INSERT INTO {} DEFAULT VALUES",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "LOCK TABLE {} IN ACCESS SHARE MODE",
    "COPY {} TO STDOUT",
)


@pytest.fixture
def radius(start_gateways: Template[None], url: str, given: Given) -> Iterator[psycopg.Connection]:
    """A connection as RADIUS's login role."""
    given(Account().with_password())
    with psycopg.connect(login(url), autocommit=True) as connection:
        yield connection


def refused(connection: psycopg.Connection, statement: sql.Composable) -> bool:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except REFUSALS:
        return True
    return False


def relations(connection: psycopg.Connection) -> list[str]:
    """Return all tables and views of ours, and the queue's."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')"
    )
    return [name for (name,) in found]


def test_it_reads_two_views_and_no_table(radius: psycopg.Connection) -> None:
    names = relations(radius)
    assert {"vpn_accounts", "users", "radius_accounts", "procrastinate_jobs"} <= set(names)
    read = {name for name in names if not refused(radius, sql.SQL("SELECT FROM {}").format(sql.Identifier(name)))}
    assert read == VIEWS


def test_it_writes_nowhere(radius: psycopg.Connection) -> None:
    for name in relations(radius):
        for write in WRITES:
            if name in VIEWS and write.startswith("LOCK"):
                continue
            statement = sql.SQL(cast(LiteralString, write)).format(sql.Identifier(name))
            assert refused(radius, statement), f"{write} {name}"
    assert refused(radius, sql.SQL("CREATE TABLE mine (a integer)"))
    assert refused(radius, sql.SQL("UPDATE vpn_accounts SET hash = 'mine'"))
    assert refused(radius, sql.SQL("UPDATE radius_check SET value = 'mine'"))


def test_of_our_functions_it_calls_its_own_six(radius: psycopg.Connection) -> None:
    found = radius.execute(
        """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE')
            AND prorettype <> 'trigger'::regtype AND proname NOT LIKE 'procrastinate\\_%'
        """
    )
    assert {name for (name,) in found} == FUNCTIONS | PURE


def test_of_the_functions_of_others_none_gives_it_the_rights_of_another(radius: psycopg.Connection) -> None:
    found = radius.execute(
        """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE') AND prosecdef
        """
    )
    assert {name for (name,) in found} == FUNCTIONS


def test_it_takes_no_other_role(radius: psycopg.Connection) -> None:
    for role in ("steppe_app", "steppe_centre", "postgres"):
        with suppress(UndefinedObject):
            assert refused(radius, sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def test_what_it_calls_looks_for_tables_nowhere_but_in_ours(radius: psycopg.Connection) -> None:
    mine = "'wang.fang' AS username, NULL::timestamptz AS stopped, now() AS updated"
    radius.execute(f"CREATE TEMP TABLE vpn_sessions AS SELECT {mine}")
    counted: Any = radius.execute("SELECT radius_sessions('wang.fang')").fetchone()
    assert counted == (0,)
