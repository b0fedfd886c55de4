"""Statements sent straight to psycopg: what becomes of a session whose connection is lost under it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from controlplane.db import Sessions, hurried, make_engine, make_sessions, new_id
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


@pytest.mark.parametrize(
    "roll_back",
    [Session.rollback, Session.close, lambda session: session.begin_nested().rollback()],
    ids=["all", "by closing", "to a savepoint"],
)
def test_statements_serve_on_after_a_rollback(sessions: Sessions, roll_back: Callable[[Session], None]) -> None:
    with sessions() as session:
        for _ in range(2):
            assert wire.run(session, "SELECT %(n)s::int", {"n": 1}).fetchall() == [(1,)]
            # After so many psycopg prepares it, and gives up all that is prepared with the rollback.
            for _ in range(7):
                session.execute(text("SELECT 1"))
            roll_back(session)


@pytest.mark.parametrize("unwaited", [False, True])
def test_what_is_sent_within_a_savepoint_is_undone_with_it(sessions: Sessions, unwaited: bool) -> None:
    with sessions() as session:
        if unwaited:
            hurried(session)
        wire.run(session, "CREATE TEMPORARY TABLE seen (n int) ON COMMIT DROP")
        attempt = session.begin_nested()
        wire.run(session, "INSERT INTO seen VALUES (1)")
        attempt.rollback()
        wire.run(session, "INSERT INTO seen VALUES (2)")
        with session.begin_nested():
            wire.run(session, "INSERT INTO seen VALUES (3)")
        assert session.scalars(text("SELECT n FROM seen ORDER BY n")).all() == [2, 3]


def test_a_refused_statement_is_told_and_the_connection_serves_on(sessions: Sessions) -> None:
    with sessions() as session:
        for _ in range(2):
            with pytest.raises(psycopg.errors.DivisionByZero), wire.pipelined(session):
                wire.run(session, "SELECT 1 / %(n)s::int", {"n": 0})
                wire.run(session, "SELECT 'never seen by the server'")
            session.rollback()
        assert wire.run(session, "SELECT 'never seen by the server'").fetchone() == ("never seen by the server",)


def test_only_what_is_read_is_waited_for(sessions: Sessions) -> None:
    with sessions() as session, wire.pipelined(session):
        first = wire.run(session, "SELECT generate_series(1, %(n)s::int)", {"n": 3})
        wire.run(session, "SELECT pg_sleep(0)")
        last = wire.run(session, "SELECT 50 %% 7, %(id)s::uuid", {"id": UUID(int=7)})
        assert first.fetchall() == [(1,), (2,), (3,)]
        assert last.fetchone() == (1, UUID(int=7))


def test_an_error_of_an_earlier_statement_comes_with_the_first_answer_that_is_read_after_it(sessions: Sessions) -> None:
    with sessions() as session, pytest.raises(psycopg.errors.DivisionByZero), wire.pipelined(session):
        wire.run(session, "SELECT 1 / 0")
        wire.run(session, "SELECT 1").fetchall()
        pytest.fail("read in spite of the error before it")


@pytest.fixture
def hurry(sessions: Sessions) -> Iterator[Session]:
    with sessions() as session:
        wire.run(session, "CREATE TEMP TABLE seen (n int PRIMARY KEY)")
        session.commit()
        yield hurried(session)


def test_what_nobody_waits_for_is_there_after_the_commit(hurry: Session) -> None:
    for number in (1, 2):
        with wire.pipelined(hurry):
            wire.run(hurry, "INSERT INTO seen VALUES (%(n)s::int)", {"n": number})
    wire.run(hurry, "INSERT INTO seen VALUES (3)")
    hurry.commit()
    assert hurry.execute(text("SELECT n FROM seen ORDER BY n")).all() == [(1,), (2,), (3,)]


def test_what_sqlalchemy_asks_is_asked_after_what_nobody_waited_for(hurry: Session) -> None:
    wire.run(hurry, "INSERT INTO seen VALUES (1)")
    assert hurry.execute(text("SELECT n FROM seen")).all() == [(1,)]


@pytest.mark.parametrize(
    "notice",
    [
        Session.commit,
        lambda session: session.execute(text("SELECT 1")),
        lambda session: wire.run(session, "SELECT 1").fetchone(),
    ],
    ids=["commit", "SQLAlchemy", "an answer"],
)
def test_a_refusal_of_what_nobody_waited_for_comes_with_the_next_wait(
    hurry: Session, notice: Callable[[Session], object]
) -> None:
    wire.run(hurry, "INSERT INTO seen VALUES (1)")
    with wire.pipelined(hurry):
        wire.write(hurry, wire.Write((("again", "INSERT INTO seen VALUES (1)"),), {}, ("1",)), refused=taken)
    with pytest.raises(LookupError) as refusal:
        notice(hurry)
    assert isinstance(refusal.value.__cause__, psycopg.errors.UniqueViolation)
    hurry.rollback()
    assert hurry.execute(text("SELECT n FROM seen")).all() == []


def taken(error: psycopg.Error) -> Exception:
    return LookupError(error.diag.constraint_name)


def test_what_nobody_waited_for_is_undone_by_a_rollback(hurry: Session) -> None:
    wire.run(hurry, "INSERT INTO seen VALUES (1)")
    hurry.rollback()
    hurry.commit()
    assert hurry.execute(text("SELECT n FROM seen")).all() == []


def test_a_connection_that_is_lost_under_what_nobody_waited_for_is_told_by_the_commit(
    url: str, sessions: Sessions
) -> None:
    session = hurried(sessions())
    end_connection(url, session)
    with pytest.raises(psycopg.OperationalError):
        wire.run(session, "SELECT 1")
        session.commit()
    session.close()
    with sessions() as another:
        assert wire.run(another, "SELECT 1").fetchall() == [(1,)]


def test_words_of_any_kind_arrive_as_they_are(sessions: Sessions) -> None:
    odd = ["null", "", "a,b", '"', "\\", "{}", "云 ' %s\n"]
    with sessions() as session:
        assert wire.run(session, "SELECT %(w)s::text[]", {"w": wire.words(odd)}).fetchone() == (odd,)
        assert wire.run(session, "SELECT %(w)s::text[]", {"w": wire.words([])}).fetchone() == ([],)


TAKING = wire.Taking(
    "given",
    (("n", "int"), ("id", "uuid"), ("word", "text"), ("details", "jsonb"), ("at", "timestamptz")),
    (("kept", "SELECT * FROM {given}"),),
)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_rows_are_taken_alike_whether_it_is_one_or_many(sessions: Sessions, count: int) -> None:
    at = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
    odd: list[tuple[Any, ...]] = [(1, new_id(), "云 '{}\\", {"a": [None, "ü"]}, at), (2, None, None, {}, None)]
    given = odd[:count]
    ((_, statement),), params = TAKING.rows(given)
    with sessions() as session:
        assert wire.run(session, statement, params).fetchall() == given


def test_a_connection_whose_commit_is_refused_serves_whoever_comes_next(url: str) -> None:
    engine = make_engine(url, pool_size=1)
    sessions = make_sessions(engine)
    for _ in range(2):
        session = hurried(sessions())
        with wire.pipelined(session):
            wire.run(session, "SELECT 1 / %(n)s::int", {"n": 0}, refused=taken)
        with pytest.raises(LookupError):
            session.commit()
        session.close()
        with sessions() as another:
            assert wire.run(another, "SELECT %(n)s::int", {"n": 1}).fetchone() == (1,)
    engine.dispose()


BEHIND = wire.Write((), {}, ("1",), ("SELECT pg_notify('behind', txid_current()::text)",))


def heard(listening: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Return what was said on the channel until now; the server hands it over before it answers."""
    listening.execute("SELECT 1")
    return [said.payload for said in listening.notifies(timeout=0)]


