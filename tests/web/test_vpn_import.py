"""Importing VPN accounts at the console: choose, check, read what is wrong or what it takes, start, watch."""

import csv
import io

import pytest

from controlplane.db import transaction
from controlplane.services import departments
from tests.people import ADMIN
from tests.vpn_accounts.importing import looked_at, people, table
from tests.vpn_accounts.scene import furnish
from tests.web.visitors import Page, Visitor, Visitors


@pytest.fixture
def visit(visit: Visitors) -> Visitors:
    """The people of tests, in a centre with a gateway."""
    with transaction(visit.sessions) as session:
        furnish(session)
    return visit


def send(visitor: Visitor, content: bytes, name: str = "people.csv", department: str = "environment") -> Page:
    visitor.get("/vpn-import")
    form = {"department": department, "file": (io.BytesIO(content), name)}
    return visitor.post("/vpn-import", form)  # type: ignore[arg-type]


def after_look(visit: Visitors, visitor: Visitor, page: str) -> Page:
    """Return the page of an import after a worker looked at it."""
    looked_at(visit.http.installation, page.rpartition("/")[2])
    return visitor.get(page)


def test_a_file_is_checked_started_and_made_while_the_page_renews_itself(visit: Visitors) -> None:
    manager = visit("manager")
    page = send(manager, people(1, 2)).location
    watching = manager.get(page)
    assert watching.all("//div[@id='import'][@data-live]//progress")
    assert "Waiting for a worker" in watching.text()
    ready = after_look(visit, manager, page)
    assert not ready.all("//div[@data-live]")
    assert "2 accounts can be made." in ready.text()
    assert ready.texts("//dl[@class='facts']//dd") == ["100,000", "0", "2", "99,998"]
    assert manager.post(f"{page}/start").location == page
    assert manager.get(page).all("//div[@data-live]")
    done = after_look(visit, manager, page)
    assert "2 accounts were made." in done.text() and "hand out their passwords" in done.text()
    [of] = done.all("//a[contains(@href, '/requests/')]/@href")
    assert manager.get(of).status == 200
    assert "people.csv" in manager.get("/vpn-import").text("//section")


def test_what_is_wrong_stands_in_a_table_by_line_and_in_a_file(visit: Visitors) -> None:
    manager = visit("manager")
    page = send(manager, table("王芳,E1,wang,0471-0000001", "李娜,,Li,0471-0000001")).location
    bad = after_look(visit, manager, page)
    rows = bad.texts("//section[2]//tbody/tr")
    assert len(rows) == 2 and rows[0].startswith("3工号A number of") and rows[1].startswith("3用户名A user name")
    assert "2 things are wrong. Nothing was made." in bad.text()
    file = manager.client.get(f"{page}/problems.csv")
    assert [row[:2] for row in csv.reader(io.StringIO(file.data.decode("utf-8-sig")))] == [
        ["Line", "Column"],
        ["3", "工号"],
        ["3", "用户名"],
    ]
    assert manager.post(f"{page}/start").status == 409
    assert manager.post(f"{page}/discard").location == "/vpn-import"
    assert manager.get(page).status == 404


def test_problems_are_told_in_chinese(visit: Visitors) -> None:
    with transaction(visit.sessions) as session:
        departments.set_quota(session, ADMIN, "environment", {"vpn_account": 1})
    manager = visit("manager", "zh")
    shown = after_look(visit, manager, send(manager, people(1, 2)).location)
    [short, beyond] = shown.texts("//section[2]//tbody/tr")
    assert short == "全部环境保护厅的 VPN 账号额度还剩 1 个，本次需要 2 个。请减少行数，或请管理员提高额度。"
    assert beyond == "3额度不够到这一行。"


def test_what_nobody_can_read_is_said_beside_the_field_and_kept_nowhere(visit: Visitors) -> None:
    manager = visit("manager")
    manager.get("/vpn-import")
    nothing = manager.post("/vpn-import", {"department": "environment"})
    assert (nothing.status, nothing.texts("//*[@id='error-file']")) == (422, ["Choose a file."])
    large = send(manager, b"x" * (10 * 1024 * 1024 + 1))
    assert large.status == 413 and "larger than 10 MiB" in large.text("//*[@id='error-file']")
    assert not manager.get("/vpn-import").all("//section")


def test_an_administrator_imports_for_the_department_that_is_chosen(visit: Visitors) -> None:
    admin = visit("admin")
    assert send(admin, people(1), department="nobody").status == 422
    page = send(admin, people(1), department="财政厅 (finance)").location
    assert "1 account can be made." in after_look(visit, admin, page).text()


def test_another_departments_import_is_no_page(visit: Visitors) -> None:
    page = send(visit("manager"), people(1)).location
    stranger = visit("stranger")
    assert stranger.get(page).status == 404
    stranger.get("/vpn-import")
    assert stranger.post(f"{page}/start").status == 404
    assert stranger.post(f"{page}/discard").status == 404
    assert visit("auditor").get("/vpn-import").status == 403


def test_the_template_is_in_the_readers_language(visit: Visitors) -> None:
    manager = visit("manager", "zh")
    file = manager.client.get("/vpn-import/template?format=csv")
    assert file.data.decode("utf-8-sig").startswith("姓名,工号")
    assert manager.client.get("/vpn-import/template?format=xlsx").data.startswith(b"PK")
