"""What the database itself refuses of ingress rules, and to whom it shows them."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from controlplane import binding
from controlplane.db import APP_ROLE, Sessions, make_engine, make_sessions, new_id, transaction
from controlplane.models import Department, IngressRule
from controlplane.services import departments, ingress
from controlplane.services.ingress import NewRule
from tests.factories import make_department, small_centre
from tests.people import ADMIN, staff_of

RULE = {"protocol": "tcp", "first_port": 22, "last_port": 22, "source": "10.0.0.0/8", "note": ""}


@pytest.fixture
def of(sessions: Sessions) -> dict[str, Department]:
    """The departments of a small centre, of which two let something in."""
    with transaction(sessions) as session:
        small_centre(session)
        for code in ("environment", "finance"):
            ingress.create(session, ADMIN, NewRule(code, "tcp", "10.0.0.0/8", "443"))
        return {d.code: d for d in session.scalars(select(Department))}


@pytest.fixture
def web(url: str) -> Iterator[Sessions]:
    """Sessions as the web server has them."""
    engine = make_engine(url, role=APP_ROLE)
    yield make_sessions(engine)
    engine.dispose()


def put(sessions: Sessions, department: Department, **changes: Any) -> None:
    with transaction(sessions) as session:
        values = {"id": new_id(), "version": 1, "department_id": department.id, **RULE, **changes}
        session.execute(insert(IngressRule).values(values))


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"protocol": "sctp", "first_port": None, "last_port": None}, "protocol_known"),
        ({"first_port": None}, "ports_sensible"),
        ({"last_port": None}, "ports_sensible"),
        ({"first_port": 0}, "ports_sensible"),
        ({"first_port": 23}, "ports_sensible"),
        ({"last_port": 65536}, "ports_sensible"),
        ({"protocol": "icmp"}, "ports_of_tcp_and_udp"),
        ({"protocol": "icmp", "first_port": None, "last_port": None, "source": "fd00::/8"}, "icmp_of_its_family"),
        ({"protocol": "ipv6-icmp", "first_port": None, "last_port": None}, "icmp_of_its_family"),
        ({"note": "x" * 201}, "note_short"),
    ],
)
def test_the_database_refuses_what_no_rule_may_say(
    sessions: Sessions, of: dict[str, Department], changes: dict[str, Any], guard: str
) -> None:
    with pytest.raises(IntegrityError, match=f"ck_ingress_rules_{guard}"):
        put(sessions, of["environment"], **changes)


@pytest.mark.parametrize("source", ["everywhere", "10.0.0.1/8"])
def test_the_database_refuses_a_source_that_is_no_network(
    sessions: Sessions, of: dict[str, Department], source: str
) -> None:
    with pytest.raises(DataError, match="cidr"):
        put(sessions, of["environment"], source=source)


def test_the_database_refuses_one_rule_twice_also_where_it_has_no_ports(
    sessions: Sessions, of: dict[str, Department]
) -> None:
    for ports in ({}, {"first_port": None, "last_port": None}):
        put(sessions, of["environment"], **ports)
        with pytest.raises(IntegrityError, match="uq_ingress_rules"):
            put(sessions, of["environment"], **ports)
        put(sessions, of["finance"], **ports)


def test_a_tenant_sees_and_changes_its_own_rules_alone(web: Sessions, of: dict[str, Department]) -> None:
    with web() as session:
        assert list(session.scalars(select(IngressRule))) == []
        binding.unlock(session)
        manager = staff_of(session, of["environment"]).manager
        session.rollback()
        binding.unlock(session)
        binding.serve(session, manager)
        assert {r.department_id for r in session.scalars(select(IngressRule))} == {of["environment"].id}
        gone = session.execute(delete(IngressRule).where(IngressRule.department_id == of["finance"].id))
        assert gone.rowcount == 0
        values = {"id": new_id(), "version": 1, "department_id": of["finance"].id, **RULE}
        with pytest.raises(ProgrammingError, match="row-level security"):
            session.execute(insert(IngressRule).values(values))


def test_a_closed_departments_rules_are_gone(sessions: Sessions, of: dict[str, Department]) -> None:
    with transaction(sessions) as session:
        make_department(session, "spare")
        ingress.create(session, ADMIN, NewRule("spare", "icmp", "10.0.0.0/8"))
        departments.delete(session, ADMIN, "spare")
    with transaction(sessions) as session:
        left = session.scalars(select(IngressRule.department_id))
        assert set(left) == {of["environment"].id, of["finance"].id}
