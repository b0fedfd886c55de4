"""Statements sent straight to psycopg: what becomes of a session whose connection is lost under it."""

import psycopg
import pytest
from sqlalchemy.orm import Session

from controlplane.db import Sessions
from quotas import wire


def end_connection(url: str, session: Session) -> None:
    """End the server's side of a session's connection."""
    [(pid,)] = wire.run(session, "SELECT pg_backend_pid()")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_session_that_lost_its_connection_is_closed_without_an_error(
    url: str, sessions: Sessions, pipelined: bool
) -> None:
    session = sessions()
    end_connection(url, session)
    with pytest.raises(psycopg.OperationalError):
        if pipelined:
            with wire.pipelined(session):
                wire.run(session, "SELECT 1").fetchall()
        else:
            wire.run(session, "SELECT 1")
    session.close()
    with sessions() as another:
        assert wire.run(another, "SELECT 1").fetchall() == [(1,)]


def test_the_pool_opens_another_connection_where_the_server_has_ended_one(url: str, sessions: Sessions) -> None:
    with sessions() as session:
        [(before,)] = wire.run(session, "SELECT pg_backend_pid()")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
    with sessions() as session:
        [(after,)] = wire.run(session, "SELECT pg_backend_pid()")
    assert after != before
