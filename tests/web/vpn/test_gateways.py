"""Pages of VPN gateways: seats, health, groups; and the forms that open, change and close a group."""

import pytest

from controlplane.db import transaction
from controlplane.models import Pool
from controlplane.reconcile import recording
from controlplane.reconcile.recording import Checked
from tests.callers import Callers
from tests.statements import noted
from tests.vpn_accounts.scene import make_gateway
from tests.web.visitors import Page, Visitor, Visitors
from tests.web.vpn.scene import opened, tunnel

GROUP = {
    "gateway": "vpn-1",
    "department": "environment",
    "system": "monitoring",
    "prefix": "28",
    "networks": "10.1.0.8/32\n10.1.1.0/24",
    "session_minutes": "480",
    "idle_minutes": "15",
    "down_kbit": "4000",
}


def groups(http: Callers) -> dict[str, dict[str, object]]:
    return {group["name"]: group for group in http.admin.get("/vpn-groups").json["items"]}


def in_trouble(http: Callers, why: str) -> None:
    with transaction(http.sessions) as session:
        pool = session.query(Pool).filter_by(code="vpn-1").one()
        recording.checked(session, [Checked(pool.id, trouble=why)])


def test_a_gateway_is_listed_with_its_seats_tunnels_groups_and_health(http: Callers, visit: Visitors) -> None:
    opened(http, 1, 2)
    tunnel(http, "wang1")
    browser = visit("operator")
    [row] = browser.get("/vpn-gateways").texts("//tbody/tr")
    assert "2 / 100,000accounts" in row and "In order" in row
    assert browser.page.texts("//tbody/tr/td[@class='numeric']") == ["1", "2"]
    in_trouble(http, "no route to host")
    [row] = browser.get("/vpn-gateways").texts("//tbody/tr")
    assert "In trouble" in row and "no route to host" in row
    assert "no route to host" in browser.get("/vpn-gateways.csv").answer.text


def test_the_page_of_a_gateway_tells_its_groups_with_the_tunnels_of_each(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    tunnel(http, "wang1")
    browser = visit("auditor")
    page = browser.get("/vpn-gateways/vpn-1")
    assert page.texts("//tbody//th") == ["environment", "finance"]
    rows = page.texts("//tbody/tr")
    assert "10.96.0.0/24" in rows[0] and "10.1.0.0/24" in rows[0] and "No limit" in rows[0]
    assert page.texts("//tbody/tr/td[last()]") == ["1", "0"]
    assert page.all("//*[@role='meter']") and not page.all("//a[contains(@href, '/vpn-groups/')]")
    assert browser.get("/vpn-gateways/vpn-1?department=finance").texts("//tbody//th") == ["finance"]
    assert "finance" in browser.get("/vpn-gateways/vpn-1/groups.csv").answer.text
    in_trouble(http, "no route to host")
    assert "no route to host" in browser.get("/vpn-gateways/vpn-1").text("//*[@role='alert']")


def test_what_is_no_gateway_is_not_found_and_a_department_has_none_of_these_pages(
    http: Callers, visit: Visitors
) -> None:
    assert visit("admin").get("/vpn-gateways/hv-01").status == 404
    assert visit("admin").get("/vpn-gateways/nothing").status == 404
    for path in ("/vpn-gateways", "/vpn-gateways/vpn-1", "/vpn-groups/new"):
        assert visit("manager").get(path).status == 403
    assert not visit("manager").get("/vpn-accounts").all("//a[@href='/vpn-gateways']")


def test_the_list_of_gateways_asks_as_much_of_the_database_for_one_as_for_ten(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    with noted(http.engine) as few:
        browser.get("/vpn-gateways")
    with transaction(http.sessions) as session:
        for number in range(2, 11):
            make_gateway(session, f"vpn-{number}")
    with noted(http.engine) as many:
        assert len(browser.get("/vpn-gateways").texts("//tbody/tr")) == 10
    assert len(many) == len(few) > 0


def test_a_group_is_opened_by_the_form_and_its_block_is_said(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    page = browser.get("/vpn-groups/new?gateway=vpn-1&department=environment")
    assert page.all("//select[@name='gateway']/option[@selected]/@value") == ["vpn-1"]
    assert page.all("//select[@name='system']/option/@value") == ["", "monitoring"]
    assert browser.post("/vpn-groups/new", GROUP).location == "/vpn-gateways/vpn-1"
    made = groups(http)["environment_monitoring"]
    assert (made["cidr"], made["networks"]) == ("10.96.2.0/28", ["10.1.0.8/32", "10.1.1.0/24"])
    assert (made["session_minutes"], made["down_kbit"], made["up_kbit"]) == (480, 4000, None)
    assert "10.96.2.0/28" in browser.get("/vpn-gateways/vpn-1").text("//*[@id='flashes']")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"networks": "10.1.0.5/24"}, "networks"),
        ({"prefix": "200"}, "prefix"),
        ({"prefix": "10"}, "prefix"),
        ({"cidr": "192.168.0.0/24"}, "cidr"),
        ({"gateway": ""}, "gateway"),
        ({"gateway": "hv-01"}, "gateway"),
        ({"department": "nowhere"}, "department"),
        ({"system": "nothing"}, "system"),
        ({"session_minutes": "0"}, "session_minutes"),
        ({"down_kbit": "fast"}, "down_kbit"),
        ({"username_rule": "Ü"}, "username_rule"),
    ],
)
def test_what_is_wrong_with_a_new_group_stands_beside_its_field(
    http: Callers, visit: Visitors, more: dict[str, str], field: str
) -> None:
    browser = visit("admin")
    browser.get("/vpn-groups/new")
    page = browser.post("/vpn-groups/new", {**GROUP, **more})
    assert page.status in {404, 422} and page.all(f"//*[@id='error-{field}']"), page.text("//main")
    assert page.all("//textarea[@name='networks']")[0].text_content().strip()
    assert len(groups(http)) == 2


