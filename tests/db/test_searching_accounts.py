"""Among thousands of VPN accounts a search reads as many as it finds, and each account is found where it belongs."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from controlplane import binding, lookups
from controlplane.actor import Actor
from controlplane.db import Sessions
from controlplane.models import Department, Resource, VpnAccount
from controlplane.paging import Listing
from tests.people import ADMIN, staff_of
from tests.vpn.accounts import Account, gateways, make

EACH = 3000
_RESOURCES = text(
    """
    INSERT INTO resources
        (id, version, kind, name, department_id, pool_id, request_id, state, desired, spec, wanted, demand,
         generation, observed_generation)
    SELECT gen_random_uuid(), 1, r.kind, d.code || '.' || lpad(n::text, 5, '0'), d.id, r.pool_id, r.request_id,
           r.state, r.desired, r.spec, r.wanted, r.demand, 1, 1
    FROM resources r CROSS JOIN departments d CROSS JOIN generate_series(1, :each) n
    """
)
_ACCOUNTS = text(
    """
    INSERT INTO vpn_accounts (resource_id, department_id, username, person, name_key, number_key)
    SELECT id, department_id, name, 'sealed', sha256(convert_to('name ' || right(name, 3), 'UTF8')),
           sha256(convert_to('number ' || right(name, 5), 'UTF8'))
    FROM resources WHERE id NOT IN (SELECT resource_id FROM vpn_accounts)
    """
)


@pytest.fixture(scope="module")
def session(shared: Sessions) -> Iterator[Session]:
    """Two departments with 3,000 accounts each, numbered; in each, three people of every name."""
    with shared() as session:
        gateways(session)
        make(session, Account())
        session.execute(_RESOURCES, {"each": EACH})
        session.execute(_ACCOUNTS)
        # Only who owns a table may.
        session.execute(text("SET LOCAL ROLE none"))
        session.execute(text("ANALYZE resources, vpn_accounts"))
        binding.serve_centre(session)
        yield session
        session.rollback()


def key(session: Session, what: str) -> str:
    return str(session.scalar(text("SELECT encode(sha256(convert_to(:what, 'UTF8')), 'hex')"), {"what": what}))


def searched(session: Session, actor: Actor = ADMIN, **filters: str) -> tuple[list[str], Counter[str]]:
    """Return what a search finds, and how many rows its statement looks at in each table."""
    sent: list[tuple[str, Any]] = []
    engine = session.get_bind()
    note = lambda *about: sent.append((about[2], about[3]))  # noqa: E731 - a listener is known by its identity
    event.listen(engine, "before_cursor_execute", note)
    page = lookups.vpn_accounts(session, actor, Listing(filters=filters))
    event.remove(engine, "before_cursor_execute", note)
    [(statement, values)] = [(sql, values) for sql, values in sent if "FROM resources" in sql]
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
    [plan] = session.connection().exec_driver_sql(explain, values).scalars()
    return sorted(r.name for r in page.items), looked_at(plan)


def looked_at(plan: Any) -> Counter[str]:
    plan = json.loads(plan) if isinstance(plan, str) else plan
    waiting, looked = [plan[0]["Plan"]], Counter[str]()
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if "Relation Name" in node:
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            looked[node["Relation Name"]] += round(rows * node["Actual Loops"])
    return looked


@pytest.mark.parametrize("part", ["environment.01201", "ENVIRONMENT.01201", "ronment.01201"])
def test_a_user_name_is_found_by_looking_at_that_account_alone(session: Session, part: str) -> None:
    found, looked = searched(session, q=part)
    assert (found, looked["resources"]) == (["environment.01201"], 1)


def test_a_user_name_that_nobody_has_is_looked_for_nowhere(session: Session) -> None:
    found, looked = searched(session, q="environment.04321")
    assert (found, looked["resources"]) == ([], 0)


def test_owners_are_read_for_the_page_alone_however_much_is_found(session: Session) -> None:
    found, looked = searched(session, q="environment")
    assert len(found) == 50
    assert max(looked[table] for table in ("departments", "pools")) <= 51 * 2


@pytest.mark.parametrize(
    ("person", "people"),
    [({"person": "name 234"}, ["00234", "01234", "02234"]), ({"number": "number 01234"}, ["01234"])],
    ids=["by name", "by number"],
)
def test_a_person_of_a_department_is_found_by_looking_at_no_other_departments(
    session: Session, person: dict[str, str], people: list[str]
) -> None:
    hidden = {name: key(session, value) for name, value in person.items()}
    found, looked = searched(session, department="finance", **hidden)
    assert found == [f"finance.{number}" for number in people]
    assert looked["vpn_accounts"] == looked["resources"] == len(people)
    everywhere, _ = searched(session, **hidden)
    assert everywhere == [f"{code}.{number}" for code in ("environment", "finance") for number in people]


def test_a_department_finds_its_own_people_and_looks_at_no_others(session: Session) -> None:
    finance = session.scalars(select(Department).where(Department.code == "finance")).one()
    manager = staff_of(session, finance).manager
    name = key(session, "name 234")
    with session.begin_nested() as undone:
        binding.serve(session, manager)
        found, looked = searched(session, manager, person=name)
        undone.rollback()
    binding.serve_centre(session)
    assert found == ["finance.00234", "finance.01234", "finance.02234"]
    assert looked["vpn_accounts"] == 3


def test_an_account_goes_to_another_department_with_its_resource(session: Session) -> None:
    departments = {d.code: d.id for d in session.scalars(select(Department))}
    with session.begin_nested() as undone:
        one = session.scalars(select(Resource).where(Resource.name == "finance.00007")).one()
        one.department_id = departments["environment"]
        session.flush()
        of = select(VpnAccount.department_id).where(VpnAccount.username == "finance.00007")
        assert session.scalar(of) == departments["environment"]
        number = key(session, "number 00007")
        assert searched(session, number=number, department="environment")[0] == ["environment.00007", "finance.00007"]
        assert searched(session, number=number, department="finance")[0] == []
        undone.rollback()
