"""Subnets that are a department's own: for it and those below it, and for everybody else as if they were not there."""

from typing import Any

import pytest

from controlplane.db import transaction
from tests.access.place import sweep_up_a_stranger
from tests.accounts import token_of
from tests.callers import Caller, Callers
from tests.factories import ROOMY, make_department, make_system, vm
from tests.stories.test_drift_by_the_api import finding

OWN = {
    "code": "lab", "name": "实验网", "site": "nm", "cidr": "10.7.0.0/28", "gateway": "10.7.0.1",
    "network": "lab-net", "department": "environment",
}  # fmt: skip


@pytest.fixture
def own(http: Callers) -> dict[str, Any]:
    """The subnet as it was answered, of the department of `ours`."""
    made = http.admin.post("/subnets", OWN)
    assert made.status_code == 201, made.json
    return dict(made.json)


@pytest.fixture
def below(http: Callers) -> Caller:
    """The manager of a department below it."""
    with transaction(http.sessions) as session:
        make_department(session, "stations", parent="environment", limits=ROOMY)
        make_system(session, "stations")
        secret = token_of(session, "stations-api", "department_manager", "stations")
    return Caller(http.app.test_client(), secret)


def codes(caller: Caller, query: str = "") -> list[str]:
    return [item["code"] for item in caller.get(f"/subnets{query}").json["items"]]


def test_it_says_whose_it_is_and_keeps_the_addresses_that_its_network_needs(http: Callers, own: dict[str, Any]) -> None:
    assert (own["department"], own["excluded"]) == ("environment", ["10.7.0.12-10.7.0.14"])
    assert http.ours.get("/subnets/lab").json["addresses"] == {"usable": 10, "claimed": 0}
    assert http.ours.get("/subnets/business").json["department"] is None


def test_others_neither_see_it_nor_get_an_address_of_it(http: Callers, own: dict[str, Any]) -> None:
    everybodys = ["business", "business6"]
    assert codes(http.theirs) == everybodys
    for ref in ("lab", own["id"]):
        assert http.theirs.get(f"/subnets/{ref}").status_code == 404
    asked = http.theirs.post("/vms", vm(subnets=["lab"]))
    unknown = http.theirs.post("/vms", vm(subnets=["none"]))
    assert (asked.status_code, unknown.status_code) == (404, 404)
    assert asked.json["detail"] == unknown.json["detail"].replace("none", "lab")
    for caller in (http.admin, http.audit):
        assert codes(caller) == [*everybodys, "lab"]
        assert codes(caller, "?department=environment") == ["lab"]
        assert codes(caller, "?department=finance") == []


def test_not_even_an_administrator_gives_another_department_an_address_of_it(
    http: Callers, own: dict[str, Any]
) -> None:
    refused = http.admin.post("/vms", vm(subnets=["lab"], department="finance"))
    assert (refused.status_code, refused.json["code"]) == (404, "not_found")
    given = http.admin.post("/vms", vm(subnets=["lab"], department="environment"))
    assert given.json["addresses"] == [{"subnet": "lab", "address": "10.7.0.2"}]


def test_the_department_and_those_below_it_get_addresses_and_no_more_than_it_gives(
    http: Callers, below: Caller, own: dict[str, Any]
) -> None:
    assert "lab" in codes(below)
    first = http.ours.post("/vms", vm(subnets=["lab"])).json
    second = below.post("/vms", vm(subnets=["lab"])).json
    assert [one["addresses"][0]["address"] for one in (first, second)] == ["10.7.0.2", "10.7.0.3"]
    assert http.work(second["id"]) == "settled"
    assert below.get(f"/vms/{second['id']}").json["addresses"] == second["addresses"]
    rest = http.ours.post("/vms/bulk", {"vms": [vm(f"rest-{n}", subnets=["lab"]) for n in range(9)]})
    assert (rest.status_code, rest.json["code"]) == (409, "no_address")


def test_what_is_below_is_no_network_of_those_above(http: Callers, below: Caller) -> None:
    assert http.admin.post("/subnets", {**OWN, "department": "stations"}).status_code == 201
    assert "lab" in codes(http.ours), "its manager sees what those below have"
    assert http.ours.post("/vms", vm(subnets=["lab"])).status_code == 404
    assert below.post("/vms", vm(subnets=["lab"])).status_code == 202
    assert http.ours.post("/vms", vm(subnets=["lab"], department="stations")).json["code"] != "not_found"


