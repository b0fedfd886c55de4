"""A month of decisions with returns, handed on and automatic ones: the report says what counting by hand says."""

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from controlplane.db import Sessions, transaction
from controlplane.errors import Forbidden, Invalid
from controlplane.reports.decisions import BY, DecisionTimes, decisions
from tests.callers import Callers
from tests.factories import given
from tests.people import ADMIN, AUDITOR, staff_of
from tests.web.visitors import Visitors
from tests.window.records import Given, put_down

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
ROLES = ("department_manager", "system_admin", "security_admin")
Times = dict[str, list[float]]


class Month:
    """Requests as they went, with what each took, noted while it is made up."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.taken: dict[str, Times] = {by: defaultdict(list) for by in BY}
        self.automatic: dict[str, dict[str, int]] = {by: defaultdict(int) for by in BY}

    def hours(self, most: int) -> timedelta:
        return timedelta(minutes=self.dice.randrange(1, most * 60))

    def request(self, session: Session) -> None:
        """Make up one request, which was decided in this month or not long before or after."""
        kind = self.dice.choice(("vm", "quota", "mixed"))
        department = self.dice.choice(("environment", "finance"))
        now = START - timedelta(days=5) + self.hours(40 * 24)
        steps: list[Given] = []
        lay = timedelta()
        rounds = self.dice.choice((0, 1, 1, 1, 2, 3))
        for number in range(1, rounds + 1):
            submitted = now
            now = self._round(steps, number, now, last=number == rounds)
            lay += now - submitted
            if number < rounds:
                now += self.hours(100)
        if rounds == 0:
            submitted = now
        refused = bool(steps) and steps[-1].state == "refused"
        state = "refused" if refused else self.dice.choice(("fulfilling", "done"))
        put_down(session, department, *steps, kind=kind, state=state, submitted_at=submitted, decided_at=now)
        if START <= now < END:
            self._note(kind, department, steps, lay)

    def _round(self, steps: list[Given], number: int, now: datetime, *, last: bool) -> datetime:
        stages = self.dice.randrange(1, 4)
        for stage in range(1, stages + 1):
            opened = now
            now += self.hours(50)
            ends = stage == stages
            state = "approved" if not ends else "returned" if not last else self.dice.choice(("approved", "refused"))
            handed = opened + (now - opened) / 2 if self.dice.random() < 0.2 else None
            steps.append(Given(ROLES[stage - 1], opened, now, state, number, stage, handed))
        if not last:
            steps.append(Given("auditor", now, None, "dropped", number, stages + 1))
        return now

    def _note(self, kind: str, department: str, steps: list[Given], lay: timedelta) -> None:
        for by, code in (("kind", kind), ("department", department)):
            if steps:
                self.taken[by][code].append(lay / timedelta(hours=1))
            else:
                self.automatic[by][code] += 1
        for step in steps:
            if step.decided:
                self.taken["role"][step.role].append((step.decided - step.opened) / timedelta(hours=1))


def at(share: float, times: list[float]) -> float:
    """Return the value below which a share of some times lies, between two of them where it falls there."""
    ordered = sorted(times)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recorded_month_equals_a_count_by_hand(sessions: Sessions, seed: int) -> None:
    given(sessions)
    month = Month(seed)
    with transaction(sessions) as session:
        for _ in range(200):
            month.request(session)
        put_down(session, submitted_at=START, state="in_review")
        put_down(session, decided_at=START + timedelta(days=1), state="done")
    for by in BY:
        with sessions() as session:
            found = decisions(session, AUDITOR, START, END, by)
        assert [line.code for line in found] == sorted({*month.taken[by], *month.automatic[by]})
        for line in found:
            times = month.taken[by][line.code]
            assert (line.decided, line.automatic) == (len(times), month.automatic[by][line.code])
            assert line.median_hours == pytest.approx(at(0.5, times))
            assert line.p90_hours == pytest.approx(at(0.9, times))


def test_what_lay_with_the_asker_does_not_count(sessions: Sessions) -> None:
    given(sessions)
    hour = timedelta(hours=1)
    steps = (
        Given("system_admin", START, START + 2 * hour, "returned"),
        Given("system_admin", START + 50 * hour, START + 53 * hour, round=2),
    )
    with transaction(sessions) as session:
        put_down(
            session, "environment", *steps, state="done", submitted_at=START + 50 * hour, decided_at=START + 53 * hour
        )
        assert decisions(session, ADMIN, START, END, "kind") == [DecisionTimes("vm", "", 1, 5.0, 5.0, 0)]
        assert decisions(session, ADMIN, START, END, "role") == [DecisionTimes("system_admin", "", 2, 2.5, 2.9, 0)]


def test_the_report_is_of_those_who_see_the_whole_centre(sessions: Sessions) -> None:
    given(sessions)
    with sessions() as session:
        department = put_down(session).department
        with pytest.raises(Forbidden):
            decisions(session, staff_of(session, department).manager, START, END, "kind")


@pytest.mark.parametrize(("start", "end", "by"), [(END, START, "kind"), (START, END, "name")])
def test_a_period_or_a_grouping_that_is_none_is_refused(sessions: Sessions, start: Any, end: Any, by: str) -> None:
    with sessions() as session, pytest.raises(Invalid):
        decisions(session, ADMIN, start, end, by)


def decided(session: Session) -> None:
    step = Given("system_admin", START, START + timedelta(hours=3))
    put_down(session, "environment", step, state="done", submitted_at=START, decided_at=START + timedelta(hours=3))


def test_nobodys_times_are_shown_to_whoever_is_bound_to_nothing(http: Callers) -> None:
    with transaction(http.sessions) as session:
        decided(session)
        assert session.scalar(text("SELECT count(*) FROM request_times")) == 1
    with http.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM request_times")) == 0


def test_the_api_says_it(http: Callers) -> None:
    with transaction(http.sessions) as session:
        decided(session)
    period = "from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z"
    answer = http.admin.get(f"/reports/decisions?{period}&by=department")
    assert answer.json == {
        "items": [
            {
                "code": "environment",
                "name": "环境保护厅",
                "decided": 1,
                "median_hours": 3.0,
                "p90_hours": 3.0,
                "automatic": 0,
            }
        ]
    }
    assert http.admin.get(f"/reports/decisions?{period}&by=x").status_code == 422
    assert http.ours.get(f"/reports/decisions?{period}").status_code == 403


def test_the_console_shows_it_as_bars_as_a_table_and_as_a_file(http: Callers, visit: Visitors) -> None:
    with transaction(http.sessions) as session:
        decided(session)
    browser = visit("admin", "zh")
    page = browser.get("/reports/decisions?by=role&from=2026-10-01&to=2026-10-31")
    assert page.texts("//*[@id='decisions']//tbody/tr/*")[:3] == ["系统管理员", "1", "3小时"]
    assert page.all("//figure[@data-chart='bar']//tbody/tr/td/@data-value") == ["3.0", "3.0"]
    answered = browser.client.get("/reports/decisions.csv?by=role&from=2026-10-01&to=2026-10-31").text
    rows = list(csv.reader(io.StringIO(answered.removeprefix("\N{BYTE ORDER MARK}"))))
    assert rows[1] == ["系统管理员", "1", "3.0", "3.0", "0"]
    assert browser.get("/reports/decisions?from=2026-01-01&to=2026-01-31").texts("//*[@class='empty-head']")
    assert browser.get("/reports/decisions?by=name").status == 422


def test_the_command_prints_it_as_json_and_as_csv(sessions: Sessions, steppe: Callable[..., Any]) -> None:
    given(sessions)
    with transaction(sessions) as session:
        decided(session)
    words = ("report", "decisions", "--from", "2026-10-01", "--to", "2026-11-01", "--by", "department", "--format")
    [line] = json.loads(steppe(*words, "json").stdout)
    assert (line["code"], line["decided"], line["p90_hours"]) == ("environment", 1, 3.0)
    assert steppe(*words, "csv").stdout.splitlines()[1] == "environment,环境保护厅,1,3.0,3.0,0"
