"""The pages of leases: what ends, the calendar, what seems unused, legal holds, the policy, and the machine's own."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.models import Resource
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Visitors

END = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0) + timedelta(days=20)
DAY = END.date().isoformat()


@pytest.fixture
def machine(http: Callers) -> str:
    """The id of a running VM whose lease ends in twenty days."""
    made: str = http.ours.post("/vms", vm(lease_until=END.isoformat())).json["id"]
    http.work(made)
    return made


def change(http: Callers, what: str) -> None:
    with transaction(http.sessions) as session:
        session.execute(text(f"UPDATE resources SET {what}"))


def record(http: Callers) -> Resource:
    with http.sessions() as session:
        return session.query(Resource).one()


def test_what_ends_is_listed_and_can_be_taken_out(visit: Visitors, machine: str) -> None:
    visitor = visit("manager")
    page = visitor.get("/leases")
    assert [DAY in row and "Granted" in row for row in page.texts("//tbody/tr")] == [True]
    assert "Leases" in page.texts("//nav[@id='nav']//li")
    assert "web-01" in visitor.get(f"/leases?day={DAY}&within=30").text("//tbody")
    assert visitor.get("/leases?day=2020-01-01").all("//tbody") == []
    assert "web-01" in visitor.get("/leases.csv").answer.text
    assert visit("stranger").get("/leases").all("//tbody") == []


def test_the_calendar_says_how_much_ends_on_each_day_and_leads_there(visit: Visitors, machine: str) -> None:
    page = visit("manager").get(f"/leases/calendar?month={DAY[:7]}")
    [cell] = page.all(f"//td[time/@datetime='{DAY}']")
    assert cell.xpath("a/@href") == [f"/leases?day={DAY}"]
    assert len(page.all("//tbody/tr/td")) in {28, 35, 42}
    assert page.all("//table/caption")
    for month in ("", "?month=soon", "?month=9999-12", "?month=0001-01"):
        assert visit("manager").get(f"/leases/calendar{month}").status == 200


def test_the_page_of_a_machine_says_how_its_lease_stands(visit: Visitors, machine: str, http: Callers) -> None:
    change(http, "lease_stage = 'quarantined', lease_stage_at = now()")
    page = visit("manager").get(f"/vms/{machine}")
    lease = page.text("//section[@id='lease']")
    assert "In quarantine" in lease and "it is deleted, not before" in lease
    assert page.all("//button[normalize-space()='Resize' or normalize-space()='Rebuild'][@disabled]")


def test_the_administrator_sets_both_ends_on_the_page(visit: Visitors, machine: str, http: Callers) -> None:
    visitor = visit("admin")
    page = visitor.get(f"/vms/{machine}")
    [before] = page.all("//input[@name='lease_until']/@value")
    assert visitor.post(f"/vms/{machine}/lease", {"lease_until": before, "contract_end": ""}).status == 302
    assert record(http).lease_until == END
    visitor.post(f"/vms/{machine}/lease", {"lease_until": "2990-01-31", "contract_end": "2990-01-01"})
    until, contract = record(http).lease_until, record(http).contract_end
    assert (until, contract) == (
        datetime(2990, 1, 31, 15, 59, 59, tzinfo=UTC),
        datetime(2990, 1, 1, 15, 59, 59, tzinfo=UTC),
    )
    assert visitor.post(f"/vms/{machine}/lease", {"lease_until": "soon"}).status == 422


def test_a_department_asks_for_more_time_on_the_page(visit: Visitors, machine: str, http: Callers) -> None:
    visitor = visit("colleague")
    page = visitor.get(f"/vms/{machine}")
    assert page.all("//form[contains(@action, '/extension')]")
    assert not page.all("//form[contains(@action, '/lease')]")
    assert visitor.post(f"/vms/{machine}/extension", {"lease_until": "2990-01-31", "reason": "再用"}).status == 302
    assert record(http).lease_until == datetime(2990, 1, 31, 15, 59, 59, tzinfo=UTC)
    assert visitor.post(f"/vms/{machine}/lease", {"lease_until": "2991-01-31"}).status == 403


def test_a_manager_keeps_what_seems_unused(visit: Visitors, machine: str, http: Callers) -> None:
    change(http, "state = 'stopped'")
    change(http, "state_since = now() - interval '61 days', unused_asked_at = now(), unused_answer_by = now()")
    visitor = visit("manager")
    [form] = visitor.get("/unused").all("//tbody//form")
    assert visitor.post(form.get("action"), {"next": "/unused"}).location == "/unused"
    assert record(http).kept_until is not None
    assert "web-01" in visitor.get("/unused.csv").answer.text
    assert not visit("colleague").get("/unused").all("//tbody//form")


def test_the_security_administrator_holds_by_name_and_lifts(visit: Visitors, machine: str, http: Callers) -> None:
    visitor = visit("security")
    visitor.get("/holds")
    assert visitor.post("/holds", {"resource": "web-01", "reason": "案件 12"}).status == 302
    assert record(http).hold_reason == "案件 12"
    page = visitor.get("/holds")
    assert "案件 12" in page.text("//tbody")
    [form] = page.all("//tbody//form")
    assert "案件 12" in visit("manager").get(f"/vms/{machine}").text("//section[@id='lease']")
    assert visitor.post(form.get("action")).status == 302
    assert record(http).hold_at is None
    assert visitor.post("/holds", {"resource": "nothing", "reason": "x"}).status == 404
    assert visit("admin").get("/holds").status == 403


def test_the_policy_is_set_on_a_page_and_what_is_wrong_stands_beside_its_field(visit: Visitors, http: Callers) -> None:
    visitor = visit("admin")
    page = visitor.get("/leases/policy")
    assert page.all("//input[@name='warn_days']/@value") == ["30 7 1"]
    good = {"warn_days": "60、3", "quarantine_days": "5", "delete_days": "", "answer_days": "10", "keep_days": "90"}
    wrong = visitor.post("/leases/policy", {**good, "answer_days": "0"})
    assert (wrong.status, len(wrong.all("//div[@class='invalid-feedback']"))) == (422, 1)
    assert visitor.post("/leases/policy", good).status == 302
    policy = http.admin.get("/leases/policy").json
    assert (policy["warn_days"], policy["quarantine_days"], policy["delete_days"]) == ([60, 3], 5, None)
    assert visit("manager").get("/leases/policy").status == 403