@pytest.fixture
def listening(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN behind")
        yield connection


@pytest.mark.parametrize("unwaited", [False, True])
def test_what_goes_behind_the_commit_is_done_once_and_in_a_transaction_of_its_own(
    sessions: Sessions, listening: psycopg.Connection[tuple[object, ...]], unwaited: bool
) -> None:
    with sessions() as session:
        if unwaited:
            hurried(session)
        wire.write(session, BEHIND)
        wire.write(session, BEHIND)
        [(own,)] = wire.run(session, "SELECT txid_current()::text")
        assert heard(listening) == []
        session.commit()
        [said] = heard(listening)
        assert int(said) > int(own)
        wire.run(session, "SELECT 1")
        session.commit()
    assert heard(listening) == []


@pytest.mark.parametrize("unwaited", [False, True])
@pytest.mark.parametrize("give_up", [Session.rollback, Session.close])
def test_nothing_goes_behind_a_transaction_that_was_given_up(
    sessions: Sessions,
    listening: psycopg.Connection[tuple[object, ...]],
    give_up: Callable[[Session], None],
    unwaited: bool,
) -> None:
    with sessions() as session:
        if unwaited:
            hurried(session)
        wire.write(session, BEHIND)
        give_up(session)
        wire.run(session, "SELECT 1")
        session.commit()
    assert heard(listening) == []


def test_nothing_goes_behind_a_commit_that_was_refused(
    hurry: Session, listening: psycopg.Connection[tuple[object, ...]]
) -> None:
    wire.run(hurry, "INSERT INTO seen VALUES (1)")
    wire.run(hurry, "INSERT INTO seen VALUES (1)")
    wire.write(hurry, BEHIND)
    with pytest.raises(psycopg.errors.UniqueViolation):
        hurry.commit()
    assert heard(listening) == []


@pytest.mark.parametrize("unwaited", [False, True])
def test_a_commit_stands_where_what_goes_behind_it_fails(sessions: Sessions, unwaited: bool) -> None:
    with sessions() as session:
        if unwaited:
            hurried(session)
        wire.run(session, "CREATE TEMP TABLE seen (n int)")
        wire.write(session, wire.Write((("put", "INSERT INTO seen VALUES (1)"),), {}, ("1",), ("SELECT 1 / 0",)))
        session.commit()
        assert wire.run(session, "SELECT n FROM seen").fetchall() == [(1,)]


def test_values_of_every_kind_go_as_json(sessions: Sessions) -> None:
    class Pair(NamedTuple):
        first: int
        second: UUID

    sent = wire.rows([{"who": UUID(int=7), "pair": Pair(1, UUID(int=2)), "share": Decimal("0.5"), "name": "财政厅"}])
    with sessions() as session:
        [(read,)] = wire.run(session, "SELECT %(sent)s::json", {"sent": sent})
    [row] = read
    assert (UUID(row["who"]), row["pair"][0], UUID(row["pair"][1])) == (UUID(int=7), 1, UUID(int=2))
    assert (row["share"], row["name"]) == ("0.5", "财政厅")
