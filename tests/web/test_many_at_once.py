"""Many machines at once: chosen in the list, confirmed on a page that says what is lost, all of them or none."""

import pytest

from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Page, Visitor, Visitors


def running(http: Callers, *names: str) -> list[str]:
    refs = [machine["id"] for machine in http.ours.post("/vms/bulk", {"vms": [vm(name) for name in names]}).json["vms"]]
    for ref in refs:
        http.work(ref)
    return refs


def order(browser: Visitor, verb: str, refs: list[str], **more: str) -> Page:
    """Send what the list's form, or the page that confirms it, would."""
    browser.get("/vms")
    form = {"csrf_token": browser.page.csrf, "verb": verb, "id": refs, "next": "/vms?q=web", **more}
    return Page(browser.client.post("/vms/bulk", data=form))


def states(http: Callers) -> set[str]:
    return {machine["state"] for machine in http.ours.get("/vms").json["items"]}


def test_stopping_many_says_first_what_will_be_interrupted(http: Callers, visit: Visitors) -> None:
    refs = running(http, "web-01", "web-02")
    browser = visit("manager")
    page = order(browser, "stop", refs)
    assert page.status == 200 and states(http) == {"running"}
    assert page.texts("//h1") == ["Stop of 2 machines"]
    assert page.texts("//tbody//th") == ["web-01", "web-02"]
    assert page.all("//form[@action='/vms/bulk']//input[@name='id']/@value") == refs
    assert order(browser, "stop", refs, confirmed="1").location == "/vms?q=web"
    assert states(http) == {"changing"}
    assert "Stop of 2 machines was ordered." in browser.get("/vms").text("//*[@id='flashes']")


def test_starting_many_needs_no_second_word(http: Callers, visit: Visitors) -> None:
    refs = running(http, "web-01", "web-02")
    browser = visit("colleague")
    order(browser, "stop", refs, confirmed="1")
    for ref in refs:
        http.work(ref)
    assert order(browser, "start", refs).status == 302
    assert states(http) == {"changing"}


@pytest.mark.parametrize(("language", "word"), [("en", "delete"), ("zh", "删除"), ("zh", "delete")])
def test_deleting_many_needs_the_typed_word_and_says_what_is_lost(
    http: Callers, visit: Visitors, language: str, word: str
) -> None:
    refs = running(http, "web-01", "web-02", "web-03")
    browser = visit("manager", language)
    page = order(browser, "delete", refs)
    lost = page.text("//*[@class='losses']")
    assert "150GiB" in lost and "10.1.0.2" in lost and "10.1.0.4" in lost
    for wrong in ("", "yes"):
        refused = order(browser, "delete", refs, confirmed="1", word=wrong)
        assert refused.status == 422 and refused.all("//input[@name='word' and @aria-invalid]")
    assert states(http) == {"running"}
    assert order(browser, "delete", refs, confirmed="1", word=f" {word} ").status == 302
    assert states(http) == {"deleting"}


def test_what_cannot_be_done_to_all_is_done_to_none_and_says_to_which_not(http: Callers, visit: Visitors) -> None:
    refs = running(http, "web-01", "web-02")
    http.ours.post(f"/vms/{refs[1]}/stop")
    http.work(refs[1])
    page = order(visit("manager"), "stop", refs, confirmed="1")
    assert page.status == 422 and states(http) == {"running", "stopped"}
    assert page.texts("//tr[@class='row-bad']/th") == ["web-02"]
    assert "possible when it is" in page.text("//tr[@class='row-bad']")


def test_another_departments_machines_are_not_there(http: Callers, visit: Visitors) -> None:
    refs = running(http, "web-01", "web-02")
    page = order(visit("stranger"), "delete", refs, confirmed="1", word="delete")
    assert page.status == 422 and "web-01" not in page.answer.text
    assert states(http) == {"running"}


def test_choosing_nothing_does_nothing_and_says_so(http: Callers, visit: Visitors) -> None:
    running(http, "web-01")
    browser = visit("manager")
    assert order(browser, "delete", []).location == "/vms?q=web"
    assert "No machine was chosen" in browser.get("/vms").text("//*[@id='flashes']")
    assert order(browser, "start", ["x"]).status == 404
    assert order(browser, "explode", ["x"]).status == 404


def test_the_way_back_leads_nowhere_else(http: Callers, visit: Visitors) -> None:
    refs = running(http, "web-01")
    page = order(visit("manager"), "delete", refs, next="https://example.org/")
    assert page.all("//a[text()='Cancel']/@href") == ["/vms"]


def test_an_auditor_has_nothing_to_choose_with(http: Callers, visit: Visitors) -> None:
    running(http, "web-01")
    page = visit("auditor").get("/vms")
    assert page.texts("//tbody//th") == ["web-01"] and not page.all("//input[@type='checkbox' and @name='id']")
