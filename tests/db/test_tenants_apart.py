"""What the database itself shows and lets do, whatever the code above it forgets."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from controlplane import binding
from controlplane.actor import Actor
from controlplane.db import APP_ROLE, CENTRE_ROLE, Base, Sessions, make_engine, make_sessions, transaction
from controlplane.models import (
    ApiToken,
    AuditEvent,
    Claim,
    Department,
    Request,
    Resource,
    Subnet,
    System,
    User,
)
from controlplane.services import requests
from quotas.tables import accounts, postings
from tests.accounts import token_of
from tests.factories import ask, make_department, make_subnet, make_system, small_centre, vm
from tests.people import ADMIN, staff_of

CATALOGUE = {
    "centre_options",
    "routing_rules",
    "alembic_version",
    "flavors",
    "images",
    "pool_capacity",
    "pool_checks",
    "pools",
    "sites",
    "subnets",
}
"""Tables that hold nothing of a tenant's; of `subnets`, what is nobody's own."""


def closed(table: str) -> bool:
    """Tell whether a table is the centre's alone: the application role may not even ask what is in it."""
    return table.startswith("procrastinate_") or table in {"pool_catalogue", "projects"}


@dataclass(frozen=True)
class Two:
    """Two departments that have one of everything each, and below the first one more."""

    ours: Department
    below: Department
    theirs: Department


@pytest.fixture
def two(sessions: Sessions) -> Two:
    with transaction(sessions) as session:
        small_centre(session)
        below = make_department(session, "below", parent="environment", limits={"vm": 5, "vcpu": 50})
        make_system(session, "below")
        for code in ("environment", "finance"):
            token_of(session, f"{code}-program", "department_manager", code)
            ask(session, vm("web"), department=code)
        of = {d.code: d for d in session.scalars(select(Department))}
        return Two(of["environment"], below, of["finance"])


@pytest.fixture
def web(url: str) -> Iterator[Sessions]:
    """Sessions as the web server has them."""
    engine = make_engine(url, role=APP_ROLE)
    yield make_sessions(engine)
    engine.dispose()


def serve(session: Session, who: Actor) -> None:
    binding.unlock(session)
    binding.serve(session, who)


def tables(session: Session) -> list[str]:
    found = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"))
    return list(found)


def test_unbound_the_application_role_sees_no_row_of_any_tenant_in_any_table(
    url: str, two: Two, sessions: Sessions
) -> None:
    with sessions() as session:
        every = tables(session)
        filled = [t for t in every if session.scalar(text(f"SELECT EXISTS (SELECT FROM {t})"))]
    assert {"resources", "claims", "ledger_postings", "audit_events", "api_tokens", "users"} <= set(filled)
    with psycopg.connect(url, autocommit=True, options=f"-c role={APP_ROLE}") as connection:
        for table in set(every) - CATALOGUE:
            query = psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
            if closed(table):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(query)
            elif table == "ledger_accounts":
                kinds = connection.execute("SELECT DISTINCT owner_kind FROM ledger_accounts").fetchall()
                assert kinds == [("pool",)]
            else:
                assert connection.execute(query).fetchone() == (0,), table


