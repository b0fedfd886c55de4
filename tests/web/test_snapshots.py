"""Snapshots at the console: a page of the machine, where one is taken, gone back to, and deleted."""

import pytest

from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Page, Visitors


@pytest.fixture
def made(http: Callers) -> str:
    """A VM that runs."""
    made: str = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    return made


def names(page: Page) -> list[str]:
    return [text.split()[0] for text in page.texts("//table//tbody/tr/th")]


def test_one_is_taken_gone_back_to_and_deleted(http: Callers, visit: Visitors, made: str) -> None:
    browser = visit("manager")
    assert "Snapshots" in browser.get(f"/vms/{made}").texts("//*[@class='heading-actions']//a")
    where = f"/vms/{made}/snapshots"
    assert "There are no snapshots" in browser.get(where).text()
    assert browser.post(where, {"name": "before-upgrade"}).location.endswith(f"/vms/{made}")
    http.work(made)
    page = browser.get(where)
    assert names(page) == ["before-upgrade"]
    assert page.all("//form[@data-confirm]/@action") == [f"{where}/restore", f"{where}/delete"]
    assert browser.post(f"{where}/restore", {"snapshot": "before-upgrade"}).status == 302
    http.work(made)
    page = browser.get(where)
    assert "Its disk is from this one" in page.text()
    assert browser.post(f"{where}/delete", {"snapshot": "before-upgrade"}).status == 409
    http.ours.post(f"/vms/{made}/rebuild", {})
    http.work(made)
    browser.get(where)
    assert browser.post(f"{where}/delete", {"snapshot": "before-upgrade"}).status == 302
    http.work(made)
    assert names(browser.get(where)) == []


def test_a_name_that_is_taken_or_none_is_told_beside_the_field(http: Callers, visit: Visitors, made: str) -> None:
    http.ours.post(f"/vms/{made}/snapshots", {"name": "before-upgrade"})
    http.work(made)
    browser = visit("manager")
    browser.get(f"/vms/{made}/snapshots")
    for name, words, status in (("before-upgrade", "already", 409), ("Before Upgrade", "Lower-case letters", 422)):
        page = browser.post(f"/vms/{made}/snapshots", {"name": name})
        assert page.status == status
        assert words in " ".join(page.texts("//*[@id='field-name']/following-sibling::*"))


def test_while_something_else_is_done_the_page_says_why_it_has_to_wait(visit: Visitors, http: Callers) -> None:
    building = http.ours.post("/vms", vm()).json["id"]
    page = visit("manager").get(f"/vms/{building}/snapshots")
    assert "Not possible while it is" in page.text()
    assert not page.all("//input[@name='name']")


def test_who_deletes_the_machine_is_told_of_them(visit: Visitors, http: Callers, made: str) -> None:
    browser = visit("manager")
    assert "snapshot" not in browser.get(f"/vms/{made}/delete").text("//*[@class='losses']")
    for name in ("one", "two"):
        http.ours.post(f"/vms/{made}/snapshots", {"name": name})
        http.work(made)
    assert "2 snapshots" in browser.get(f"/vms/{made}/delete").text("//*[@class='losses']")


def test_who_may_only_read_finds_no_page(visit: Visitors, made: str) -> None:
    assert visit("auditor").get(f"/vms/{made}/snapshots").status == 403
