"""The ledger's verbs on a real database: what fits is posted on every account concerned, what does not is not at all.

Every figure that Steppe shows comes from here, so each verb is checked for what it posts, whom it asks and whom it
names when it refuses, and the database is checked for refusing what the verbs would never do.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from controlplane.db import Sessions, transaction
from quotas import ledger
from quotas.amounts import QuotaExceeded, Shortage
from quotas.ledger import Demand
from quotas.limits import set_limit
from quotas.verify import Discrepancy, verify

TOP, MIDDLE, LEAF, SIBLING, POOL, OTHER_POOL = (uuid4() for _ in range(6))
"""A tree of departments (both leaves below the middle one) and two pools."""
BELOW = {TOP: (MIDDLE, LEAF, SIBLING), MIDDLE: (LEAF, SIBLING), LEAF: (), SIBLING: ()}
ABOVE = {TOP: (), MIDDLE: (TOP,), LEAF: (TOP, MIDDLE), SIBLING: (TOP, MIDDLE)}
Verb = Callable[[Session, Sequence[Demand]], None]


@pytest.fixture
def session(shared: Sessions) -> Iterator[Session]:
    """A session whose work is thrown away, with the accounts of `_open_accounts`."""
    with shared() as session:
        _open_accounts(session)
        yield session
        session.rollback()


@pytest.fixture
def kept(sessions: Sessions) -> Iterator[Session]:
    """A session on the test's own database, for tests that commit."""
    with sessions() as session:
        _open_accounts(session)
        session.commit()
        yield session


def _open_accounts(session: Session) -> None:
    """Let both leaves use 10 of `vcpu` and `vm`, and give both pools 100."""
    for leaf in (LEAF, SIBLING):
        limit(session, leaf, vcpu=10, vm=10)
    for pool in (POOL, OTHER_POOL):
        set_limit(session, pool, "pool", {"vcpu": 100, "vm": 100})


