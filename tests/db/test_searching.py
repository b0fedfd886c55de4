"""Search by any part finds what plain `in` finds, through the indexes or not."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.db import Sessions, new_id
from controlplane.models import Claim, Department, Resource, Site, System
from controlplane.models.pieces import contains
from controlplane.paging import Listing
from tests.factories import ask, small_centre, vm
from tests.people import ADMIN

NAMES = ("web-db-01", "gateway.a", "cafe", "fade-out", "dc10-1", "x")
LETTERS = st.sampled_from("abAB10%_\\/' \x01监控云数据")
TEXTS = st.text(LETTERS, max_size=8)
SEARCHED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ix_claims_pieces": (Claim, (Claim.written(),)),
    "ix_departments_pieces": (Department, (Department.code, Department.name, Department.name_en)),
    "ix_resources_pieces": (Resource, (Resource.name,)),
    "ix_sites_pieces": (Site, (Site.code, Site.name)),
    "ix_systems_pieces": (System, (System.code, System.name, System.name_en)),
}


@pytest.fixture(scope="module", params=["on", "off"], ids=["any plan", "by index"])
def session(shared: Sessions, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A small centre with some machines, in which tables are read in full, or only where nothing else is possible."""
    with shared() as session:
        small_centre(session)
        ask(session, *(vm(name, subnets=["business", "business6"]) for name in NAMES))
        session.execute(text(f"SET LOCAL enable_seqscan = {request.param}"))
        yield session
        session.rollback()


def found(session: Session, part: str) -> set[str]:
    page = lookups.resources(session, ADMIN, "vm", Listing(filters={"q": part}, counted=True))
    assert page.total == len(page.items)
    return {machine.name for machine in page.items}


@settings(max_examples=150, deadline=None)
@given(names=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=6), part=TEXTS)
@example(names=[("ab", "cd", "")], part="bc")
@example(names=[("a\\b", "a%b", "a_b")], part="\\")
@example(names=[("数据云", "AB%", "x")], part="据云")
@example(names=[("health-57.00123", "health.x-57.00123", "ealth-57.0012")], part="health-57.00123")
@example(names=[("x", "env'\\'-'protection", "y")], part="NV'\\'-'PROTEC")
@example(names=[("内蒙古自治区政务云计算中心监控系统", "", "x")], part="自治区政务云计算中心监控")
def test_what_has_a_part_anywhere_is_found(session: Session, names: list[tuple[str, str, str]], part: str) -> None:
    session.execute(delete(System).where(System.code.contains("|")))
    department = session.scalars(select(Department)).first()
    assert department is not None
    contact = {"contact_name": "王芳", "contact_phone": "0471-0000001", "contact_email": "wang@nm.example"}
    more = {"department_id": department.id, "mlps_level": 2, **contact}
    session.add_all(
        System(id=new_id(), code=f"{code}|{number}", name=name, name_en=name_en, **more)
        for number, (code, name, name_en) in enumerate(names)
    )
    session.flush()
    page = lookups.systems(session, ADMIN, Listing(filters={"q": part}))
    expected = [s for s in session.scalars(select(System)) if has(part, s.code, s.name, s.name_en)]
    assert {system.id for system in page.items} == {system.id for system in expected}


def has(part: str, *texts: str) -> bool:
    return any(part.lower() in text.lower() for text in texts)


def test_a_machine_is_found_by_any_part_of_its_name_or_of_an_address(session: Session) -> None:
    machines = session.execute(select(Resource.name, func.host(Claim.address)).join(Resource.claims)).all()
    texts: dict[str, set[str]] = {name: {name} for name in NAMES}
    for name, address in machines:
        texts[name].add(address)
    everything = {t for of in texts.values() for t in of}
    parts = {t[i:j] for t in everything for i in range(len(t)) for j in range(i + 1, len(t) + 1)}
    for part in sorted(parts | {"zz", "9.9", "ff", ":::", "10.1.0.300"}):
        expected = {name for name, of in texts.items() if has(part, *of)}
        assert found(session, part) == expected == found(session, part.upper()), part


def test_nothing_to_search_for_finds_everything(session: Session) -> None:
    assert found(session, "") == set(NAMES)


@pytest.mark.parametrize("index", SEARCHED)
@pytest.mark.parametrize("part", ["a", "web", "监控系统"])
def test_the_search_goes_by_its_index(session: Session, index: str, part: str) -> None:
    model, columns = SEARCHED[index]
    session.execute(text("SET LOCAL enable_seqscan = off"))
    assert index in plan(session, select(model).where(contains(part, *columns)))


def test_each_search_has_a_plan_for_its_own_part_however_often_one_searches(session: Session) -> None:
    for _ in range(12):
        lookups.systems(session, ADMIN, Listing(filters={"q": "监控"}))
    plans = "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements"
    generic, custom = session.execute(text(f"{plans} WHERE statement LIKE '%pieces_sought%'")).one()
    assert generic == 0 < custom


def plan(session: Session, statement: Select[Any]) -> str:
    bind = session.connection()
    compiled = statement.compile(bind)
    rows = bind.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params).scalars()
    return "\n".join(rows)
