"""Floating addresses at the console: asked for where there are any, shown, given and taken away."""

import pytest

from tests.callers import Callers
from tests.factories import vm
from tests.web.test_asking import ASK
from tests.web.visitors import Page, Visitors

FACT = "//dl[@class='facts']/div[dt='Floating address']/dd"
OUTSIDE = {
    "code": "outside",
    "name": "对外",
    "site": "nm",
    "cidr": "172.31.99.8/29",
    "network": "ext",
    "floating": True,
}


@pytest.fixture
def outside(http: Callers) -> None:
    """A subnet of floating addresses."""
    assert http.admin.post("/subnets", {**OUTSIDE, "floating": True}).status_code == 201


def buttons(page: Page) -> list[str]:
    return page.texts("//*[@class='heading-actions']//*[self::button or self::a]")


def test_none_is_offered_while_there_is_no_subnet_of_them(http: Callers, visit: Visitors) -> None:
    browser = visit("manager")
    assert not browser.get("/vms/new").texts("//select[@name='floating_subnet']")
    made = http.ours.post("/vms", vm()).json["id"]
    assert "Give a floating address" not in buttons(browser.get(f"/vms/{made}"))


def test_a_machine_is_asked_for_with_one(http: Callers, visit: Visitors, outside: None) -> None:
    browser = visit("manager")
    form = browser.get("/vms/new")
    assert "outside" not in form.all("//select[@name='subnet4']/option/@value")
    assert form.all("//select[@name='floating_subnet']/option/@value") == ["", "outside"]
    page = browser.get(browser.post("/vms/new", {**ASK, "floating_subnet": "outside"}).location)
    assert page.texts(FACT) == ["172.31.99.9"]


def test_one_without_anything_to_lead_to_is_told_before_it_is_asked_for(visit: Visitors, outside: None) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    form = {**ASK, "subnet4": "", "subnet6": "business6", "floating_subnet": "outside"}
    answer = browser.post("/vms/new", form)
    assert answer.status == 422
    assert "choose an IPv4 subnet too" in answer.text()


def test_it_is_given_and_taken_away_on_the_machines_page(http: Callers, visit: Visitors, outside: None) -> None:
    made = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    browser = visit("manager")
    assert "Give a floating address" in buttons(browser.get(f"/vms/{made}"))
    assert browser.get(f"/vms/{made}/float").all("//select[@name='subnet']/option/@value") == ["outside"]
    assert browser.post(f"/vms/{made}/float", {"subnet": "outside"}).status == 302
    http.work(made)
    page = browser.get(f"/vms/{made}")
    assert page.texts(FACT) == ["172.31.99.9"]
    assert "Take the floating address away" in buttons(page)
    assert browser.post(f"/vms/{made}/float", {"subnet": "outside"}).status == 409
    assert browser.post(f"/vms/{made}/unfloat").status == 302
    http.work(made)
    assert browser.get(f"/vms/{made}").texts(FACT) == ["—"]
