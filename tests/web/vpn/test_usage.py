"""What departments used of the VPN: accounts by the ledger, tunnels by what RADIUS was told of them."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from controlplane.db import transaction
from controlplane.errors import Forbidden, Invalid
from controlplane.models import Department
from controlplane.reports.vpn_usage import VpnUsage, vpn_usage
from quotas import metering
from tests.callers import Callers
from tests.people import ADMIN, staff_of
from tests.web.visitors import Visitors
from tests.web.vpn.scene import opened, tunnel

GIB = 2**30
START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = "from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z"


def lasted(http: Callers, name: str, start: datetime, hours: float, gib: tuple[float, float]) -> None:
    """Have a tunnel of a time, with what went from the user and to the user."""
    number = tunnel(http, name, f"{name} {start} {hours}", "Stop")
    sent, received = (int(amount * GIB) for amount in gib)
    times = {"start": start, "end": start + timedelta(hours=hours), "sent": sent, "received": received, "id": number}
    with transaction(http.sessions) as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(
            text(
                "UPDATE vpn_sessions SET started = :start, updated = :end, stopped = :end,"
                " bytes_in = :sent, bytes_out = :received WHERE id = :id"
            ),
            times,
        )


def used(http: Callers, start: datetime = START, end: datetime = END) -> list[VpnUsage]:
    with http.sessions() as session:
        return vpn_usage(session, ADMIN, start, end)


def test_tunnels_count_with_the_part_of_them_that_falls_in_the_period(http: Callers) -> None:
    opened(http, 1, 2)
    lasted(http, "wang1", START + timedelta(days=3), 2.0, (1.0, 4.0))
    lasted(http, "wang1", START - timedelta(hours=6), 8.0, (4.0, 8.0))
    lasted(http, "wang2", END - timedelta(hours=1), 4.0, (4.0, 0.0))
    lasted(http, "wang2", END, 1.0, (9.0, 9.0))
    lasted(http, "wang2", START - timedelta(hours=1), 1.0, (9.0, 9.0))
    lasted(http, "intruder", START + timedelta(days=1), 1.0, (9.0, 9.0))
    assert used(http) == [VpnUsage("environment", "环境保护厅", 0.0, 0.0, 2, 3, 5.0, 3.0, 6.0)]


def test_a_tunnel_of_no_time_counts_whole(http: Callers) -> None:
    opened(http, 1)
    lasted(http, "wang1", START, 0.0, (1.0, 0.0))
    assert used(http) == []
    assert used(http, START - timedelta(seconds=1)) == [VpnUsage("environment", "环境保护厅", 0, 0, 1, 1, 0, 1.0, 0)]


def test_accounts_count_by_the_ledger_until_now(http: Callers) -> None:
    opened(http, 1, 2, 3)
    now = datetime.now(UTC)
    [line] = used(http, now - timedelta(days=1), now + timedelta(days=1))
    with http.sessions() as session:
        until = datetime.now(UTC)
        by_resource = metering.usage(session, now - timedelta(days=1), until)
    assert 0 < line.account_hours < sum(one.hours for one in by_resource if one.resource_class == "vpn_account")
    assert line.account_months == pytest.approx(line.account_hours / 730)
    assert (line.people, line.tunnels) == (0, 0)
    assert used(http, now + timedelta(days=1), now + timedelta(days=2)) == []


def test_the_report_is_of_those_who_see_the_whole_centre_and_of_a_period(http: Callers) -> None:
    with http.sessions() as session:
        with pytest.raises(Forbidden):
            environment = session.scalars(select(Department).where(Department.code == "environment")).one()
            vpn_usage(session, staff_of(session, environment).manager, START, END)
        with pytest.raises(Invalid):
            vpn_usage(session, ADMIN, END, START)


def test_the_api_says_it(http: Callers) -> None:
    opened(http, 1)
    lasted(http, "wang1", START, 2.0, (1.0, 4.0))
    assert http.admin.get(f"/reports/vpn-usage?{PERIOD}").json == {
        "items": [
            {
                "department": "environment",
                "department_name": "环境保护厅",
                "account_hours": 0.0,
                "account_months": 0.0,
                "people": 1,
                "tunnels": 1,
                "hours": 2.0,
                "gib_sent": 1.0,
                "gib_received": 4.0,
            }
        ]
    }
    assert http.ours.get(f"/reports/vpn-usage?{PERIOD}").status_code == 403


def test_the_console_shows_it_as_a_table_and_as_a_file(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    lasted(http, "wang1", START + timedelta(days=1), 2.0, (1.0, 4.0))
    browser = visit("admin", "zh")
    days = "from=2026-10-01&to=2026-10-31"
    page = browser.get(f"/vpn-usage?{days}")
    assert page.texts("//*[@id='vpn-usage']//tbody/tr/*") == ["环境保护厅", "0", "1", "1", "2小时", "1GiB", "4GiB"]
    answered = browser.client.get(f"/vpn-usage.csv?{days}").text
    rows = list(csv.reader(io.StringIO(answered.removeprefix("\N{BYTE ORDER MARK}"))))
    assert rows[1] == ["环境保护厅", "0.0", "1", "1", "2.0", "1.0", "4.0"]
    assert browser.get("/vpn-usage?from=2025-01-01&to=2025-01-31").texts("//*[@class='empty-head']")
    assert visit("manager").get("/vpn-usage").status == 403
