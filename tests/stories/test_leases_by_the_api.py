"""Leases over HTTP: what ends when, setting ends, keeping what seems unused, legal holds, the policy."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from tests.callers import Callers
from tests.factories import vm


def at(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.fixture
def machine(http: Callers) -> str:
    """The id of a running VM whose lease ends in twenty days."""
    made: str = http.ours.post("/vms", vm(lease_until=at(20))).json["id"]
    http.work(made)
    return made


def change(http: Callers, what: str, **values: Any) -> None:
    with transaction(http.sessions) as session:
        session.execute(text(f"UPDATE resources SET {what}"), values)


def names(http: Callers, query: str, who: str = "ours") -> list[str]:
    answer = getattr(http, who).get(query)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json["items"]]


def test_what_ends_is_listed_with_what_comes_next(http: Callers, machine: str) -> None:
    [one] = http.ours.get("/leases").json["items"]
    assert (one["name"], one["lease"]["stage"], one["next"]["step"]) == ("web-01", "granted", "end")
    assert one["next"]["at"] == one["lease"]["until"]
    assert names(http, "/leases?within=30") == ["web-01"]
    for query in ("within=10", "stage=stopped,quarantined", "department=finance", "held=true", f"to={at(19)}"):
        assert names(http, f"/leases?{query}") == []
    assert names(http, f"/leases?from={at(19)}&to={at(21)}&stage=granted&held=false&q=web") == ["web-01"]
    assert names(http, "/leases", "theirs") == []


def test_a_filter_that_says_nothing_is_refused(http: Callers) -> None:
    for query in ("stage=gone", "within=-1", "from=soon", "colour=red"):
        assert http.admin.get(f"/leases?{query}").status_code == 422


def test_the_administrator_sets_the_ends_and_a_department_does_not(http: Callers, machine: str) -> None:
    until, contract = at(90), at(80)
    set_ = http.admin.put(f"/vms/{machine}/lease", {"lease_until": until, "contract_end": contract})
    assert set_.status_code == 202
    assert (set_.json["lease"]["until"], set_.json["lease"]["contract_end"]) == (until, contract)
    assert http.ours.get(f"/vms/{machine}").json["lease_until"] == until
    assert http.ours.put(f"/vms/{machine}/lease", {"lease_until": at(99)}).status_code == 403
    assert http.theirs.put(f"/vms/{machine}/lease", {"lease_until": at(99)}).status_code == 403
    assert http.admin.put(f"/vms/{machine}/lease", {"lease_until": at(-1)}).status_code == 422
    assert http.admin.put(f"/vms/{machine}/lease", {}).status_code == 422
    free = http.admin.put(f"/vms/{machine}/lease", {"lease_until": None}).json["lease"]
    assert (free["until"], free["contract_end"]) == (None, contract)


def test_a_stale_page_sets_nothing(http: Callers, machine: str) -> None:
    version = {"If-Match": '"v99"'}
    assert http.admin.put(f"/vms/{machine}/lease", {"lease_until": at(9)}, headers=version).status_code == 412


def test_what_is_on_hold_is_not_deleted_until_that_is_lifted(http: Callers, machine: str) -> None:
    held = http.security.put(f"/vms/{machine}/hold", {"reason": "案件 12"})
    assert (held.status_code, held.json["lease"]["hold"]["by"]) == (200, "security-api/token")
    refused = http.ours.delete(f"/vms/{machine}")
    assert (refused.status_code, refused.json["code"]) == (409, "lease.on_hold")
    assert names(http, "/holds", "security") == ["web-01"]
    assert http.admin.get("/holds").status_code == 403
    assert http.security.delete(f"/vms/{machine}/hold").json["lease"]["hold"] is None
    assert http.ours.delete(f"/vms/{machine}").status_code == 202


def test_what_seems_unused_is_listed_and_kept(http: Callers, machine: str) -> None:
    assert names(http, "/unused") == []
    change(http, "state = 'stopped'")
    change(http, "state_since = now() - interval '61 days', unused_asked_at = now(), unused_answer_by = now()")
    assert names(http, "/unused?reason=stopped&q=web") == ["web-01"]
    assert names(http, "/unused?reason=ownerless") == []
    assert names(http, "/unused", "theirs") == []
    kept = http.ours.post(f"/vms/{machine}/keep").json["lease"]
    assert kept["answer_by"] is None and kept["kept_until"] > at(179)


def test_the_policy_is_read_by_all_and_set_by_the_administrator(http: Callers) -> None:
    policy = http.ours.get("/leases/policy").json
    assert (policy["warn_days"], policy["stop_days"], policy["quarantine_days"], policy["delete_days"]) == (
        [30, 7, 1],
        0,
        7,
        30,
    )
    changed = {**policy, "warn_days": [3, 60, 3], "delete_days": None}
    assert http.ours.put("/leases/policy", changed).status_code == 403
    assert http.admin.put("/leases/policy", {**policy, "warn_days": [0]}).status_code == 422
    assert http.admin.put("/leases/policy", changed).json["warn_days"] == [60, 3]
    assert http.ours.get("/leases/policy").json["delete_days"] is None
