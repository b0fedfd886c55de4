"""Data disks at the console: one line of sizes, told back where it is wrong, shown where a machine is."""

import csv
import io
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.reconcile.sweep import sweep
from provisioners.fake_driver import connect
from tests.callers import Callers
from tests.factories import vm
from tests.web.test_asking import ASK, count
from tests.web.visitors import Visitors

FACT = "//dl[@class='facts']/div[dt='Data disks']/dd"


@pytest.fixture
def made(http: Callers) -> str:
    """The id of a VM of 50 GiB that has data disks of 100 and 30 GiB."""
    made = str(http.ours.post("/vms", vm(data_disks=[100, 30])).json["id"])
    assert http.work(made) == "settled"
    return made


def test_a_machine_is_asked_for_with_data_disks_after_their_impact_was_told(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    form = {**ASK, "data_disks": "100, 30"}
    assert "0 → 180 / 100,000GiB" in browser.post("/vms/new/impact", form).texts("//*[@class='impact-move']")
    assert count(http) == 0
    page = browser.get(browser.post("/vms/new", form).location)
    assert page.texts(FACT) == ["100GiB + 30GiB"]


@pytest.mark.parametrize("written", ["100,30", " 100  30 ", "100，30", "100、30；"])
def test_sizes_may_be_separated_as_people_do(http: Callers, visit: Visitors, written: str) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    there = browser.post("/vms/new", {**ASK, "data_disks": written}).location
    assert http.ours.get(there).json["data_disks"] == [100, 30]


def test_a_machine_without_data_disks_shows_none(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    there = browser.post("/vms/new", {**ASK, "data_disks": " "}).location
    assert "data_disks" not in http.ours.get(there).json
    assert browser.get(there).texts(FACT) == ["—"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("100, x", "Whole numbers from 1 to 65536, separated by commas."),
        ("0", "Whole numbers from 1 to 65536, separated by commas."),
        ("65537", "Whole numbers from 1 to 65536, separated by commas."),
        ("1 2 3 4 5 6 7 8 9", "At most 8 data disks."),
    ],
)
def test_a_bad_line_is_told_at_its_field_and_kept(http: Callers, visit: Visitors, written: str, said: str) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    page = browser.post("/vms/new", {**ASK, "data_disks": written})
    assert (page.status, page.texts("//*[@id='error-data_disks']")) == (422, [said])
    assert page.all("//input[@name='data_disks']/@value") == [written]
    assert count(http) == 0


def test_a_bad_line_beside_a_bad_size_tells_both(visit: Visitors) -> None:
    browser = visit("manager", "zh")
    browser.get("/vms/new")
    page = browser.post("/vms/new", {**ASK, "flavor": "gone", "data_disks": "x"})
    assert page.all("//*[@aria-invalid='true']/@name") == ["flavor", "data_disks"]
    assert page.texts("//label[@for='field-data_disks']") == ["数据盘"]


def test_a_resize_begins_with_what_the_machine_has_and_grows_it(http: Callers, visit: Visitors, made: str) -> None:
    browser = visit("manager")
    page = browser.get(f"/vms/{made}/resize")
    assert page.all("//input[@name='data_disks']/@value") == ["100, 30"]
    assert "100GiB + 30GiB" in page.text("//p[@class='now']")
    form = {"flavor": "small", "data_disks": "100, 40, 5"}
    told = browser.post(f"/vms/{made}/resize/impact", form).texts("//*[@class='impact-move']")
    assert "180 → 195 / 100,000GiB" in told
    assert browser.post(f"/vms/{made}/resize", form).location == f"/vms/{made}"
    assert http.ours.get(f"/vms/{made}").json["size"]["data_disks"] == [100, 40, 5]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("100", "A data disk cannot be removed: it has 100, 30 GiB. Name all of them."),
        ("100, 20", "Data disk 2 cannot shrink: it has 30 GiB."),
    ],
)
def test_a_resize_that_would_take_data_away_is_told_so(
    http: Callers, visit: Visitors, made: str, written: str, said: str
) -> None:
    browser = visit("manager")
    browser.get(f"/vms/{made}/resize")
    page = browser.post(f"/vms/{made}/resize", {"flavor": "small", "data_disks": written})
    assert (page.status, page.texts("//*[@id='error-data_disks']")) == (422, [said])
    assert http.ours.get(f"/vms/{made}").json["state"] == "running"


def test_a_resize_that_names_no_data_disks_leaves_them(http: Callers, visit: Visitors, made: str) -> None:
    browser = visit("manager")
    browser.get(f"/vms/{made}/resize")
    form = {"flavor": "", "vcpu": "4", "memory_gib": "8", "disk_gib": "60", "data_disks": ""}
    assert browser.post(f"/vms/{made}/resize", form).status == 302
    assert http.ours.get(f"/vms/{made}").json["size"]["data_disks"] == [100, 30]


def test_a_rebuild_says_that_data_disks_stay(visit: Visitors, made: str) -> None:
    page = visit("manager").get(f"/vms/{made}/rebuild")
    assert "Its data disks keep what is on them: 100GiB + 30GiB" in page.text("//*[@class='fault-advice']")


def test_a_request_tells_the_data_disks_of_new_machines_and_resizes(visit: Visitors, made: str) -> None:
    browser = visit("manager")
    browser.get("/requests/new")
    added = {**ASK, "what": "create", "name": "db-02", "data_disks": "200", "act": "add", "title": "数据盘"}
    there = browser.post("/requests/new", added).location
    browser.get(there)
    more = {"what": "resize", "machine": "web-01", "flavor": "small", "data_disks": "100 30 7", "act": "add"}
    assert browser.post(there, {**more, "title": "数据盘"}).status == 302
    page = browser.get(there)
    [new, larger] = page.texts("//p[@class='basket-details']")
    assert "data disks of 200 GiB" in new
    assert larger.endswith("data disks of 100 + 30 + 7 GiB")
    assert page.all("//input[@name='data_disks']/@value") == [""]


def test_the_file_of_machines_has_their_data_disks(visit: Visitors, made: str) -> None:
    answer = visit("manager").get("/vms.csv?columns=disk&columns=data_disks").answer
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\N{BYTE ORDER MARK}"))))
    assert rows[1][-2:] == ["50", "100 30"]


def test_the_list_of_machines_shows_data_disks_where_it_is_asked_to(visit: Visitors, made: str) -> None:
    page = visit("manager").get("/vms?columns=name&columns=data_disks")
    assert "100GiB + 30GiB" in page.text("//tbody")


def test_a_data_disk_that_was_taken_away_is_told_on_the_page_of_drift(
    http: Callers, visit: Visitors, made: str
) -> None:
    with transaction(http.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.execute(text("UPDATE pools SET drift_policy = 'report'"))
    pool = http.admin.get(f"/vms/{made}").json["pool"]
    driver = connect({"node": pool}, http.installation.settings.state_dir / "nodes")
    machine = driver.observe([UUID(made)])[UUID(made)]
    driver.put(replace(machine, data_disks=()))
    sweep(http.sessions, http.drivers)
    assert "Data disks, GiB: 100, 30 → none" in visit("admin").get("/drifts").text("//tbody")
