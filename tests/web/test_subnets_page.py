"""The page of subnets: what is given, what is left, and who has it."""

import csv
import io

from tests.callers import Callers
from tests.factories import vm
from tests.statements import noted
from tests.web.visitors import Visitor, Visitors


def rows(browser: Visitor, path: str) -> list[dict[str, str]]:
    text = browser.client.get(path).get_data(as_text=True)
    return list(csv.DictReader(io.StringIO(text.removeprefix("\N{BYTE ORDER MARK}"))))


def test_an_administrator_reads_how_many_addresses_each_subnet_has_given_and_has_left(
    http: Callers, visit: Visitors
) -> None:
    before = {row["Code name"]: int(row["Free"]) for row in rows(visit("admin", "en"), "/subnets.csv") if row["Free"]}
    http.ours.post("/vms/bulk", {"vms": [vm("one"), vm("two")]})
    found = {row["Code name"]: row for row in rows(visit("admin", "en"), "/subnets.csv")}
    assert (found["business"]["Given"], int(found["business"]["Free"])) == ("2", before["business"] - 2)
    assert found["business"]["Range"] == "10.1.0.0/24"


def test_a_department_reads_what_it_has_itself_and_not_what_is_left_for_all(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms", vm("ours"))
    http.theirs.post("/vms", vm("theirs"))
    found = rows(visit("manager", "en"), "/subnets.csv")
    assert {row["Code name"]: row["Given to us"] for row in found} == {"business": "1", "business6": "0"}
    assert "Free" not in found[0]


def test_a_subnets_name_leads_to_the_machines_that_have_its_addresses(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms", vm("ours"))
    page = visit("admin", "en").client.get("/subnets").get_data(as_text=True)
    assert 'href="/vms?subnet=business"' in page
    assert [row["Name"] for row in rows(visit("admin", "en"), "/vms.csv?subnet=business")] == ["ours"]
    assert [machine["name"] for machine in http.admin.get("/vms?subnet=business").json["items"]] == ["ours"]
    assert http.admin.get("/vms?subnet=nowhere").json["items"] == []


def test_a_page_of_subnets_costs_as_many_statements_for_five_as_for_two(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    with noted(http.engine) as few:
        browser.client.get("/subnets")
    for number in range(3):
        cidr = {"cidr": f"10.9.{number}.0/28", "gateway": f"10.9.{number}.1"}
        http.admin.post("/subnets", {"code": f"more-{number}", "name": "更多", "site": "nm", "network": "x", **cidr})
    with noted(http.engine) as many:
        browser.client.get("/subnets")
    assert len(many) == len(few)
