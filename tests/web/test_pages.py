"""The pages as their readers see them, in both languages."""

import pytest

from controlplane.db import transaction
from controlplane.models import Resource
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Page, Visitors

BUTTONS = {
    "en": ["Start", "Stop", "Reboot", "Try again", "Resize", "Snapshots", "Rebuild", "Delete"],
    "zh": ["开机", "关机", "重启", "重试", "变更规格", "快照", "重装", "删除"],
}


def made(http: Callers, name: str = "web-01", *, work: bool = True) -> str:
    ident = str(http.ours.post("/vms", vm(name)).json["id"])
    if work:
        http.work(ident)
    return ident


@pytest.mark.parametrize("who", ["admin", "auditor"])
@pytest.mark.parametrize(("language", "label"), [("en", "Virtual machines"), ("zh", "虚拟机")])
def test_the_centres_people_see_its_headline_figures(
    http: Callers, visit: Visitors, who: str, language: str, label: str
) -> None:
    made(http)
    page = visit(who, language).get("/")
    figures = dict(
        zip(page.texts("//*[@class='figure-label']"), page.texts("//*[@class='figure-amount']"), strict=True)
    )
    assert len(figures) == 6
    assert figures[label] == "1"
    assert page.texts("//h2") == (
        ["Capacity", "In transition or faulted", "Pools"] if language == "en" else ["容量", "变更中或故障", "资源池"]
    )


def test_the_capacity_of_all_pools_is_told_in_the_unit_that_reads_best(http: Callers, visit: Visitors) -> None:
    made(http)
    gauges = visit("admin").get("/").texts("//*[@class='gauge gauge-calm']")
    assert [g.split()[0] for g in gauges] == ["vCPU", "Memory", "Disk", "Virtual"]
    assert "4GiB" in gauges[1] and "1,024GiB" in gauges[1]
    assert "39.1TiB" in gauges[2]
    assert "No limit" in gauges[3]


def test_a_department_sees_its_own_quota_and_no_figure_of_the_centre(http: Callers, visit: Visitors) -> None:
    made(http)
    page = visit("manager").get("/")
    assert not page.all("//*[@class='figure-label']")
    assert "Quota" in page.texts("//h2")
    assert "2cores" in page.text("//*[starts-with(@data-key, 'gauge-vCPU')]")
    assert "400cores" in page.text("//*[starts-with(@data-key, 'gauge-vCPU')]")
    assert "0cores" in visit("stranger").get("/").text("//*[starts-with(@data-key, 'gauge-vCPU')]")


def test_what_is_in_transition_is_on_the_overview_until_it_settles(http: Callers, visit: Visitors) -> None:
    ident = made(http, work=False)
    browser = visit("manager")
    assert browser.get("/").texts("//tbody//th") == ["web-01"]
    http.work(ident)
    assert browser.get("/").texts("//tbody//th") == []
    assert "Nothing is waiting" in browser.page.text()


@pytest.mark.parametrize(("language", "advice"), [("en", "No virtual machine yet"), ("zh", "还没有虚拟机")])
def test_an_empty_list_says_what_to_do_first(visit: Visitors, language: str, advice: str) -> None:
    assert visit("manager", language).get("/vms").texts("//*[@class='empty-head']") == [advice]


def test_the_list_is_searched_by_any_part_of_a_name_or_an_address(http: Callers, visit: Visitors) -> None:
    made(http, "web-01", work=False)
    made(http, "db-01", work=False)
    browser = visit("manager")
    assert browser.get("/vms?q=b-0").texts("//tbody//th") == ["db-01", "web-01"]
    assert browser.get("/vms?q=WEB").texts("//tbody//th") == ["web-01"]
    assert browser.get("/vms?q=10.1.0.3").texts("//tbody//th") == ["db-01"]
    assert browser.get("/vms?q=%25").texts("//*[@class='empty-head']") == ["Nothing matches"]


def test_the_list_is_filtered_by_state_and_says_which(http: Callers, visit: Visitors) -> None:
    made(http, "a")
    made(http, "b", work=False)
    browser = visit("manager")
    page = browser.get("/vms?state=building")
    assert page.texts("//tbody//th") == ["b"]
    assert page.texts("//summary[contains(@class, 'chip-on')]") == ["State: Building"]
    assert page.texts("//tbody//*[contains(@class, 'state-busy')]") == ["Building"]
    assert page.all("//a[contains(@class, 'chip-clear')]/@href") == ["/vms"]