def test_every_table_is_of_the_catalogue_or_keeps_tenants_apart(sessions: Sessions) -> None:
    with sessions() as session:
        apart = set(session.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity")))
        assert set(tables(session)) == CATALOGUE | apart | set(filter(closed, tables(session)))


OWN: list[tuple[Any, Callable[[Any], UUID]]] = [
    (System, lambda s: s.department_id),
    (Resource, lambda r: r.department_id),
    (Request, lambda r: r.department_id),
    (AuditEvent, lambda e: e.department_id),
    (User, lambda u: u.department_id),
]


@pytest.mark.parametrize(("model", "owner"), OWN, ids=[model.__tablename__ for model, _ in OWN])
def test_a_read_without_its_filter_shows_a_tenant_its_own_rows_alone(
    web: Sessions, two: Two, model: type[Base], owner: Callable[[Any], UUID]
) -> None:
    with web() as session:
        binding.unlock(session)
        assert {two.ours.id, two.theirs.id} <= {owner(row) for row in session.scalars(select(model))}
        session.rollback()
        manager = staff(session, two.ours)
        session.expunge_all()
        serve(session, manager)
        seen = {owner(row) for row in session.scalars(select(model))}
    assert two.ours.id in seen
    assert seen <= {two.ours.id, two.below.id}


def staff(session: Session, department: Department) -> Actor:
    binding.unlock(session)
    manager = staff_of(session, department).manager
    session.rollback()
    return manager


def test_what_hangs_on_a_tenants_rows_is_shown_with_them_alone(web: Sessions, two: Two) -> None:
    with web() as session:
        serve(session, staff(session, two.theirs))
        [vm] = session.scalars(select(Resource))
        assert {c.resource_id for c in session.scalars(select(Claim))} == {vm.id}
        assert {t.name for t in session.scalars(select(ApiToken))} == {"token"}
        assert {p.origin for p in session.execute(select(postings.c.origin))} == {two.theirs.id, None}
        of_departments = select(accounts.c.owner).where(accounts.c.owner_kind == "department")
        assert set(session.scalars(of_departments)) == {two.theirs.id}


def test_a_tenant_is_shown_what_is_above_it_as_far_as_its_asks_count_there(web: Sessions, two: Two) -> None:
    with web() as session:
        serve(session, staff(session, two.below))
        assert {d.code for d in session.scalars(select(Department))} == {"below", "environment"}
        of_departments = select(accounts.c.owner).where(accounts.c.owner_kind == "department")
        assert set(session.scalars(of_departments)) == {two.below.id, two.ours.id}
        assert list(session.scalars(select(Resource))) == []


def test_a_tenant_can_neither_change_nor_add_what_is_anothers(web: Sessions, two: Two) -> None:
    with web() as session:
        serve(session, staff(session, two.ours))
        stolen = session.execute(update(Resource).where(Resource.department_id == two.theirs.id).values(name="mine"))
        assert stolen.rowcount == 0
        given = update(Resource).where(Resource.department_id == two.ours.id).values(department_id=two.theirs.id)
        with pytest.raises(ProgrammingError, match="row-level security"):
            session.execute(given)


def test_a_session_stays_bound_through_its_commits_and_a_new_one_on_the_same_connection_is_not(
    web: Sessions, two: Two
) -> None:
    for end in (Session.commit, Session.rollback):
        with web() as session:
            serve(session, staff(session, two.ours))
            end(session)
            session.expunge_all()
            assert {r.department_id for r in session.scalars(select(Resource))} == {two.ours.id}
        with web() as another:
            assert list(another.scalars(select(Resource))) == []


def test_who_serves_the_centre_sees_all_of_it_through_commits(web: Sessions, two: Two) -> None:
    with web() as session:
        serve(session, ADMIN)
        for _ in range(2):
            assert len(set(session.scalars(select(Resource.department_id)))) == 2
            session.commit()


@pytest.mark.parametrize("role", [APP_ROLE, CENTRE_ROLE])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE resources DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON resources",
        "ALTER TABLE resources OWNER TO steppe_app",
        "UPDATE audit_events SET action = 'nothing'",
        "DELETE FROM ledger_postings",
    ],
)
def test_neither_role_can_take_down_what_keeps_tenants_apart_or_change_the_record(
    url: str, role: str, statement: str
) -> None:
    with (
        psycopg.connect(url, options=f"-c role={role}") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_an_address_that_another_tenant_has_is_not_given_again(web: Sessions, two: Two, sessions: Sessions) -> None:
    with web() as session:
        manager = staff(session, two.theirs)
        serve(session, manager)
        ask_as(session, manager, "db")
        session.commit()
    with sessions() as session:
        taken = list(session.scalars(select(Claim.address)))
        assert len(taken) == len(set(taken)) == 3


def test_a_departments_own_subnet_is_there_for_it_for_those_below_it_and_for_the_centre_alone(
    web: Sessions, two: Two, sessions: Sessions
) -> None:
    with transaction(sessions) as session:
        make_subnet(session, "ours-alone", "10.7.0.0/24", department="environment")
        make_subnet(session, "belows-alone", "10.8.0.0/24", department="below")
    everybodys = {"business", "business6"}
    with web() as session:
        assert set(session.scalars(select(Subnet.code))) == everybodys, "unbound"
    seen = {two.ours: {"ours-alone", "belows-alone"}, two.below: {"ours-alone", "belows-alone"}, two.theirs: set[str]()}
    for department, own in seen.items():
        with web() as session:
            manager = staff(session, department)
            serve(session, manager)
            assert set(session.scalars(select(Subnet.code))) == everybodys | own, department.code
            locked = session.execute(update(Subnet).values(first_free=Subnet.first_free))
            assert locked.rowcount == 2 + len(own)
            if department is two.theirs:
                with pytest.raises(ProgrammingError, match="row-level security"):
                    session.execute(update(Subnet).values(department_id=two.ours.id))
    with web() as session:
        serve(session, ADMIN)
        assert set(session.scalars(select(Subnet.code))) == everybodys | {"ours-alone", "belows-alone"}


def ask_as(session: Session, actor: Actor, name: str) -> None:
    requests.submit(session, actor, requests.Ask("vm", actor.department or uuid4(), [vm(name)]))


def test_whose_rows_are_whose_is_worked_out_once_a_statement_and_not_for_each_row(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        said = session.execute(text("SELECT tablename, qual || coalesce(with_check, '') FROM pg_policies")).all()
    assert len(said) > 40
    for table, policy in said:
        bare = re.sub(r"SELECT \(*(string_to_array\()?NULLIF\(current_setting\(", "", policy)
        assert "current_setting" not in bare, f"{table}: compare with a subquery, which is run once, as 0025 does"
