"""Requests over HTTP, as departments and those who decide use them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from controlplane.db import transaction
from controlplane.models import Resource
from tests.accounts import token_of
from tests.callers import Caller, Callers
from tests.factories import make_department, make_system
from tests.window.conftest import LIMITS, machines

RULE = {"code": "many", "name": "批量", "name_en": "many", "applies": {"do": ["create"], "amounts": {"vm": 3}}}
TWO = [{"role": "department_manager", "stage": 1}, {"role": "system_admin", "stage": 2}]
RAISE = {"do": "quota", "class": "vcpu", "by": 4}


@dataclass
class Desk:
    """The small centre over HTTP, with a rule that wants two approvals, and a second manager of the department."""

    http: Callers
    deputy: Caller

    def ask(self, items: list[dict[str, Any]], **more: Any) -> Any:
        return self.http.ours.post("/requests", {"title": "五台", "items": items, "submit": True, **more})

    def held(self) -> int:
        classes = self.http.ours.get("/departments/environment/quota").json["classes"]
        return sum(c["held"] for c in classes)


@pytest.fixture
def desk(http: Callers) -> Iterator[Desk]:
    with transaction(http.sessions) as session:
        secret = token_of(session, "deputy-api", "department_manager", "environment")
    http.admin.put("/departments/environment/quota", {"limits": LIMITS})
    assert http.security.post("/routing-rules", {**RULE, "steps": TWO}).status_code == 201
    yield Desk(http, Caller(http.app.test_client(), secret))


def test_five_machines_and_a_quota_raise_go_through_two_approvers_and_end_running(desk: Desk) -> None:
    asked = desk.ask([*machines(5), RAISE])
    assert asked.status_code == 201, asked.json
    place = asked.headers["Location"].removeprefix("/api/v1")
    assert (asked.json["state"], desk.held() > 0) == ("submitted", True)
    own = desk.http.ours.post(f"{place}/approve", {})
    assert (own.status_code, own.json["code"]) == (403, "request.own")
    [waits] = desk.deputy.get("/requests/inbox").json["items"]
    assert waits["request"]["id"] == asked.json["id"]
    assert desk.deputy.get(f"{place}/impact").json["fits"]
    assert desk.deputy.post(f"{place}/approve", {"comment": "同意"}).json["state"] == "in_review"
    assert desk.http.admin.post(f"{place}/approve", {}).json["state"] == "fulfilling"
    made = desk.http.ours.get(f"/vms?request={asked.json['id']}").json["items"]
    assert [desk.http.work(vm["id"]) for vm in made] == ["settled"] * 5
    assert desk.http.ours.get(place).json["progress"] == {"running": 5}
    assert desk.held() == 0
    limits = {c["class"]: c["limit"] for c in desk.http.ours.get("/departments/environment/quota").json["classes"]}
    assert limits["vcpu"] == LIMITS["vcpu"] + 4


def test_the_approver_is_told_that_the_quota_is_gone_and_nothing_is_decided(desk: Desk) -> None:
    place = desk.ask(machines(5)).headers["Location"].removeprefix("/api/v1")
    desk.http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 8}})
    told = desk.deputy.get(f"{place}/impact").json
    assert (told["fits"], told["problem"]["code"], told["problem"]["short_by"]) == (False, "quota.exceeded", 2)
    refused = desk.deputy.post(f"{place}/approve", {})
    assert (refused.status_code, refused.json["code"], refused.json["asked"]) == (409, "quota.exceeded", 10)
    assert desk.http.ours.get(place).json["state"] == "submitted"


def test_what_is_refused_holds_nothing(desk: Desk) -> None:
    place = desk.ask(machines(4)).headers["Location"].removeprefix("/api/v1")
    assert desk.held() > 0
    assert len(desk.deputy.get(f"{place}/impact").json["made"]) == 4
    assert desk.deputy.post(f"{place}/refuse", {}).status_code == 422
    assert desk.http.ours.get("/vms").json["items"] == []
    assert desk.deputy.post(f"{place}/refuse", {"comment": "暂缓"}).json["state"] == "refused"
    assert desk.held() == 0
    assert desk.http.ours.get(f"{place}").json["steps"][0]["comment"] == "暂缓"


def test_a_direct_order_that_needs_approval_is_told_where_to_ask(desk: Desk) -> None:
    vms = [item["spec"] for item in machines(3)]
    refused = desk.http.ours.post("/vms/bulk", {"vms": vms})
    assert (refused.status_code, refused.json["code"]) == (409, "request.approval_needed")
    assert desk.http.ours.post("/vms/bulk", {"vms": vms[:2]}).status_code == 202


def test_what_exists_is_not_resized_or_deleted_past_a_rule(desk: Desk) -> None:
    made = desk.http.ours.post("/vms", machines(1)[0]["spec"]).json
    desk.http.work(made["id"])
    applies = {"do": ["resize", "release"], "mlps_level": 2}
    rule = {"code": "grown", "name": "变更", "name_en": "changes", "applies": applies}
    desk.http.security.post("/routing-rules", {**rule, "steps": [{"role": "security_admin"}]})
    for refused in (
        desk.http.ours.post(f"/vms/{made['id']}/resize", {"vcpu": 3, "memory_mib": 4096, "disk_gib": 50}),
        desk.http.ours.delete(f"/vms/{made['id']}"),
        desk.http.ours.post("/vms/bulk/delete", {"ids": [made["id"]]}),
        desk.http.admin.delete(f"/vms/{made['id']}"),
    ):
        assert (refused.status_code, refused.json["code"]) == (409, "request.approval_needed")
    assert desk.http.ours.post(f"/vms/{made['id']}/stop").status_code == 202
    asked = desk.ask([{"do": "release", "resource": made["id"]}])
    place = asked.headers["Location"].removeprefix("/api/v1")
    assert desk.http.security.post(f"{place}/approve", {}).json["state"] == "fulfilling"
    assert desk.http.ours.get(f"/vms/{made['id']}").json["state"] == "deleting"


def test_a_dry_run_of_a_request_leaves_nothing_behind(desk: Desk) -> None:
    tried = desk.http.ours.post("/requests?dry_run=true", {"title": "x", "items": machines(3), "submit": True})
    assert (tried.status_code, tried.json["state"], tried.json["dry_run"]) == (200, "submitted", True)
    assert (desk.http.ours.get("/requests").json["items"], desk.held()) == ([], 0)


def test_another_departments_request_is_not_found(desk: Desk) -> None:
    place = desk.ask(machines(3)).headers["Location"].removeprefix("/api/v1")
    for answer in (
        desk.http.theirs.get(place),
        desk.http.theirs.post(f"{place}/approve", {}),
        desk.http.theirs.post(f"{place}/withdraw"),
        desk.http.theirs.get(f"{place}/comments"),
        desk.http.theirs.get(f"{place}/impact"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert desk.http.theirs.get("/requests").json["items"] == []


def test_a_change_that_was_read_before_another_is_refused(desk: Desk) -> None:
    drafted = desk.http.ours.post("/requests", {"title": "x", "items": machines(3)})
    place, tag = drafted.headers["Location"].removeprefix("/api/v1"), drafted.headers["ETag"]
    assert desk.http.ours.patch(place, {"title": "y"}, headers={"If-Match": tag}).json["title"] == "y"
    assert desk.http.ours.patch(place, {"title": "z"}, headers={"If-Match": tag}).status_code == 412


def test_bad_items_are_named_by_their_place(desk: Desk) -> None:
    bad = [*machines(1), {"do": "create", "kind": "vm", "spec": {"name": "X Y"}}, machines(1, image="none")[0]]
    refused = desk.ask(bad)
    assert (refused.status_code, refused.json["code"]) == (422, "bulk.rows_refused")
    assert {problem["row"] for problem in refused.json["problems"]} == {1}
    missing = desk.ask([*machines(1), {**RAISE, "class": "vpn"}])
    assert missing.json["problems"][0]["row"] == 1


def test_a_machine_goes_to_another_department_with_its_quota(desk: Desk) -> None:
    with transaction(desk.http.sessions) as session:
        make_department(session, "archive", limits=LIMITS)
        make_system(session, "archive", "records")
    made = desk.http.ours.post("/vms", machines(1)[0]["spec"]).json
    desk.http.work(made["id"])
    item = {"do": "transfer", "resource": made["id"], "department": "archive", "system": "records"}
    place = desk.ask([item]).headers["Location"].removeprefix("/api/v1")
    assert desk.http.admin.post(f"{place}/approve", {}).json["state"] == "fulfilling"
    assert desk.http.work(made["id"]) == "settled"
    moved = desk.http.admin.get(f"/vms/{made['id']}").json
    assert (moved["department"], moved["system"], moved["state"]) == ("archive", "records", "running")
    assert desk.http.ours.get(f"/vms/{made['id']}").status_code == 404
    used = {
        of: next(
            c["used"] for c in desk.http.admin.get(f"/departments/{of}/quota").json["classes"] if c["class"] == "vm"
        )
        for of in ("environment", "archive")
    }
    assert used == {"environment": 0, "archive": 1}


def test_more_time_is_not_asked_for_until_a_day_that_has_passed(desk: Desk) -> None:
    made = desk.http.ours.post("/vms", machines(1)[0]["spec"]).json
    refused = desk.ask([{"do": "extend", "resource": made["id"], "until": "2026-01-01T00:00:00Z"}])
    assert (refused.status_code, "past" in refused.json["detail"]) == (422, True), refused.json


def test_machines_are_resized_extended_and_released_by_one_request(desk: Desk) -> None:
    vms = [desk.http.ours.post("/vms", item["spec"]).json["id"] for item in machines(3)]
    assert [desk.http.work(vm) for vm in vms] == ["settled"] * 3
    size = {"vcpu": 3, "memory_mib": 4096, "disk_gib": 50}
    items = [
        {"do": "resize", "resource": vms[0], "size": size},
        {"do": "extend", "resource": vms[1], "until": "2030-01-01T00:00:00Z"},
        {"do": "release", "resource": vms[2]},
    ]
    asked = desk.ask(items)
    assert asked.json["state"] == "fulfilling", asked.json
    desk.http.work(vms[0])
    desk.http.work(vms[2])
    assert desk.http.ours.get(f"/vms/{vms[0]}").json["size"] == {**size, "data_disks": []}
    with desk.http.sessions() as session:
        extended = session.get(Resource, UUID(vms[1]))
        assert extended and extended.lease_until == datetime(2030, 1, 1, tzinfo=UTC)
    assert desk.http.ours.get(f"/vms/{vms[2]}").status_code == 404
