"""Reading the trail: every filter finds just its events, by an index, and each side sees what is its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.db import Sessions, new_id
from controlplane.errors import BadCursor, Forbidden, Invalid
from controlplane.models import AuditEvent, Department
from controlplane.models.records import NOT_AN_ACCOUNT
from controlplane.paging import Listing
from controlplane.reports import trail as report
from controlplane.services import users
from controlplane.services.users import NewUser
from tests.accounts import token_of
from tests.factories import small_centre
from tests.people import ADMIN, AUDIT, AUDITOR, OPERATOR, SECURITY, staff_of, stranger

START = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS = 3000
WANG, TARGET = uuid4(), uuid4()


def environment(session: Session) -> Department:
    return session.query(Department).filter_by(code="environment").one()


@pytest.fixture(scope="module")
def session(shared: Sessions) -> Iterator[Session]:
    """3,000 events of 2026-03-01, a second apart, most of them the worker's; some of an account, of a department, of a
    target, and some that failed. Two of every three share their instant with another."""
    with shared() as session:
        small_centre(session)
        ours = environment(session).id
        rows = [
            {
                "at": START + timedelta(seconds=number - number % 3),
                "actor_id": WANG if number % 50 == 0 else NOT_AN_ACCOUNT,
                "actor_name": "王芳" if number % 50 == 0 else "operator" if number % 100 == 1 else "worker",
                "actor_role": "system_admin",
                "action": "vm.rare" if number % 500 == 0 else "vm.running",
                "outcome": "failure" if number % 250 == 0 else "success",
                "target_kind": "vm",
                "target_id": TARGET if number % 300 == 0 else uuid4(),
                "target_name": "web-07" if number % 300 == 0 else f"m-{number}",
                "department_id": ours if number % 20 == 0 else None,
                "details": {},
            }
            for number in range(EVENTS)
        ]
        session.execute(insert(AuditEvent), rows)
        session.execute(text("SET LOCAL enable_seqscan = off"))
        yield session
        session.rollback()


def read(session: Session, actor: Actor = AUDIT, **listing: Any) -> list[AuditEvent]:
    found: list[AuditEvent] = []
    cursor = None
    while True:
        page = lookups.audit_events(session, actor, Listing(**{"limit": 500, **listing, "cursor": cursor}))
        found.extend(page.items)
        cursor = page.next
        if cursor is None:
            return found


def march(**filters: str) -> dict[str, str]:
    return {"from": START.isoformat(), "to": (START + timedelta(days=1)).isoformat(), **filters}


@pytest.mark.parametrize("sort", ["at", "-at"])
def test_every_event_comes_exactly_once_though_many_share_an_instant(session: Session, sort: str) -> None:
    found = read(session, limit=97, sort=sort, filters=march())
    ids = [e.id for e in found]
    assert len(ids) == len(set(ids)) == EVENTS
    assert ids == sorted(ids, reverse=sort == "-at")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"actor": str(WANG)}, 60),
        ({"actor": "operator"}, 30),
        ({"action": "vm.rare"}, 6),
        ({"target": str(TARGET)}, 10),
        ({"target": "web-07"}, 10),
        ({"department": "environment"}, 150),
        ({"outcome": "failure"}, 12),
        ({"outcome": "failure", "action": "vm.rare", "actor": str(WANG)}, 6),
        ({"actor": "nobody-of-this-name"}, 0),
        ({"department": "nowhere"}, 0),
        ({"to": (START + timedelta(seconds=60)).isoformat()}, 60),
        ({"from": (START + timedelta(seconds=60)).isoformat()}, EVENTS - 60),
    ],
)
def test_a_filter_finds_just_its_events(session: Session, filters: dict[str, str], count: int) -> None:
    assert len(read(session, filters=march(**filters))) == count


def test_a_user_name_finds_what_the_person_did_and_what_her_tokens_did(session: Session) -> None:
    with session.begin_nested() as undone:
        token_of(session, "nightly", "operator")
        made = session.execute(text("SELECT t.id, u.id FROM api_tokens t JOIN users u ON u.id = t.user_id")).one()
        for who in made:
            users.create(session, Actor(who, "x", "system", "system_admin"), NewUser(f"u-{who}", "x", "auditor"))
        assert [e.actor_id for e in read(session, filters={"actor": "nightly"})] == [made[1], made[0]]
        undone.rollback()


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "ix_audit_events_at_id"),
        ({"to": START.isoformat()}, "ix_audit_events_at_id"),
        ({"actor": str(WANG)}, "ix_audit_events_actor_id_at_id"),
        ({"actor": "operator"}, "ix_audit_events_actor_name_at_id"),
        ({"action": "vm.rare"}, "ix_audit_events_action_at_id"),
        ({"target": str(TARGET)}, "ix_audit_events_target_id_id"),
        ({"target": "web-07"}, "ix_audit_events_target_name"),
        ({"department": "environment"}, "ix_audit_events_department_id_at_id"),
        ({"outcome": "failure"}, "ix_audit_events_failures"),
    ],
)
def test_each_filter_goes_by_its_own_index(session: Session, filters: dict[str, str], index: str) -> None:
    sent: list[tuple[str, Any]] = []
    engine = session.get_bind()
    note = lambda *about: sent.append((about[2], about[3]))  # noqa: E731 - a listener is known by its identity
    event.listen(engine, "before_cursor_execute", note)
    lookups.audit_events(session, AUDIT, Listing(filters=filters))
    event.remove(engine, "before_cursor_execute", note)
    statement, values = sent[-1]
    plan = session.connection().exec_driver_sql(f"EXPLAIN {statement}", values).scalars().all()
    assert index in "\n".join(plan)


def test_the_trail_is_the_audit_administrators_and_a_managers_is_that_of_her_department(session: Session) -> None:
    staff = staff_of(session, environment(session))
    assert len(read(session, filters=march())) == EVENTS
    ours = read(session, staff.manager, filters=march())
    assert {e.department_id for e in ours} == {environment(session).id}
    assert len(ours) == 150
    assert read(session, stranger(new_id()), filters=march()) == []
    assert read(session, staff.manager, filters=march(actor="operator")) == []
    for actor in (ADMIN, SECURITY, AUDITOR, staff.colleague):
        with pytest.raises(Forbidden):
            read(session, actor)
        with pytest.raises(Forbidden):
            lookups.audited_actions(session, actor)


def test_a_confined_token_of_the_audit_administrator_reads_its_department_and_takes_nothing_out(
    session: Session,
) -> None:
    ours = environment(session).id
    confined = Actor(uuid4(), "audit/t", "token", "audit_admin", ours, frozenset({ours}))
    assert len(read(session, confined, filters=march())) == 150
    with pytest.raises(Forbidden):
        report.file(session, confined, {}, "csv")


def test_every_action_of_the_trail_is_named_once(session: Session) -> None:
    actions = lookups.audited_actions(session, AUDIT)
    assert list(actions) == sorted(set(actions))
    assert {"vm.rare", "vm.running", "department.create"} <= set(actions)


@pytest.mark.parametrize(
    "filters", [{"from": "yesterday"}, {"outcome": "maybe"}, {"colour": "red"}, {"to": "2026-13-01"}]
)
def test_a_filter_that_is_none_is_refused(session: Session, filters: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        read(session, filters=filters)


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WyItYXQiLGZhbHNlLCIyMDI2LTAzLTAxVDAwOjAwOjAwKzAwOjAwIiwiLTEiXQ"])
def test_a_broken_cursor_is_refused(session: Session, cursor: str) -> None:
    with pytest.raises(BadCursor):
        lookups.audit_events(session, AUDIT, Listing(cursor=cursor))


def test_a_target_is_found_though_it_is_gone_and_its_history_needs_no_second_look(session: Session) -> None:
    assert {e.target_id for e in read(session, filters={"target": "web-07"})} == {TARGET}
    assert lookups.history(session, OPERATOR, TARGET)[0].id == read(session, filters={"target": str(TARGET)})[0].id