def test_the_list_is_sorted_by_its_headings(http: Callers, visit: Visitors) -> None:
    for name in ("b", "a", "c"):
        made(http, name, work=False)
    browser = visit("manager")
    page = browser.get("/vms")
    assert page.texts("//tbody//th") == ["a", "b", "c"]
    assert page.all("//th[@aria-sort='ascending']//a/@href") == ["/vms?sort=-name"]
    assert browser.get("/vms?sort=-name").texts("//tbody//th") == ["c", "b", "a"]
    assert browser.get("/vms?sort=created_at").texts("//tbody//th") == ["b", "a", "c"]
    assert browser.get("/vms?sort=colour").status == 422


def test_the_list_is_walked_by_its_page_links_with_the_filter_kept(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms/bulk", {"vms": [vm(f"web-{n:02}") for n in range(60)]})
    browser = visit("manager")
    first = browser.get("/vms?q=web")
    assert len(first.texts("//tbody//th")) == 50 and not first.all("//a[@rel='prev']")
    second = browser.get(first.all("//a[@rel='next']/@href")[0])
    assert second.texts("//tbody//th") == [f"web-{n:02}" for n in range(50, 60)]
    assert second.all("//input[@type='search' and @name='q']/@value")[-1] == "web"
    assert browser.get(second.all("//a[@rel='prev']/@href")[0]).texts("//tbody//th") == first.texts("//tbody//th")


def test_a_broken_page_link_is_told_and_not_a_bug(visit: Visitors) -> None:
    page = visit("manager").get("/vms?cursor=broken")
    assert page.status == 400
    assert "bad_cursor" in page.texts("//code")


@pytest.mark.parametrize(("language", "state", "memory"), [("en", "Running", "4GiB"), ("zh", "运行中", "4GiB")])
def test_a_machines_page_tells_its_state_its_facts_and_its_history(
    http: Callers, visit: Visitors, language: str, state: str, memory: str
) -> None:
    ident = made(http)
    page = visit("manager", language).get(f"/vms/{ident}")
    assert page.texts("//h1") == ["web-01"]
    assert state in page.texts("//*[contains(@class, 'state-good')]")
    assert memory in page.texts("//dd") and "10.1.0.2" in page.texts("//dd")
    told = page.texts("//tbody/tr/td[3]")
    assert told == (["Found running", "Creation ordered"] if language == "en" else ["已确认运行", "提交创建"])
    assert page.all("//tbody/tr/td[3]/@title") == ["vm.running", "vm.create"]


def test_where_a_machine_runs_is_told_to_the_centres_people_alone(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    assert "Pool" in visit("admin").get(f"/vms/{ident}?tab=technical").texts("//dt")
    assert "Pool" not in visit("manager").get(f"/vms/{ident}?tab=technical").texts("//dt")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_buttons_that_are_impossible_now_are_disabled_and_say_why(
    http: Callers, visit: Visitors, language: str
) -> None:
    def told(page: Page) -> tuple[list[str], list[str]]:
        every = page.all("//*[@class='heading-actions']//*[self::button or self::a]")
        return [b.text_content().strip() for b in every], [
            b.get("title") for b in every if b.get("disabled") is not None
        ]

    ident = made(http, work=False)
    browser = visit("manager", language)
    words, reasons = told(browser.get(f"/vms/{ident}"))
    assert words == BUTTONS[language]
    reason = {"en": "Not possible while it is: Building", "zh": "当前状态不允许此操作：创建中"}[language]
    assert reasons == [reason] * 6, "only deleting is possible, and looking at snapshots"
    http.work(ident)
    words, reasons = told(browser.get(f"/vms/{ident}"))
    assert words[1:] == BUTTONS[language] and len(reasons) == 2, "neither start nor retry"
    assert words[0] == {"en": "Console", "zh": "控制台"}[language], "what runs has a console"


def test_a_button_orders_says_so_and_the_worker_makes_it_so(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    browser = visit("colleague")
    for verb, state in (("stop", "Stopped"), ("start", "Running"), ("reboot", "Running")):
        browser.get(f"/vms/{ident}")
        assert browser.post(f"/vms/{ident}/{verb}").location == f"/vms/{ident}"
        page = browser.get(f"/vms/{ident}")
        assert "Changing" in page.text("//*[@class='thing-what']")
        assert "web-01 was ordered" in page.text("//*[@id='flashes']")
        http.work(ident)
        assert state in browser.get(f"/vms/{ident}").text("//*[@class='thing-what']")
    browser.post("/vms/bulk", {"verb": "delete", "confirmed": "1", "id": ident})
    http.work(ident)
    assert browser.get(f"/vms/{ident}").status == 404


def test_deleting_asks_first_and_names_what_is_lost(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    page = visit("manager").get(f"/vms/{ident}/delete")
    assert page.texts("//h1") == ["Delete: web-01"]
    lost = page.text("//*[@class='losses']")
    assert "50GiB" in lost and "10.1.0.2" in lost
    assert not page.all("//input[@name='word']"), "one machine needs no typed word"
    assert http.ours.get(f"/vms/{ident}").json["state"] == "running"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "'web-01' is Building: Stop is possible when it is Faulted or Running."),
        ("zh", "创建中"),
    ],
)
def test_an_order_in_the_wrong_state_is_refused_in_the_readers_words(
    http: Callers, visit: Visitors, language: str, words: str
) -> None:
    ident = made(http, work=False)
    browser = visit("manager", language)
    browser.get("/")
    page = browser.post(f"/vms/{ident}/stop")
    assert page.status == 409
    assert words in page.text("//*[@class='fault-head']")
    assert "not_now" in page.texts("//code")


def test_an_unknown_order_is_not_found(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    browser = visit("manager")
    browser.get("/")
    assert browser.post(f"/vms/{ident}/explode").status == 404


@pytest.mark.parametrize("language", ["en", "zh"])
def test_another_departments_machine_is_not_found(http: Callers, visit: Visitors, language: str) -> None:
    ident = made(http)
    browser = visit("stranger", language)
    page = browser.get(f"/vms/{ident}")
    assert page.status == 404
    assert "web-01" not in page.answer.text
    assert page.texts("//h1") == [{"en": "Not found", "zh": "未找到"}[language]]
    assert {"en": "virtual machine", "zh": "虚拟机"}[language] in page.text("//*[@class='fault-head']")
    assert browser.get(f"/vms/{ident}/delete").status == 404
    assert http.ours.get(f"/vms/{ident}").json["state"] == "running"


@pytest.mark.parametrize("path", ["/nowhere", "/vms/x", "/vms?sort=x", "/vms?q=%00", "/metrics"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_error_page_tells_the_request_id_and_whether_anything_was_done(
    visit: Visitors, path: str, language: str
) -> None:
    page = visit("manager", language).get(path, headers={"X-Request-Id": "trace-7"})
    assert 400 <= page.status < 500
    assert "trace-7" in page.texts("//code")
    assert {"en": "Nothing was changed.", "zh": "未做任何更改。"}[language] in page.texts("//dd")
    assert page.all("//nav[@id='nav']"), "somebody who is signed in keeps the frame"


def test_a_faulted_machine_says_what_happened_and_what_to_do(http: Callers, visit: Visitors) -> None:
    ident = made(http)
    with transaction(http.sessions) as session:
        machine = session.get(Resource, ident)
        assert machine is not None
        machine.state, machine.fault_code, machine.fault_detail = "faulted", "driver.rejected", "no space left"
    page = visit("manager").get(f"/vms/{ident}")
    assert page.texts("//*[@class='fault-head']") == ["no space left"]
    assert "driver.rejected" in page.texts("//code")
    assert "web-01" in visit("manager").get("/").texts("//tbody//th")


def test_nobody_sees_an_entry_that_he_may_not_open(visit: Visitors) -> None:
    for who in ("admin", "auditor", "manager", "colleague"):
        browser = visit(who)
        for entry in browser.get("/").all("//nav[@id='nav']//a/@href"):
            assert browser.get(entry).status == 200, f"{who} {entry}"