@pytest.fixture
def owner(shared_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the role that owns the tables: a superuser, whom only triggers can stop. Leaves nothing."""
    with psycopg.connect(shared_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def intruder(url: str) -> Iterator[psycopg.Connection]:
    """The owner's connection to the test's own database, where what it does stays."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def limit(session: Session, department: UUID, **limits: int | None) -> None:
    set_limit(session, department, "department", limits, BELOW[department])


def demand(subject: UUID | None = None, *, origin: UUID = LEAF, pool: UUID | None = POOL, **amounts: int) -> Demand:
    return Demand(subject or uuid4(), origin, amounts, ABOVE[origin], pool)


def asked(**amounts: int) -> Demand:
    """Return a demand for which no pool is chosen yet."""
    return demand(pool=None, **amounts)


def balance(session: Session, account_owner: UUID, resource_class: str = "vcpu") -> tuple[int, int]:
    """Return (held, used)."""
    row = session.execute(
        text("SELECT held, used FROM ledger_accounts WHERE owner = :owner AND resource_class = :class"),
        {"owner": account_owner, "class": resource_class},
    ).one()
    return row.held, row.used


def lines(session: Session, subject: UUID) -> list[tuple[UUID, str, int, int]]:
    """Return the (owner, kind, held, used) of every posting of a subject, in order of writing and of owner."""
    rows = session.execute(
        text(
            "SELECT a.owner, p.kind, p.held, p.used FROM ledger_postings p"
            " JOIN ledger_accounts a ON a.id = p.account_id WHERE p.subject = :subject ORDER BY p.id"
        ),
        {"subject": subject},
    )
    return [(row.owner, row.kind, row.held, row.used) for row in rows]


def refused(session: Session, verb: Verb, *demands: Demand) -> tuple[Shortage, ...]:
    """Return what `verb` says is short, and make sure that it posted nothing."""
    before = session.scalar(text("SELECT count(*) FROM ledger_postings"))
    with pytest.raises(QuotaExceeded) as caught:
        verb(session, demands)
    assert session.scalar(text("SELECT count(*) FROM ledger_postings")) == before
    return caught.value.shortages


def found(session: Session) -> list[Discrepancy]:
    return list(verify(session))


# The verbs


def test_a_hold_counts_on_the_department_and_on_no_pool(session: Session) -> None:
    ledger.hold(session, [asked(vcpu=4)])
    assert balance(session, LEAF) == (4, 0)
    assert balance(session, POOL) == (0, 0)
    assert found(session) == []


def test_an_allocation_counts_on_the_department_and_on_the_pool(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    assert balance(session, LEAF) == balance(session, POOL) == (0, 4)
    assert sorted(lines(session, ask.subject)) == sorted([(LEAF, "commit", 0, 4), (POOL, "commit", 0, 4)])
    assert found(session) == []


def test_what_is_held_and_what_is_used_count_together(session: Session) -> None:
    ledger.hold(session, [asked(vcpu=4)])
    ledger.allocate(session, [demand(vcpu=6)])
    [short] = refused(session, ledger.hold, asked(vcpu=1))
    assert (short.used, short.held, short.asked, short.limit, short.short_by) == (6, 4, 1, 10, 1)


def test_commit_turns_a_hold_into_use_without_needing_room_for_both(session: Session) -> None:
    request = asked(vcpu=10)
    ledger.hold(session, [request])
    first, second = demand(vcpu=6), demand(vcpu=4)
    ledger.commit(session, request.subject, [first, second])
    assert balance(session, LEAF) == balance(session, POOL) == (0, 10)
    assert lines(session, request.subject) == [(LEAF, "hold", 10, 0), (LEAF, "void", -10, 0)]
    assert found(session) == []


def test_commit_of_more_than_was_held_is_refused_where_the_rest_does_not_fit_and_the_hold_stands(
    session: Session,
) -> None:
    request = asked(vcpu=8)
    ledger.hold(session, [request])
    [short] = refused(session, lambda s, demands: ledger.commit(s, request.subject, demands), demand(vcpu=11))
    assert (short.owner, short.asked, short.held, short.short_by) == (LEAF, 11, 0, 1)
    assert balance(session, LEAF) == (8, 0)


def test_commit_is_refused_by_a_full_pool_and_the_hold_stands(session: Session) -> None:
    set_limit(session, POOL, "pool", {"vcpu": 3})
    request = asked(vcpu=4)
    ledger.hold(session, [request])
    [short] = refused(session, lambda s, demands: ledger.commit(s, request.subject, demands), demand(vcpu=4))
    assert (short.owner, short.owner_kind) == (POOL, "pool")
    assert balance(session, LEAF) == (4, 0)


def test_a_hold_made_before_the_limit_was_cut_is_no_claim_against_the_new_limit(session: Session) -> None:
    request = asked(vcpu=8)
    ledger.hold(session, [request])
    limit(session, LEAF, vcpu=7)
    [short] = refused(session, lambda s, demands: ledger.commit(s, request.subject, demands), demand(vcpu=8))
    assert (short.owner, short.limit, short.held, short.short_by) == (LEAF, 7, 0, 1)
    assert balance(session, LEAF) == (8, 0)
    ledger.commit(session, request.subject, [demand(vcpu=7)])
    assert balance(session, LEAF) == (0, 7)


def test_void_gives_up_a_hold_once_however_often_it_is_called(session: Session) -> None:
    request = asked(vcpu=4, vm=1)
    ledger.hold(session, [request])
    for _ in range(2):
        ledger.void(session, [request.subject])
    assert balance(session, LEAF) == balance(session, LEAF, "vm") == (0, 0)
    assert found(session) == []


def test_release_gives_back_all_use_once_however_often_it_is_called(session: Session) -> None:
    ask = demand(vcpu=4, vm=1)
    ledger.allocate(session, [ask])
    for _ in range(2):
        ledger.release(session, [ask.subject])
    assert balance(session, LEAF) == balance(session, POOL) == (0, 0)
    assert found(session) == []


def test_void_leaves_use_and_release_leaves_holds(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    ledger.hold(session, [demand(ask.subject, pool=None, vcpu=3)])
    ledger.void(session, [ask.subject])
    assert balance(session, LEAF) == (0, 4)
    ledger.hold(session, [demand(ask.subject, pool=None, vcpu=3)])
    ledger.release(session, [ask.subject])
    assert balance(session, LEAF) == (3, 0)


def test_settle_posts_only_the_difference_in_either_direction(session: Session) -> None:
    ask = demand(vcpu=4, vm=1)
    ledger.allocate(session, [ask])
    ledger.settle(session, [demand(ask.subject, vcpu=7, vm=1)])
    ledger.settle(session, [demand(ask.subject, vcpu=2, vm=1)])
    at_leaf = [line[1:] for line in lines(session, ask.subject) if line[0] == LEAF]
    assert sorted(at_leaf[:2]) == [("commit", 0, 1), ("commit", 0, 4)]
    assert at_leaf[2:] == [("adjust", 0, 3), ("adjust", 0, -5)]
    assert balance(session, POOL) == (0, 2)
    assert found(session) == []


def test_settle_to_what_is_there_posts_nothing(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    ledger.settle(session, [ask])
    assert len(lines(session, ask.subject)) == 2


def test_settle_refuses_growth_that_does_not_fit_and_leaves_what_was_there(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    [short] = refused(session, ledger.settle, demand(ask.subject, vcpu=12))
    assert (short.owner, short.used, short.asked, short.short_by) == (LEAF, 4, 8, 2)


def test_settle_gives_back_a_class_that_is_no_longer_asked(session: Session) -> None:
    ask = demand(vcpu=4, vm=1)
    ledger.allocate(session, [ask])
    ledger.settle(session, [demand(ask.subject, vm=1)])
    assert balance(session, LEAF, "vcpu") == balance(session, POOL, "vcpu") == (0, 0)
    assert balance(session, LEAF, "vm") == (0, 1)


def test_settle_moves_a_subject_between_pools(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    ledger.settle(session, [replace(ask, pool=OTHER_POOL)])
    assert balance(session, POOL) == (0, 0)
    assert balance(session, OTHER_POOL) == balance(session, LEAF) == (0, 4)
    assert found(session) == []


def test_settle_moves_a_subject_between_departments_below_a_full_ancestor(session: Session) -> None:
    limit(session, TOP, vcpu=4)
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    ledger.settle(session, [replace(ask, origin=SIBLING)])
    assert balance(session, LEAF) == (0, 0)
    assert balance(session, SIBLING) == balance(session, TOP) == balance(session, POOL) == (0, 4)
    assert found(session) == []
    origins = session.execute(
        text("SELECT p.origin, sum(p.used) FROM ledger_postings p WHERE p.subject = :s GROUP BY 1"), {"s": ask.subject}
    )
    assert {row[0]: row[1] for row in origins} == {LEAF: 0, SIBLING: 12}


def test_a_move_to_a_department_without_room_is_refused(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    limit(session, SIBLING, vcpu=3)
    [short] = refused(session, ledger.settle, replace(ask, origin=SIBLING))
    assert (short.owner, short.asked) == (SIBLING, 4)


def test_many_demands_are_taken_all_or_none(session: Session) -> None:
    [short] = refused(session, ledger.allocate, demand(vcpu=6), demand(vcpu=6), demand(origin=SIBLING, vcpu=1))
    assert (short.owner, short.asked, short.short_by) == (LEAF, 12, 2)
    assert balance(session, SIBLING) == balance(session, LEAF) == (0, 0)


def test_nothing_asked_locks_nothing_and_posts_nothing(kept: Session, sessions: Sessions) -> None:
    kept.commit()
    for verb in (ledger.hold, ledger.allocate, ledger.settle):
        verb(kept, [])
        verb(kept, [Demand(uuid4(), LEAF, {})])
    with sessions() as another:
        free = another.execute(text("SELECT id FROM ledger_accounts FOR UPDATE SKIP LOCKED")).all()
        assert len(free) == another.scalar(text("SELECT count(*) FROM ledger_accounts"))


# Refusals


def test_a_refusal_names_every_class_and_every_owner_that_is_short(session: Session) -> None:
    limit(session, TOP, vcpu=5)
    set_limit(session, POOL, "pool", {"vm": 1})
    ledger.allocate(session, [demand(vcpu=2, vm=1)])
    ledger.hold(session, [asked(vcpu=1)])
    shortages = refused(session, ledger.allocate, demand(vcpu=9, vm=12))
    assert {
        (s.owner, s.owner_kind, s.resource_class, s.limit, s.used, s.held, s.asked, s.short_by) for s in shortages
    } == {
        (LEAF, "department", "vcpu", 10, 2, 1, 9, 2),
        (LEAF, "department", "vm", 10, 1, 0, 12, 3),
        (TOP, "department", "vcpu", 5, 2, 1, 9, 7),
        (POOL, "pool", "vm", 1, 1, 0, 12, 12),
    }


def test_a_class_for_which_the_department_has_no_account_is_refused(session: Session) -> None:
    [short] = refused(session, ledger.hold, asked(disk_gib=50))
    assert (short.owner, short.resource_class, short.limit, short.asked) == (LEAF, "disk_gib", 0, 50)


def test_a_class_that_the_pool_does_not_have_is_refused(session: Session) -> None:
    limit(session, LEAF, disk_gib=None)
    [short] = refused(session, ledger.allocate, demand(disk_gib=50))
    assert (short.owner, short.owner_kind, short.resource_class) == (POOL, "pool", "disk_gib")


def test_missing_accounts_and_short_ones_are_named_together(session: Session) -> None:
    shortages = refused(session, ledger.hold, asked(disk_gib=50, vcpu=11))
    assert {(s.resource_class, s.short_by) for s in shortages} == {("disk_gib", 50), ("vcpu", 1)}


def test_none_of_a_class_needs_no_account(session: Session) -> None:
    ledger.hold(session, [asked(disk_gib=0, vcpu=1)])
    assert balance(session, LEAF) == (1, 0)


# The tree


def test_an_ancestor_with_a_limit_refuses_and_is_named(session: Session) -> None:
    limit(session, TOP, vcpu=12)
    ledger.allocate(session, [demand(vcpu=8)])
    [short] = refused(session, ledger.allocate, demand(origin=SIBLING, vcpu=5))
    assert (short.owner, short.limit, short.used, short.asked) == (TOP, 12, 8, 5)


def test_an_ancestor_without_a_limit_is_neither_posted_nor_locked(kept: Session, sessions: Sessions) -> None:
    limit(kept, TOP, vcpu=None)
    limit(kept, MIDDLE, vcpu=50)
    kept.commit()
    ledger.allocate(kept, [demand(vcpu=4)])
    assert balance(kept, TOP) == (0, 0)
    assert balance(kept, MIDDLE) == (0, 4)
    with sessions() as another:
        free = another.execute(
            text("SELECT owner FROM ledger_accounts WHERE resource_class = 'vcpu' FOR UPDATE SKIP LOCKED")
        )
        assert set(free.scalars()) == {TOP, SIBLING, OTHER_POOL}


def test_the_first_limit_of_an_ancestor_counts_what_those_below_it_have(session: Session) -> None:
    ledger.allocate(session, [demand(vcpu=4), demand(origin=SIBLING, vcpu=3)])
    ledger.hold(session, [asked(vcpu=2)])
    limit(session, TOP, vcpu=10)
    assert balance(session, TOP) == (2, 7)
    [short] = refused(session, ledger.hold, demand(origin=SIBLING, pool=None, vcpu=2))
    assert (short.owner, short.short_by) == (TOP, 1)
    assert found(session) == []


def test_what_was_counted_by_a_first_limit_is_given_back_with_the_rest(session: Session) -> None:
    one, two, request = demand(vcpu=4), demand(origin=SIBLING, vcpu=3), asked(vcpu=2)
    ledger.allocate(session, [one, two])
    ledger.hold(session, [request])
    limit(session, TOP, vcpu=10)
    ledger.settle(session, [demand(one.subject, vcpu=1)])
    ledger.commit(session, request.subject, [demand(request.subject, vcpu=2)])
    assert balance(session, TOP) == (0, 6)
    ledger.release(session, [one.subject, two.subject, request.subject])
    assert balance(session, TOP) == balance(session, LEAF) == balance(session, POOL) == (0, 0)
    assert found(session) == []


def test_a_limit_that_is_removed_and_set_again_counts_what_happened_between(session: Session) -> None:
    before, gone, grown = demand(vcpu=1), demand(vcpu=2), demand(origin=SIBLING, vcpu=3)
    limit(session, TOP, vcpu=10)
    ledger.allocate(session, [before, gone, grown])
    limit(session, TOP, vcpu=None)
    ledger.release(session, [gone.subject])
    ledger.settle(session, [demand(grown.subject, origin=SIBLING, vcpu=5)])
    ledger.allocate(session, [demand(vcpu=2)])
    limit(session, TOP, vcpu=10)
    assert balance(session, TOP) == (0, 8)
    assert found(session) == []


def test_a_first_limit_counts_a_moved_subject_once(session: Session) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(session, [ask])
    ledger.settle(session, [replace(ask, origin=SIBLING)])
    limit(session, TOP, vcpu=10)
    limit(session, MIDDLE, vcpu=10)
    assert balance(session, TOP) == balance(session, MIDDLE) == (0, 4)
    ledger.release(session, [ask.subject])
    assert balance(session, TOP) == balance(session, MIDDLE) == (0, 0)


def test_a_first_limit_that_is_less_than_those_below_it_use_is_set_and_refuses_growth(session: Session) -> None:
    ledger.allocate(session, [demand(vcpu=4)])
    limit(session, TOP, vcpu=3)
    assert balance(session, TOP) == (0, 4)
    [short] = refused(session, ledger.allocate, demand(origin=SIBLING, vcpu=1))
    assert (short.owner, short.short_by) == (TOP, 2)


# Limits


def test_a_limit_below_what_is_used_admits_nothing_more_and_lets_go_of_what_is_there(session: Session) -> None:
    one, two = demand(vcpu=6), demand(vcpu=4)
    ledger.allocate(session, [one, two])
    limit(session, LEAF, vcpu=3)
    [short] = refused(session, ledger.allocate, demand(vcpu=1))
    assert (short.limit, short.used, short.short_by) == (3, 10, 8)
    ledger.settle(session, [demand(one.subject, vcpu=5)])
    refused(session, ledger.settle, demand(one.subject, vcpu=6))
    ledger.release(session, [one.subject, two.subject])
    ledger.allocate(session, [demand(vcpu=3)])
    assert balance(session, LEAF) == (0, 3)


def test_a_limit_of_none_admits_everything(session: Session) -> None:
    limit(session, LEAF, vcpu=None)
    ledger.hold(session, [asked(vcpu=10**12)])
    assert balance(session, LEAF) == (10**12, 0)


def test_every_change_of_a_limit_is_recorded_as_a_posting(session: Session) -> None:
    for value in (20, 20, 5, None, 0):
        limit(session, LEAF, vcpu=value)
    recorded = session.scalars(
        text(
            "SELECT p.limit_after FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id"
            " WHERE a.owner = :owner AND a.resource_class = 'vcpu' AND p.kind = 'limit' ORDER BY p.id"
        ),
        {"owner": LEAF},
    ).all()
    assert recorded == [10, 20, 5, None, 0]
    assert found(session) == []


def test_an_account_that_starts_without_a_limit_has_a_posting_that_says_so(session: Session) -> None:
    limit(session, LEAF, disk_gib=None)
    recorded = session.execute(
        text(
            "SELECT p.kind, p.limit_after FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id"
            " WHERE a.owner = :owner AND a.resource_class = 'disk_gib'"
        ),
        {"owner": LEAF},
    ).all()
    assert [tuple(row) for row in recorded] == [("limit", None)]


def test_a_negative_limit_is_refused_by_the_database(session: Session) -> None:
    with pytest.raises(IntegrityError, match="limit_not_negative"):
        limit(session, LEAF, vcpu=-1)


# Two at a time: what is read of a subject must still hold when its accounts are locked


def _during_a_first_limit(sessions: Sessions, act: Callable[[Session], None]) -> None:
    """Run `act` in a transaction that begins after an ancestor's first limit is set and before that is committed."""
    with sessions() as setting, ThreadPoolExecutor(1) as thread, sessions() as watching:
        limit(setting, TOP, vcpu=50)

        def acting() -> None:
            with transaction(sessions) as session:
                act(session)

        running = thread.submit(acting)
        while not watching.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not running.done(), "it should have waited for the limit"
            watching.rollback()
        setting.commit()
        running.result(timeout=120)


def test_a_release_that_meets_an_ancestors_first_limit_gives_back_there_too(kept: Session, sessions: Sessions) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(kept, [ask])
    kept.commit()
    _during_a_first_limit(sessions, lambda s: ledger.release(s, [ask.subject]))
    assert balance(kept, TOP) == balance(kept, LEAF) == (0, 0)
    assert found(kept) == []


def test_a_resize_that_meets_an_ancestors_first_limit_counts_once_there(kept: Session, sessions: Sessions) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(kept, [ask])
    kept.commit()
    _during_a_first_limit(sessions, lambda s: ledger.settle(s, [demand(ask.subject, vcpu=6)]))
    assert balance(kept, TOP) == balance(kept, LEAF) == (0, 6)
    assert found(kept) == []


def test_an_allocation_that_meets_an_ancestors_first_limit_counts_there(kept: Session, sessions: Sessions) -> None:
    kept.commit()
    _during_a_first_limit(sessions, lambda s: ledger.allocate(s, [demand(vcpu=4)]))
    assert balance(kept, TOP) == (0, 4)


def test_two_releases_of_one_subject_at_once_give_back_once(kept: Session, sessions: Sessions) -> None:
    ask = demand(vcpu=4)
    ledger.allocate(kept, [ask, demand(vcpu=6)])
    kept.commit()
    with sessions() as first, ThreadPoolExecutor(1) as thread, sessions() as watching:
        ledger.release(first, [ask.subject])

        def again() -> None:
            with transaction(sessions) as second:
                ledger.release(second, [ask.subject])

        running = thread.submit(again)
        while not watching.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not running.done(), "it should have waited for the first"
            watching.rollback()
        first.commit()
        running.result(timeout=120)
    assert balance(kept, LEAF) == balance(kept, POOL) == (0, 6)
    assert found(kept) == []


# What the database itself refuses


APPEND_ONLY = ("ledger_postings", "audit_events")
TAMPERING = (
    "UPDATE {table} SET at = now()",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE false",
    "TRUNCATE {table}",
)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", TAMPERING)
def test_the_application_can_neither_change_nor_remove_what_is_recorded(
    session: Session, table: str, statement: str
) -> None:
    with pytest.raises(DBAPIError, match=f"permission denied for table {table}"):
        session.execute(text(statement.format(table=table)))


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", TAMPERING)
def test_not_even_the_owner_can_change_or_remove_what_is_recorded(
    owner: psycopg.Connection, table: str, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{table} is append only"):
        owner.execute(statement.format(table=table).encode())


def test_the_accounts_cannot_be_emptied_together_with_their_postings(owner: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="ledger_postings is append only"):
        owner.execute("TRUNCATE ledger_accounts CASCADE")


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement", ["DROP TRIGGER append_only ON {table}", "ALTER TABLE {table} DISABLE TRIGGER append_only"]
)
def test_the_application_cannot_remove_the_guard(session: Session, table: str, statement: str) -> None:
    with pytest.raises(DBAPIError, match="must be owner"):
        session.execute(text(statement.format(table=table)))


@pytest.mark.parametrize("change", ["used = 11", "held = 11", "used = 6, held = 5"])
def test_a_balance_cannot_be_pushed_over_the_limit_by_sql(session: Session, change: str) -> None:
    with pytest.raises(IntegrityError, match="would pass its limit"):
        session.execute(text(f"UPDATE ledger_accounts SET {change} WHERE owner = :owner"), {"owner": LEAF})


def test_a_balance_cannot_be_pushed_over_the_limit_by_the_owner_either(owner: psycopg.Connection) -> None:
    owner.execute(
        """INSERT INTO ledger_accounts (owner, owner_kind, resource_class, "limit")"""
        " VALUES (gen_random_uuid(), 'department', 'vcpu', 10)"
    )
    owner.execute("UPDATE ledger_accounts SET used = 10")
    with pytest.raises(psycopg.errors.CheckViolation, match="would pass its limit"):
        owner.execute("UPDATE ledger_accounts SET used = 11")


@pytest.mark.parametrize("column", ["used", "held"])
def test_a_balance_cannot_go_below_nothing(session: Session, column: str) -> None:
    with pytest.raises(IntegrityError, match=f"{column}_not_negative"):
        session.execute(text(f"UPDATE ledger_accounts SET {column} = -1 WHERE owner = :owner"), {"owner": LEAF})


def test_an_account_cannot_be_made_with_a_balance(session: Session) -> None:
    with pytest.raises(IntegrityError, match="starts empty"):
        session.execute(
            text(
                "INSERT INTO ledger_accounts (owner, owner_kind, resource_class, used)"
                " VALUES (gen_random_uuid(), 'department', 'vcpu', 1)"
            )
        )


# What verify finds


def tamper(intruder: psycopg.Connection, statement: str) -> None:
    """Run a statement as somebody could who has taken the machine: with every trigger and foreign key off."""
    with intruder.transaction():
        intruder.execute("SET LOCAL session_replication_role = replica")
        assert intruder.execute(statement.encode()).rowcount > 0


def _committed_use(kept: Session) -> None:
    ledger.allocate(kept, [demand(vcpu=4)])
    ledger.hold(kept, [asked(vcpu=2)])
    kept.commit()
    assert found(kept) == []


LEAF_VCPU = f"owner = '{LEAF}' AND resource_class = 'vcpu'"


@pytest.mark.parametrize(
    ("change", "finds"),
    [
        ("used = 9", ("used", 9, 4)),
        ("held = 0", ("held", 0, 2)),
        ('"limit" = 99', ("limit", 99, 10)),
        ('"limit" = NULL', ("limit", None, 10)),
    ],
)
def test_verify_finds_a_tampered_account(
    kept: Session, intruder: psycopg.Connection, change: str, finds: tuple[str, int | None, int | None]
) -> None:
    _committed_use(kept)
    tamper(intruder, f"UPDATE ledger_accounts SET {change} WHERE {LEAF_VCPU}")
    [one] = found(kept)
    assert (one.owner, one.resource_class) == (LEAF, "vcpu")
    assert (one.what, one.recorded, one.posted) == finds


def test_verify_finds_a_tampered_posting_by_its_balance_and_by_its_other_side(
    kept: Session, intruder: psycopg.Connection
) -> None:
    _committed_use(kept)
    tamper(
        intruder,
        "UPDATE ledger_postings p SET used = 1 FROM ledger_accounts a"
        f" WHERE a.id = p.account_id AND p.used = 4 AND a.{LEAF_VCPU}",
    )
    by_what = {d.what.split()[0]: (d.recorded, d.posted) for d in found(kept)}
    assert by_what == {"used": (4, 1), "both": (1, 4)}


def test_verify_finds_removed_postings_even_where_the_balance_was_mended(
    kept: Session, intruder: psycopg.Connection
) -> None:
    _committed_use(kept)
    tamper(
        intruder,
        "DELETE FROM ledger_postings p USING ledger_accounts a"
        f" WHERE a.id = p.account_id AND p.used = 4 AND a.{LEAF_VCPU}",
    )
    tamper(intruder, f"UPDATE ledger_accounts SET used = 0 WHERE {LEAF_VCPU}")
    [one] = found(kept)
    assert (one.owner, one.recorded, one.posted) == (LEAF, 0, 4)
    assert (type(one.recorded), type(one.posted)) == (int, int)
    assert one.what.startswith("both sides of")
