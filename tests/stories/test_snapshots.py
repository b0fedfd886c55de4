"""Snapshots as the API's callers meet them: taken, listed with their VM, gone back to, deleted, and refused."""

from typing import Any

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from tests.callers import Callers
from tests.factories import vm


@pytest.fixture
def made(http: Callers) -> str:
    """A VM that runs."""
    made: str = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    return made


def named(http: Callers, made: str) -> dict[str, Any]:
    return {kept["name"]: kept for kept in http.ours.get(f"/vms/{made}").json["snapshots"]}


def used(http: Callers) -> int:
    classes = http.ours.get("/departments/environment/quota").json["classes"]
    return next(int(one["used"]) for one in classes if one["class"] == "disk_gib")


def test_one_is_taken_shown_gone_back_to_and_deleted(http: Callers, made: str) -> None:
    before = used(http)
    asked = http.ours.post(f"/vms/{made}/snapshots", {"name": "before-upgrade"})
    assert (asked.status_code, asked.json["state"], asked.json["snapshots"][0]["taken"]) == (202, "changing", None)
    http.work(made)
    kept = named(http, made)["before-upgrade"]
    assert (kept["gib"], kept["restored"], used(http)) == (before, False, 2 * before)
    assert kept["taken"] > asked.json["updated_at"]
    assert http.ours.post(f"/vms/{made}/restore", {"snapshot": "before-upgrade"}).status_code == 202
    http.work(made)
    assert named(http, made)["before-upgrade"]["restored"] is True
    refused = http.ours.delete(f"/vms/{made}/snapshots/before-upgrade")
    assert (refused.status_code, refused.json["code"]) == (409, "snapshot.in_use")
    http.ours.post(f"/vms/{made}/rebuild", {})
    http.work(made)
    assert http.ours.delete(f"/vms/{made}/snapshots/before-upgrade").status_code == 202
    http.work(made)
    assert (named(http, made), used(http)) == ({}, before)


def test_a_vm_that_is_older_than_snapshots_gets_one_as_well(http: Callers, made: str) -> None:
    with transaction(http.installation.sessions) as session:
        session.execute(text("UPDATE resources SET wanted = wanted - '{snapshots,shots,restored}'::text[]"))
    assert named(http, made) == {}
    assert http.ours.post(f"/vms/{made}/snapshots", {"name": "before-upgrade"}).status_code == 202
    http.work(made)
    assert named(http, made)["before-upgrade"]["restored"] is False


def test_a_new_vm_has_none(http: Callers) -> None:
    assert http.ours.post("/vms", vm()).json["snapshots"] == []


def test_a_name_that_is_none_is_refused_with_its_field(http: Callers, made: str) -> None:
    for body in ({"name": "Before Upgrade"}, {}, {"name": "x", "more": 1}):
        assert http.ours.post(f"/vms/{made}/snapshots", body).status_code == 422


def test_more_than_the_department_may_have_is_over_its_quota(http: Callers, made: str) -> None:
    limit = {"limits": {"disk_gib": used(http)}}
    assert http.admin.put("/departments/environment/quota", limit).status_code == 200
    refused = http.ours.post(f"/vms/{made}/snapshots", {"name": "before-upgrade"})
    assert (refused.status_code, refused.json["class"]) == (409, "disk_gib")
    assert named(http, made) == {}


def test_one_that_counts_more_than_somebody_may_have_unasked_is_refused(http: Callers, made: str) -> None:
    rules: tuple[tuple[dict[str, Any], int], ...] = (
        ({"do": ["resize"]}, 202),
        ({"do": ["resize"], "amounts": {}}, 202),
        ({"do": ["resize"], "amounts": {"disk_gib": 51}}, 202),
        ({"do": ["resize"], "amounts": {"disk_gib": 50}}, 409),
    )
    for number, (applies, status) in enumerate(rules):
        rule = {"code": f"rule-{number}", "name": "大盘", "name_en": "Large", "applies": applies}
        assert http.security.post("/routing-rules", {**rule, "steps": [{"role": "system_admin"}]}).status_code == 201
        answer = http.ours.post(f"/vms/{made}/snapshots", {"name": f"kept-{number}"})
        assert answer.status_code == status
        http.work(made)
    assert answer.json["code"] == "snapshot.approval_needed"


def test_a_vm_has_ten_at_most(http: Callers, made: str) -> None:
    for number in range(10):
        assert http.ours.post(f"/vms/{made}/snapshots", {"name": f"kept-{number}"}).status_code == 202
        http.work(made)
    refused = http.ours.post(f"/vms/{made}/snapshots", {"name": "one-more"})
    assert (refused.status_code, refused.json["code"]) == (409, "snapshot.too_many")


def test_of_another_departments_vm_nothing_is_found(http: Callers, made: str) -> None:
    http.ours.post(f"/vms/{made}/snapshots", {"name": "before-upgrade"})
    answers = (
        http.theirs.post(f"/vms/{made}/snapshots", {"name": "x"}),
        http.theirs.post(f"/vms/{made}/restore", {"snapshot": "before-upgrade"}),
        http.theirs.delete(f"/vms/{made}/snapshots/before-upgrade"),
    )
    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_a_vm_on_legal_hold_keeps_its_snapshots_and_its_disk(http: Callers, made: str) -> None:
    http.ours.post(f"/vms/{made}/snapshots", {"name": "before-upgrade"})
    http.work(made)
    assert http.security.put(f"/vms/{made}/hold", {"reason": "案件 12"}).status_code == 200
    refused = (
        http.ours.post(f"/vms/{made}/restore", {"snapshot": "before-upgrade"}),
        http.ours.delete(f"/vms/{made}/snapshots/before-upgrade"),
    )
    assert [answer.status_code for answer in refused] == [409, 409]
    assert http.ours.post(f"/vms/{made}/snapshots", {"name": "for-the-audit"}).status_code == 202
