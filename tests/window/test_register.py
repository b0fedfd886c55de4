"""The register of decided requests: closed at first, open to everybody where the system administrator says so."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controlplane.db import transaction
from controlplane.models import AuditEvent
from tests.callers import Callers
from tests.web.visitors import Visitors
from tests.window.records import Given, put_down

BEGAN = datetime(2026, 10, 31, 15, tzinfo=UTC)
"""At the site it is an hour before November."""


@pytest.fixture
def decided(http: Callers) -> Callers:
    """Requests of both departments, decided at hourly intervals from BEGAN on, and such as nobody decided."""
    step = Given("system_admin", BEGAN - timedelta(hours=36), BEGAN)
    with transaction(http.sessions) as session:

        def one(department: str, state: str, after: int, *steps: Given, **more: Any) -> None:
            at = BEGAN + timedelta(hours=after)
            put_down(session, department, *steps, state=state, decided_at=at, submitted_at=at, **more)

        one("environment", "fulfilling", 0, step, title="甲")
        one("finance", "refused", 1, title="乙", kind="quota")
        one("environment", "done", 2, title="丙")
        for state in ("draft", "submitted", "returned", "withdrawn", "expired"):
            put_down(session, "environment", state=state, title="丁")
    return http


def opened(http: Callers, *, titles: bool = False) -> None:
    answer = http.admin.put("/register/settings", {"public": True, "titles": titles})
    assert (answer.status_code, answer.json) == (200, {"public": True, "titles": titles})


def test_at_first_it_is_not_found_without_an_account(decided: Callers, visit: Visitors) -> None:
    for path in ("/register", "/register.csv"):
        page = visit.nobody().get(path)
        assert page.status == 404
        assert "甲" not in page.text() and "环境" not in page.text()


def test_while_it_is_closed_a_department_sees_what_was_decided_for_it(decided: Callers) -> None:
    assert [e["department"]["code"] for e in decided.theirs.get("/register").json["items"]] == ["finance"]
    assert len(decided.admin.get("/register").json["items"]) == 3


def test_once_it_is_open_everybody_reads_what_was_decided_and_nothing_else(decided: Callers, visit: Visitors) -> None:
    opened(decided)
    browser = visit.nobody().speak("zh")
    page = browser.get("/register")
    assert page.texts("//tbody/tr/td[1]") == ["环境保护厅", "财政厅", "环境保护厅"]
    assert page.texts("//tbody/tr/td[6]") == ["已完成", "不予批准", "已批准"]
    assert page.all("//nav[@id='nav']") == []
    for hidden in ("甲", "乙", "丙", "丁", "王芳", "李强"):
        assert hidden not in page.answer.text
    assert len(decided.theirs.get("/register").json["items"]) == 3


def test_titles_are_shown_where_the_administrator_says_so(decided: Callers, visit: Visitors) -> None:
    opened(decided, titles=True)
    page = visit.nobody().get("/register")
    assert page.texts("//tbody/tr/td[3]") == ["丙", "乙", "甲"]


def test_it_says_how_long_those_who_decided_had_it(decided: Callers) -> None:
    opened(decided)
    assert [(e["outcome"], e["days"]) for e in decided.ours.get("/register").json["items"]] == [
        ("done", 0.0),
        ("refused", 0.0),
        ("approved", 1.5),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("department=财政", ["quota"]),
        ("department=environment", ["vm", "vm"]),
        ("kind=quota", ["quota"]),
        ("month=2026-10", ["vm"]),
        ("month=2026-11", ["vm", "quota"]),
        ("limit=1", ["vm"]),
    ],
)
def test_it_is_narrowed_by_department_kind_and_month_of_the_site(
    decided: Callers, asked: str, found: list[str]
) -> None:
    opened(decided)
    assert [e["kind"] for e in decided.ours.get(f"/register?{asked}").json["items"]] == found


def test_it_is_read_page_by_page(decided: Callers) -> None:
    opened(decided)
    seen, cursor = [], ""
    while cursor is not None:
        page = decided.ours.get(f"/register?limit=1{cursor and f'&cursor={cursor}'}").json
        seen += [e["outcome"] for e in page["items"]]
        cursor = page["next"]
    assert seen == ["done", "refused", "approved"]


def test_what_is_no_month_is_refused(decided: Callers, visit: Visitors) -> None:
    opened(decided)
    assert decided.ours.get("/register?month=2026-13").status_code == 422
    assert visit.nobody().get("/register?month=November").status == 422


def test_it_is_had_as_a_file(decided: Callers, visit: Visitors) -> None:
    opened(decided)
    browser = visit.nobody().speak("zh")
    text = browser.client.get("/register.csv?month=2026-10").text
    rows = list(csv.reader(io.StringIO(text.removeprefix("\N{BYTE ORDER MARK}"))))
    assert [row[1:4] + row[6:] for row in rows[1:]] == [["环境保护厅", "虚拟机", "", "已批准", "1.5"]]


def test_the_system_administrator_alone_opens_and_closes_it_and_the_trail_says_so(
    decided: Callers, visit: Visitors
) -> None:
    browser = visit("admin", "zh")
    assert not browser.get("/register/settings").all("//input[@name='public']/@checked")
    assert browser.post("/register/settings", {"public": "1"}).location == "/register"
    assert visit.nobody().get("/register").status == 200
    assert browser.get("/register/settings").all("//input[@name='public']/@checked")
    assert browser.post("/register/settings").status == 302
    assert visit.nobody().get("/register").status == 404
    assert visit("manager").get("/register/settings").status == 403
    assert decided.security.put("/register/settings", {"public": True}).status_code == 403
    with decided.sessions() as session:
        events = session.query(AuditEvent).filter_by(action="register.update").order_by(AuditEvent.id)
        assert [(e.actor_name, e.details) for e in events] == [
            ("Admin", {"public": True, "titles": False}),
            ("Admin", {"public": False, "titles": False}),
        ]


def test_its_page_has_the_frame_of_the_console_for_who_is_signed_in(decided: Callers, visit: Visitors) -> None:
    page = visit("manager", "zh").get("/register")
    assert page.texts("//nav[@id='nav']//a[@aria-current='page']") == ["办件公示"]
    assert len(page.all("//tbody/tr")) == 2