def test_whose_it_is_cannot_be_changed(http: Callers, own: dict[str, Any]) -> None:
    for other in ("finance", None):
        refused = http.admin.patch("/subnets/lab", {"department": other})
        assert refused.status_code == 422
    assert http.admin.get("/subnets/lab").json["department"] == "environment"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"cidr": "10.7.0.0/30"}, "too small"),
        ({"code": "other", "network": "other-net"}, r"overlaps 10.7.0.0/28"),
        ({"department": "none"}, "none"),
    ],
)
def test_one_that_makes_no_sense_is_refused(http: Callers, changed: dict[str, str], reason: str) -> None:
    assert http.admin.post("/subnets", {**OWN, "code": "before"}).status_code == 201
    refused = http.admin.post("/subnets", {**OWN, "network": "new", **changed})
    assert refused.status_code in {404, 422}
    assert reason in str(refused.json)


def test_a_department_is_not_closed_while_it_has_a_network_of_its_own(http: Callers) -> None:
    with transaction(http.sessions) as session:
        make_department(session, "archive")
    assert http.admin.post("/subnets", {**OWN, "department": "archive"}).status_code == 201
    refused = http.admin.delete("/departments/archive")
    assert (refused.status_code, refused.json["code"]) == (409, "in_use")
    assert "1 subnets" in refused.json["detail"]
    assert http.admin.delete("/subnets/lab").status_code == 200
    assert http.admin.delete("/departments/archive").status_code == 200


def test_the_trail_names_whose_it_is_and_the_department_reads_it(http: Callers, own: dict[str, Any]) -> None:
    http.admin.patch("/subnets/lab", {"name": "新实验网"})
    http.admin.delete("/subnets/lab")
    for caller in (http.audit, http.ours):
        events = caller.get(f"/audit-events?target={own['id']}").json["items"]
        assert [e["action"] for e in events] == ["subnet.delete", "subnet.update", "subnet.create"]
        assert events[0]["details"] == {"cidr": "10.7.0.0/28", "department": "environment"}
        assert events[2]["details"] == {"department": "environment"}
    assert http.theirs.get(f"/audit-events?target={own['id']}").json["items"] == []


def test_a_machine_does_not_take_such_an_address_to_another_department(http: Callers, own: dict[str, Any]) -> None:
    made = http.ours.post("/vms", vm(subnets=["lab"])).json["id"]
    http.work(made)
    item = {"do": "transfer", "resource": made, "department": "finance", "system": "monitoring"}
    place = http.ours.post("/requests", {"title": "移交", "items": [item], "submit": True}).headers["Location"]
    refused = http.admin.post(f"{place.removeprefix('/api/v1')}/approve", {})
    assert (refused.status_code, "lab" in refused.json["detail"]) == (422, True), refused.json


def test_a_stranger_is_not_adopted_with_an_address_of_another_departments_network(
    http: Callers, own: dict[str, Any]
) -> None:
    sweep_up_a_stranger(http)
    found = finding(http, "unknown")["id"]
    ask = {"system": "monitoring", "addresses": {"lab": "10.7.0.5"}}
    assert http.admin.post(f"/drifts/{found}/adopt", {**ask, "department": "finance"}).status_code == 404
    adopted = http.admin.post(f"/drifts/{found}/adopt", {**ask, "department": "environment"})
    assert adopted.json["addresses"] == [{"subnet": "lab", "address": "10.7.0.5"}]


@pytest.mark.parametrize("typed", ["ns1.example", "", " 10.7.0.53", "10.7"])
def test_a_name_server_that_is_no_address_is_refused(http: Callers, typed: str) -> None:
    for asked in (
        http.admin.post("/subnets", {**OWN, "dns": ["10.7.0.53", typed]}),
        http.admin.patch("/subnets/business", {"dns": [typed]}),
    ):
        assert asked.status_code == 422, asked.text
        assert "is no IP address" in asked.json["detail"]
