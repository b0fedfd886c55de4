"""Lists: what the address asks for is what is shown, and what is shown is what the file has."""

import csv
import io

import pytest

from controlplane.db import transaction
from controlplane.services import departments
from tests.callers import Callers
from tests.factories import ROOMY, make_department, vm
from tests.people import ADMIN
from tests.statements import noted
from tests.web.visitors import Visitor, Visitors
from web.console import lists


def many(http: Callers, *names: str) -> list[str]:
    answer = http.ours.post("/vms/bulk", {"vms": [vm(name) for name in names]})
    return [machine["id"] for machine in answer.json["vms"]]


def rows(browser: Visitor, path: str) -> list[list[str]]:
    answer = browser.client.get(path)
    assert answer.mimetype == "text/csv" and "attachment" in answer.headers["Content-Disposition"]
    text = answer.get_data(as_text=True)
    assert text.startswith("\N{BYTE ORDER MARK}"), "without it a spreadsheet takes Chinese for something else"
    return list(csv.reader(io.StringIO(text.removeprefix("\N{BYTE ORDER MARK}"))))


@pytest.mark.parametrize(
    ("language", "head"),
    [
        ("en", ["Name", "State", "Department", "System", "Address", "vCPU", "Memory (MiB)", "Disk (GiB)", "Created"]),
        ("zh", ["名称", "状态", "部门", "业务系统", "地址", "vCPU", "内存 (MiB)", "磁盘 (GiB)", "创建时间"]),
    ],
)
def test_a_file_says_what_the_list_shows(http: Callers, visit: Visitors, language: str, head: list[str]) -> None:
    many(http, "web-01", "db-01")
    browser = visit("manager", language)
    found = rows(browser, "/vms.csv?q=web")
    assert found[0] == head
    assert [row[0] for row in found[1:]] == ["web-01"]
    assert found[1][4:8] == ["10.1.0.2", "2", "4096", "50"]
    assert [row[0] for row in rows(browser, "/vms.csv?sort=-name")[1:]] == ["web-01", "db-01"]
    assert rows(browser, "/vms.csv?columns=vcpu&columns=fault")[0] == [
        head[0],
        "vCPU",
        {"en": "Fault", "zh": "故障原因"}[language],
    ]


def test_a_file_has_all_pages_and_says_where_it_was_cut(
    http: Callers, visit: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(http, *(f"web-{n:02}" for n in range(60)))
    browser = visit("manager")
    monkeypatch.setattr(lists, "MAX_LIMIT", 25)
    assert [row[0] for row in rows(browser, "/vms.csv")[1:]] == [f"web-{n:02}" for n in range(60)]
    monkeypatch.setattr(lists, "MOST_IN_A_FILE", 30)
    cut = rows(browser, "/vms.csv")
    assert len(cut) == 32 and "Cut here" in cut[-1][0]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_file_holds_no_formula(http: Callers, visit: Visitors, name: str) -> None:
    with transaction(http.sessions) as session:
        make_department(session, "hostile", name)
    found = rows(visit("admin", "zh"), "/departments.csv?q=hostile")
    assert found[1][0] == f"'{name}"


def test_columns_are_chosen_in_the_address_and_the_name_always_stays(http: Callers, visit: Visitors) -> None:
    many(http, "web-01")
    page = visit("manager").get("/vms?columns=address&columns=id&q=web")
    assert page.texts("//thead/tr/th")[1:] == ["Name", "Address", "Id"]
    ticked = page.all("//form[@class='menu-columns']//input[@checked]/@value")
    assert ticked == ["address", "id"]
    assert page.all("//form[@class='menu-columns']//input[@type='hidden' and @name='q']/@value") == ["web"]


def test_the_count_of_a_list_is_of_what_the_filters_leave(http: Callers, visit: Visitors) -> None:
    many(http, *(f"web-{n:02}" for n in range(60)), "db-01")
    browser = visit("manager")
    assert browser.get("/vms").texts("//*[@class='list-total']") == ["61 in all"]
    assert browser.get("/vms?q=web").texts("//*[@class='list-total']") == ["60 in all"]


def test_a_department_that_was_typed_becomes_a_filter_that_says_its_name(http: Callers, visit: Visitors) -> None:
    many(http, "web-01")
    browser = visit("admin", "zh")
    for typed in ("环境保护厅 (environment)", "环境", "Environment"):
        assert (
            browser.get(f"/vms?state=building&department={typed}").location
            == "/vms?state=building&department=environment"
        )
    page = browser.get("/vms?department=environment")
    assert page.texts("//summary[contains(@class, 'chip-on')]") == ["部门：环境保护厅"]
    assert page.texts("//tbody//th") == ["web-01"]
    assert browser.get("/vms?department=nowhere").texts("//tbody//th") == []
    assert "web-01" not in visit("stranger").get("/vms?department=environment").answer.text


def test_departments_are_offered_by_any_part_of_their_names(visit: Visitors) -> None:
    assert visit("admin", "zh").get("/choices/departments?department=保护").all("//option/@value") == [
        "环境保护厅 (environment)"
    ]
    assert visit("stranger", "zh").get("/choices/departments?department=保护").all("//option/@value") == []


def test_a_page_of_departments_asks_as_much_of_the_database_for_two_as_for_fifty(
    http: Callers, visit: Visitors
) -> None:
    browser = visit("admin")
    with noted(http.engine) as few:
        browser.get("/departments")
    with transaction(http.sessions) as session:
        for number in range(60):
            new = departments.NewDepartment(f"d{number}", f"部门 {number}", f"D {number}", "nm", None, ROOMY)
            departments.create(session, ADMIN, new)
    with noted(http.engine) as many_:
        page = browser.get("/departments")
    assert len(page.texts("//tbody/tr")) == 50
    assert len(many_) == len(few) > 0


@pytest.mark.parametrize("path", ["/vms", "/departments", "/systems"])
def test_a_list_has_a_file_with_its_filters(http: Callers, visit: Visitors, path: str) -> None:
    many(http, "monitor")
    page = visit("admin").get(f"{path}?q=on&sort=-name")
    assert page.all("//a[@download]/@href") == [f"{path}.csv?q=on&sort=-name"]
    assert page.texts("//tbody//th")


def test_the_search_box_finds_machines_departments_and_systems(http: Callers, visit: Visitors) -> None:
    [ident] = many(http, "monitor-web")
    browser = visit("admin", "zh")
    page = browser.get("/search?q=monitor")
    assert page.texts("//*[@id='found-vms']//tbody//th") == ["monitor-web"]
    assert page.texts("//*[@id='found-systems']//tbody//th") == ["监控", "监控"]
    assert browser.get("/search?q=环境").texts("//*[@id='found-departments']//tbody//th") == ["环境保护厅"]
    assert browser.get("/search?q=10.1.0.2").texts("//*[@id='found-vms']//tbody//th") == ["monitor-web"]
    assert browser.get(f"/search?q={ident}").location == f"/vms/{ident}"
    assert browser.get("/search?q=nothing-at-all").texts("//*[@class='empty-head']") == ["没有符合条件的记录"]
    assert browser.get("/search").texts("//*[@class='empty-head']") == ["要查找什么？"]
    assert visit("stranger").get("/search?q=monitor-web").texts("//*[@id='found-vms']") == []