def test_a_second_group_of_one_department_at_a_gateway_is_refused_on_the_form(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    browser.get("/vpn-groups/new")
    page = browser.post("/vpn-groups/new", {**GROUP, "system": ""})
    assert page.status == 409 and "exists already" in page.text("//*[@role='alert']")


def test_a_group_is_changed_and_an_empty_rate_is_no_limit(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    ref = groups(http)["environment"]["id"]
    page = browser.get(f"/vpn-groups/{ref}")
    assert page.all("//textarea[@name='networks']")[0].text_content() == "10.1.0.0/24"
    sent = fields(page) | {"networks": "10.2.0.0/16", "down_kbit": "2000", "second_factor": "1"}
    assert browser.post(f"/vpn-groups/{ref}", sent).location == "/vpn-gateways/vpn-1"
    changed = groups(http)["environment"]
    assert (changed["networks"], changed["down_kbit"], changed["second_factor"]) == (["10.2.0.0/16"], 2000, True)
    assert browser.post(f"/vpn-groups/{ref}", sent).status == 412
    again = fields(browser.get(f"/vpn-groups/{ref}")) | {"down_kbit": ""}
    again.pop("second_factor", None)
    browser.post(f"/vpn-groups/{ref}", again)
    assert (groups(http)["environment"]["down_kbit"], groups(http)["environment"]["second_factor"]) == (None, False)
    wrong = browser.post(f"/vpn-groups/{ref}", fields(browser.get(f"/vpn-groups/{ref}")) | {"idle_minutes": ""})
    assert wrong.status == 422 and wrong.all("//*[@id='error-idle_minutes']")


def test_a_group_that_carries_accounts_is_not_closed_and_the_page_says_why(http: Callers, visit: Visitors) -> None:
    opened(http, 1)
    browser = visit("admin")
    known = groups(http)
    assert closed(browser, str(known["environment"]["id"])).status == 409
    assert closed(browser, str(known["finance"]["id"])).location == "/vpn-gateways/vpn-1"
    assert set(groups(http)) == {"environment"}


def closed(browser: Visitor, ref: str) -> Page:
    page = browser.get(f"/vpn-groups/{ref}")
    [form] = page.all("//form[contains(@action, '/delete')]")
    assert form.get("data-confirm")
    return browser.post(form.get("action"))


def fields(page: Page) -> dict[str, str]:
    """Return what the form of a group would send."""
    [form] = page.all("//main//form[.//textarea]")
    return {name: value or "" for name, value in form.form_values()} | {"csrf_token": page.csrf}
