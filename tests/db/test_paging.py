"""Lists by cursor: whichever way one walks, in whatever order, each row comes exactly once, ties or not."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.db import Sessions, new_id
from controlplane.errors import BadCursor, Invalid
from controlplane.models import Department, System
from controlplane.paging import Listing, Order, Page, paginate
from tests.factories import make_department, small_centre
from tests.people import ADMIN

ROWS = 137
ORDER = Order({name: getattr(System, name) for name in ("code", "name", "mlps_level", "created_at")}, System.id, "code")
SORTS = [sign + name for name in ORDER.columns for sign in ("", "-")]


@pytest.fixture(scope="module")
def session(shared: Sessions) -> Iterator[Session]:
    """A session with 137 systems, of which many share their name, level and time of creation."""
    with shared() as session:
        small_centre(session)
        department = make_department(session, "paged")
        start = datetime(2026, 1, 1, tzinfo=UTC)
        session.add_all(
            System(
                id=new_id(),
                code=f"system-{number:03}",
                name="监控" if number % 3 else f"系统 {number % 10}",
                name_en="Monitoring",
                department_id=department.id,
                mlps_level=number % 4 + 1,
                contact_name="王芳",
                contact_phone="0471-0000001",
                contact_email="wang@nm.example",
                created_at=start + timedelta(microseconds=number // 20),
            )
            for number in range(ROWS)
        )
        session.flush()
        yield session
        session.rollback()


def page(session: Session, **listing: Any) -> Page[System]:
    statement = select(System).join(Department, Department.id == System.department_id).where(Department.code == "paged")
    return paginate(session, statement, ORDER, Listing(**listing))


def forward(session: Session, **listing: Any) -> list[Page[System]]:
    pages = [page(session, **listing)]
    while pages[-1].next:
        pages.append(page(session, **listing, cursor=pages[-1].next))
    return pages


def key(sort: str, system: System) -> tuple[Any, Any]:
    return getattr(system, sort.removeprefix("-")), system.id


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 10, 136, 137, 138])
def test_a_walk_forward_gives_every_row_once_in_order(session: Session, sort: str, limit: int) -> None:
    pages = forward(session, sort=sort, limit=limit)
    rows = [row for p in pages for row in p.items]
    # Text is in the database's order, which need not be Python's; the rest can be sorted here.
    if sort.removeprefix("-") != "name":
        assert rows == sorted(rows, key=lambda row: key(sort, row), reverse=sort.startswith("-"))
    assert {row.code for row in rows} == {f"system-{n:03}" for n in range(ROWS)}
    assert len(rows) == ROWS
    assert [len(p.items) for p in pages[:-1]] == [limit] * (ROWS // limit - (ROWS % limit == 0))


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 10, 136])
def test_a_walk_back_gives_the_same_rows_as_the_walk_forward(session: Session, sort: str, limit: int) -> None:
    there = forward(session, sort=sort, limit=limit)
    back = [there[-1]]
    while back[-1].previous:
        back.append(page(session, sort=sort, limit=limit, cursor=back[-1].previous))
    assert [row for p in reversed(back) for row in p.items] == [row for p in there for row in p.items]


@pytest.mark.parametrize("sort", SORTS)
def test_a_step_forward_and_a_step_back_lead_to_the_same_page(session: Session, sort: str) -> None:
    first = page(session, sort=sort, limit=10)
    second = page(session, sort=sort, limit=10, cursor=first.next)
    again = page(session, sort=sort, limit=10, cursor=second.previous)
    assert again.items == first.items
    assert (first.previous, again.previous) == (None, None)
    assert page(session, sort=sort, limit=10, cursor=again.next).items == second.items


def test_rows_that_come_and_go_between_two_pages_do_not_shift_the_rest(session: Session) -> None:
    first = page(session, limit=10)
    with session.begin_nested() as savepoint:
        session.delete(first.items[0])
        session.delete(first.items[-1])
        session.flush()
        second = page(session, limit=10, cursor=first.next)
        savepoint.rollback()
    assert [row.code for row in second.items] == [f"system-{n:03}" for n in range(10, 20)]


def test_a_list_without_rows_has_no_cursors(session: Session) -> None:
    empty: Page[System] = paginate(session, select(System).where(System.code == "none"), ORDER, Listing())
    assert (list(empty.items), empty.next, empty.previous) == ([], None, None)


def test_the_default_order_is_the_same_as_naming_it(session: Session) -> None:
    first = page(session, limit=10)
    assert page(session, limit=10, sort="code", cursor=first.next).items[0].code == "system-010"


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_limit_that_is_none_is_refused(session: Session, limit: int) -> None:
    with pytest.raises(Invalid, match="limit: must be between 1 and 500"):
        page(session, limit=limit)


@pytest.mark.parametrize("sort", ["id", "--code", "-", "contact_phone"])
def test_an_unknown_order_is_refused_and_the_known_ones_are_named(session: Session, sort: str) -> None:
    with pytest.raises(Invalid, match="sort: must be one of code, name, mlps_level, created_at, with - for descending"):
        page(session, sort=sort)


def test_a_cursor_of_another_order_is_refused(session: Session) -> None:
    by_code = page(session, sort="code", limit=10).next
    for sort in SORTS[1:]:
        with pytest.raises(BadCursor):
            page(session, sort=sort, cursor=by_code)


def test_a_cursor_of_another_list_is_refused(session: Session) -> None:
    of_pools = lookups.pools(session, ADMIN, Listing(limit=1, sort="name")).next
    with pytest.raises(BadCursor):
        page(session, sort="created_at", cursor=of_pools)


def encoded(plain: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


ID = "01890a5d-ac96-774b-bcce-b302099a8057"
GARBAGE = {
    "no base64": ("code", "!"),
    "not ASCII": ("code", "监控"),
    "a NUL": ("code", "\0"),
    "half a byte": ("code", "a"),
    "not text": ("code", base64.urlsafe_b64encode(b"\xff\xfe").decode()),
    "no JSON": ("code", base64.urlsafe_b64encode(b"{").decode()),
    "nested without end": ("code", base64.urlsafe_b64encode(b"[" * 100_000).decode()),
    "a number": ("code", encoded(5)),
    "null": ("code", encoded(None)),
    "an object": ("code", encoded(dict.fromkeys("abcd"))),
    "too short": ("code", encoded(["code", False, "x"])),
    "too long": ("code", encoded(["code", False, "x", ID, 1])),
    "no direction": ("code", encoded(["code", "x", "x", ID])),
    "no id": ("code", encoded(["code", False, "x", "me"])),
    "an id that is a number": ("code", encoded(["code", False, "x", 5])),
    "an id that is null": ("code", encoded(["code", False, "x", None])),
    "text that is a number": ("code", encoded(["code", False, 5, ID])),
    "text that is null": ("code", encoded(["code", False, None, ID])),
    "text that PostgreSQL cannot hold": ("code", encoded(["code", False, "a\0b", ID])),
    "text that is half a character": ("code", encoded(["code", False, "\ud800", ID])),
    "a number that is text": ("mlps_level", encoded(["mlps_level", False, "x", ID])),
    "a number that is null": ("mlps_level", encoded(["mlps_level", False, None, ID])),
    "a number that is a list": ("mlps_level", encoded(["mlps_level", False, [1], ID])),
    "a number that is a truth": ("mlps_level", encoded(["mlps_level", False, True, ID])),
    "a number without end": ("mlps_level", encoded(["mlps_level", False, float("inf"), ID])),
    "a number too large for its column": ("mlps_level", encoded(["mlps_level", False, 2**31, ID])),
    "a number too large for anything": ("mlps_level", encoded(["mlps_level", False, 10**40, ID])),
    "a time that is none": ("created_at", encoded(["created_at", False, "yesterday", ID])),
    "a time that is a number": ("created_at", encoded(["created_at", False, 5, ID])),
    "a time of no zone": ("created_at", encoded(["created_at", False, "2026-01-01T00:00:00", ID])),
}


@pytest.mark.parametrize(("sort", "cursor"), GARBAGE.values(), ids=GARBAGE.keys())
def test_a_cursor_that_no_list_gave_is_refused(session: Session, sort: str, cursor: str) -> None:
    with pytest.raises(BadCursor):
        page(session, sort=sort, cursor=cursor)
    assert session.scalar(select(1)) == 1


def test_a_count_is_told_where_it_is_asked_and_is_of_all_pages(session: Session) -> None:
    assert page(session, limit=10).total is None
    assert page(session, limit=10, counted=True).total == ROWS
    assert forward(session, limit=50)[0].next is not None
    second = page(session, limit=50, counted=True, cursor=page(session, limit=50).next)
    assert second.total == ROWS


def test_a_list_with_its_neighbours_loaded_is_counted_too(session: Session) -> None:
    found = lookups.systems(session, ADMIN, Listing(limit=5, filters={"department": "paged", "q": "3"}, counted=True))
    everything = lookups.systems(session, ADMIN, Listing(limit=500, filters={"department": "paged", "q": "3"}))
    assert found.total == len(everything.items) > 5


def test_a_count_gives_up_beyond_its_bound(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.paging.COUNTED_UP_TO", 20)
    assert page(session, limit=5, counted=True).total == 21
