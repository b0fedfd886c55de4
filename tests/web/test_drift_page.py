"""The page of drift: what an administrator decides on, an auditor reads, and a department never sees."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.reconcile.sweep import sweep
from provisioners.contract import Machine
from provisioners.fake_driver import FakeDriver, connect
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Page, Visitors

STRANGER = UUID(int=0x5EE)


@pytest.fixture
def lost(http: Callers) -> UUID:
    """The id of a VM whose machine is gone from a pool that only reports; a stranger is there."""
    made = UUID(http.ours.post("/vms", vm()).json["id"])
    http.work(str(made))
    with transaction(http.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.execute(text("UPDATE pools SET drift_policy = 'report'"))
    for code in ("hv-01", "hv-02"):
        driver: FakeDriver = connect({"node": code}, http.installation.settings.state_dir / "nodes")
        if driver.observe([made]):
            driver.delete(made)
            driver.put(Machine(STRANGER, "legacy-db", "on", 3, 512, 7, ""))
    sweep(http.sessions, http.drivers)
    return made


def form(page: Page, verb: str) -> tuple[str, dict[str, str]]:
    """Return the address of the only form of a decision, with what it sends along."""
    [found] = page.all(f"//form[contains(@action, '/{verb}')]")
    hidden = {i.get("name"): i.get("value") for i in found.xpath(".//input[@type='hidden']")}
    return found.get("action"), hidden


def test_an_administrator_sees_what_differs_and_what_can_be_done(visit: Visitors, lost: UUID) -> None:
    page = visit("admin").get("/drifts")
    assert page.status == 200
    rows = page.texts("//tbody/tr")
    assert len(rows) == 2
    [missing] = [row for row in rows if "web-01" in row]
    assert "Missing" in missing
    assert "there → not there" in missing
    [unknown] = [row for row in rows if "legacy-db" in row]
    assert "Unknown" in unknown
    assert "Adopt" in unknown
    assert "Drift" in page.texts("//nav[@id='nav']//li")


def test_accepting_on_the_page_records_what_was_found(visit: Visitors, lost: UUID) -> None:
    visitor = visit("admin")
    action, hidden = form(visitor.get("/drifts"), "accept")
    assert visitor.post(action, hidden).location.endswith("/drifts")
    page = visitor.get("/drifts")
    assert "web-01 is recorded as it was found." in page.text()
    assert "Recorded as found" in visitor.get("/drifts?open=false").text("//tbody")


def test_repair_on_the_page_is_ordered_and_not_offered_again(visit: Visitors, lost: UUID) -> None:
    visitor = visit("admin")
    action, hidden = form(visitor.get("/drifts"), "repair")
    visitor.post(action, hidden)
    page = visitor.get("/drifts")
    assert "To be repaired" in page.text("//tbody")
    assert page.all("//form[contains(@action, '/repair')]") == []


def test_adopting_on_the_page_makes_a_vm(visit: Visitors, lost: UUID) -> None:
    visitor = visit("admin")
    action, hidden = form(visitor.get("/drifts"), "adopt")
    given = {"department": "finance", "system": "monitoring", "name": "", "subnet": "business", "address": "10.1.0.9"}
    visitor.post(action, {**hidden, **given})
    assert "legacy-db is a machine of the department now." in visitor.get("/drifts").text()
    assert "10.1.0.9" in visitor.get(f"/vms/{STRANGER}").text()


def test_nobody_decides_on_what_they_did_not_see(visit: Visitors, lost: UUID) -> None:
    visitor = visit("admin")
    action, hidden = form(visitor.get("/drifts"), "accept")
    assert visitor.post(action, {**hidden, "version": "99"}).status == 412


def test_a_check_is_ordered_from_the_page(visit: Visitors, lost: UUID) -> None:
    visitor = visit("admin")
    visitor.get("/drifts")
    visitor.post("/drifts/check")
    assert "A worker will look at all pools" in visitor.get("/drifts").text()


def test_an_auditor_reads_and_decides_nothing(visit: Visitors, lost: UUID) -> None:
    visitor = visit("auditor")
    page = visitor.get("/drifts")
    assert len(page.texts("//tbody/tr")) == 2
    assert page.all("//main//form[@method='post']") == []
    assert visitor.post(f"/drifts/{uuid4()}/accept").status == 403


def test_a_department_has_no_such_page(visit: Visitors, lost: UUID) -> None:
    visitor = visit("manager")
    assert visitor.get("/drifts").status == 403
    assert "Drift" not in visitor.get("/").texts("//nav[@id='nav']//li")


def test_the_history_of_a_vm_says_that_it_was_found_otherwise(visit: Visitors, lost: UUID) -> None:
    assert "Found not as recorded" in visit("manager").get(f"/vms/{lost}").text()


def test_the_page_speaks_chinese(visit: Visitors, lost: UUID) -> None:
    page = visit("admin", "zh").get("/drifts")
    assert "偏差" in page.texts("//h1")
    assert "缺失" in page.text("//tbody")
