"""Floating addresses as the API's callers meet them: asked for, given, taken away, found by, and drift."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.reconcile.sweep import sweep
from provisioners.fake_driver import connect
from tests.callers import Callers
from tests.factories import vm

OUTSIDE = {"code": "outside", "name": "对外", "site": "nm", "cidr": "172.31.99.8/29", "network": "ext"}
FIRST = {"subnet": "outside", "address": "172.31.99.9"}


@pytest.fixture
def outside(http: Callers) -> None:
    """A subnet of floating addresses."""
    made = http.admin.post("/subnets", {**OUTSIDE, "floating": True})
    assert (made.status_code, made.json["floating"]) == (201, True)


def test_whether_a_subnet_is_floating_is_said_once(http: Callers, outside: None) -> None:
    assert http.admin.get("/subnets/business").json["floating"] is False
    assert http.admin.patch("/subnets/outside", {"floating": False}).status_code == 422
    own = http.admin.post("/subnets", {**OUTSIDE, "code": "own", "department": "environment", "floating": True})
    assert (own.status_code, own.json["problems"][0]["field"]) == (422, "floating")


def test_a_vm_is_asked_for_with_one_and_shows_it_apart_from_those_on_its_cards(http: Callers, outside: None) -> None:
    asked = http.ours.post("/vms", vm(floating_subnet="outside"))
    assert (asked.status_code, asked.json["floating_subnet"], asked.json["floating_address"]) == (202, "outside", FIRST)
    assert asked.json["addresses"] == [{"subnet": "business", "address": "10.1.0.2"}]
    made = asked.json["id"]
    http.work(made)
    shown = http.ours.get(f"/vms/{made}").json
    assert (shown["addresses"], shown["floating_address"]) == (asked.json["addresses"], FIRST)


def test_one_without_has_none(http: Callers) -> None:
    assert http.ours.post("/vms", vm()).json["floating_address"] is None


def test_many_get_one_each_and_a_dry_run_takes_none(http: Callers, outside: None) -> None:
    vms = {"vms": [vm(f"web-{n}", floating_subnet="outside") for n in (1, 2)]}
    for path in ("/vms/bulk?dry_run=true", "/vms/bulk"):
        made = http.ours.post(path, vms).json["vms"]
        assert [one["floating_address"]["address"] for one in made] == ["172.31.99.9", "172.31.99.10"]


def test_a_request_for_one_is_carried_out_when_it_is_granted(http: Callers, outside: None) -> None:
    items = [{"do": "create", "kind": "vm", "spec": vm(floating_subnet="outside")}]
    asked = http.ours.post("/requests", {"title": "对外服务", "items": items}).json["id"]
    http.ours.post(f"/requests/{asked}/submit", {})
    [made] = http.ours.get("/vms").json["items"]
    assert made["floating_address"] == FIRST


def test_it_is_given_and_taken_away_by_verbs_and_free_once_nothing_leads_there(http: Callers, outside: None) -> None:
    made = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    given = http.ours.post(f"/vms/{made}/float", {"subnet": "outside"})
    assert (given.status_code, given.json["state"], given.json["floating_address"]) == (202, "changing", FIRST)
    http.work(made)
    twice = http.ours.post(f"/vms/{made}/float", {"subnet": "outside"})
    assert (twice.status_code, twice.json["code"]) == (409, "floating.one_already")
    taken = http.ours.post(f"/vms/{made}/unfloat", {})
    assert (taken.status_code, taken.json["floating_address"]) == (202, None)
    assert http.admin.get("/subnets/outside").json["addresses"]["claimed"] == 1
    http.work(made)
    assert http.admin.get("/subnets/outside").json["addresses"]["claimed"] == 0
    none = http.ours.post(f"/vms/{made}/unfloat", {})
    assert (none.status_code, none.json["code"]) == (409, "floating.none")
    history = http.ours.get(f"/vms/{made}/history").json["items"]
    assert [event["action"] for event in history][:4] == ["vm.running", "vm.unfloat", "vm.running", "vm.float"]
    assert history[0]["details"]["addresses"] == ["172.31.99.9"]


def test_a_vm_is_found_by_it(http: Callers, outside: None) -> None:
    made = http.ours.post("/vms", vm(floating_subnet="outside")).json["id"]
    http.ours.post("/vms", vm("web-02"))
    assert [one["id"] for one in http.ours.get("/vms?q=172.31.99.9").json["items"]] == [made]


def test_another_department_gives_none_to_it(http: Callers, outside: None) -> None:
    made = http.ours.post("/vms", vm()).json["id"]
    assert http.theirs.post(f"/vms/{made}/float", {"subnet": "outside"}).status_code == 404


def test_one_that_leads_elsewhere_is_drift_that_says_so_and_is_led_back(http: Callers, outside: None) -> None:
    made = http.ours.post("/vms", vm(floating_subnet="outside")).json["id"]
    http.work(made)
    with transaction(http.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    pool = http.admin.get(f"/vms/{made}").json["pool"]
    node = connect({"node": pool}, http.installation.settings.state_dir / "nodes")
    node.put(replace(node.observe([UUID(made)])[UUID(made)], floating_address=None))
    sweep(http.sessions, http.drivers)
    [found] = http.admin.get("/drifts?kind=different").json["items"]
    assert found["differences"] == {"floating_address": {"wanted": "172.31.99.9", "observed": None}}
    refused = http.admin.post(f"/drifts/{found['id']}/accept", {})
    assert (refused.status_code, refused.json["code"]) == (409, "drift.nothing_to_accept")
    http.work(made)
    assert node.observe([UUID(made)])[UUID(made)].floating_address == "172.31.99.9"
    assert http.admin.get(f"/drifts/{found['id']}").json["outcome"] == "repaired"
