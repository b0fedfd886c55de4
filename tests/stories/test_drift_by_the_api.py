"""Drift as the API's callers meet it: the centre decides, an auditor reads, a department sees its own history alone."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.sweep import sweep
from controlplane.reports.drift import open_counts
from provisioners.contract import Machine
from provisioners.fake_driver import FakeDriver, connect
from tests.callers import Callers
from tests.factories import vm
from tests.people import ADMIN, AUDITOR


def hypervisor(http: Callers, code: str = "hv-01") -> FakeDriver:
    return connect({"node": code}, http.installation.settings.state_dir / "nodes")


def check(http: Callers) -> None:
    drivers: Drivers = http.drivers
    sweep(http.sessions, drivers)


@pytest.fixture
def lost(http: Callers) -> str:
    """The id of a VM whose machine is gone from its pool, which only reports; a stranger is there."""
    for code in ("hv-01", "hv-02"):
        assert http.admin.patch(f"/pools/{code}", {"drift_policy": "report"}).json["drift_policy"] == "report"
    made = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    with transaction(http.sessions) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    pool = http.admin.get(f"/vms/{made}").json["pool"]
    hypervisor(http, pool).delete(UUID(made))
    hypervisor(http, pool).put(Machine(uuid4(), "legacy-db", "on", 3, 512, 7, ""))
    check(http)
    return str(made)


def finding(http: Callers, kind: str) -> dict[str, Any]:
    [found] = http.admin.get(f"/drifts?kind={kind}&open=true").json["items"]
    return dict(found)


def test_findings_are_listed_with_filters_and_shown(http: Callers, lost: str) -> None:
    missing = finding(http, "missing")
    assert (missing["resource"], missing["department"], missing["name"]) == (lost, "environment", "web-01")
    assert missing["differences"] == {"existence": {"wanted": "present", "observed": "absent"}}
    assert finding(http, "unknown")["resource"] is None
    assert len(http.admin.get(f"/drifts?pool={missing['pool']}").json["items"]) == 2
    assert http.admin.get("/drifts?open=false").json["items"] == []
    assert http.admin.get(f"/drifts/{missing['id']}").json == missing
    assert http.admin.get("/drifts?kind=odd").status_code == 422


def test_findings_go_by_pages(http: Callers, lost: str) -> None:
    first = http.admin.get("/drifts?limit=1").json
    second = http.admin.get(f"/drifts?limit=1&cursor={first['next']}").json
    assert {item["kind"] for item in first["items"] + second["items"]} == {"missing", "unknown"}
    assert second["next"] is None


def test_a_department_sees_no_drift_but_what_was_done_to_its_own(http: Callers, lost: str) -> None:
    found = finding(http, "missing")
    for caller in (http.ours, http.theirs):
        assert caller.get("/drifts").status_code == 403
        assert caller.get(f"/drifts/{found['id']}").status_code == 403
        assert caller.post(f"/drifts/{found['id']}/accept").status_code == 403
        assert caller.post("/drifts/check", {}).status_code == 403
    history = http.ours.get(f"/vms/{lost}/history").json["items"]
    assert history[0]["action"] == "vm.drifted"
    assert history[0]["details"]["differences"] == found["differences"]
    assert "pool" not in str(history[0]["details"])
    assert http.theirs.get(f"/vms/{lost}/history").status_code == 404


def test_a_dry_run_of_each_decision_changes_nothing(http: Callers, lost: str) -> None:
    missing, unknown = finding(http, "missing"), finding(http, "unknown")
    adoption = {"department": "finance", "system": "monitoring"}
    for path, body in (
        (f"/drifts/{missing['id']}/repair", None),
        (f"/drifts/{missing['id']}/accept", None),
        (f"/drifts/{unknown['id']}/adopt", adoption),
    ):
        answer = http.admin.post(f"{path}?dry_run=true", body)
        assert (answer.status_code, answer.json["dry_run"]) == (200, True), answer.text
    assert (finding(http, "missing"), finding(http, "unknown")) == (missing, unknown)
    assert http.theirs.get("/vms").json["items"] == []


def test_repair_is_answered_at_once_and_done_by_a_worker(http: Callers, lost: str) -> None:
    found = finding(http, "missing")
    answer = http.admin.post(f"/drifts/{found['id']}/repair")
    assert (answer.status_code, answer.json["decision"]["what"]) == (202, "repair")
    assert http.work(lost) == "settled"
    assert http.admin.get(f"/drifts/{found['id']}").json["outcome"] == "repaired"


def test_accepting_that_it_is_gone_gives_the_quota_back(http: Callers, lost: str) -> None:
    answer = http.admin.post(f"/drifts/{finding(http, 'missing')['id']}/accept")
    assert (answer.status_code, answer.json["outcome"]) == (202, "accepted")
    assert http.ours.get(f"/vms/{lost}").status_code == 404
    used = {c["class"]: c["used"] for c in http.ours.get("/departments/environment/quota").json["classes"]}
    assert set(used.values()) == {0}


def test_a_stranger_becomes_a_vm_of_the_department_that_is_named(http: Callers, lost: str) -> None:
    found = finding(http, "unknown")
    body = {"department": "finance", "system": "monitoring", "addresses": {"business": "10.1.0.9"}}
    answer = http.admin.post(f"/drifts/{found['id']}/adopt", body)
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(found["machine"])
    assert http.work(found["machine"]) == "settled"
    seen = http.theirs.get(f"/vms/{found['machine']}").json
    assert (seen["state"], seen["size"]["disk_gib"], seen["addresses"][0]["address"]) == ("running", 7, "10.1.0.9")
    assert http.ours.get(f"/vms/{found['machine']}").status_code == 404


def test_a_version_that_is_out_of_date_is_refused(http: Callers, lost: str) -> None:
    found = finding(http, "missing")
    answer = http.admin.post(f"/drifts/{found['id']}/accept", headers={"If-Match": '"v9"'})
    assert (answer.status_code, answer.json["code"]) == (412, "stale")


def test_refusals_say_what_to_do(http: Callers, lost: str) -> None:
    answer = http.admin.post(f"/drifts/{finding(http, 'unknown')['id']}/repair")
    assert (answer.status_code, answer.json["code"]) == (409, "drift.not_ours")
    assert "adopt it" in answer.json["detail"]


def test_a_check_is_asked_for_and_one_that_waits_serves_twice(http: Callers, lost: str) -> None:
    first, second = (http.admin.post("/drifts/check", {"pool": "hv-01"}) for _ in range(2))
    assert (first.status_code, first.json["job"]) == (202, second.json["job"])
    assert http.admin.post("/drifts/check", {}).json["job"] != first.json["job"]
    assert http.admin.post("/drifts/check", {"pool": "nowhere"}).status_code == 404
    checks = http.admin.get("/drifts/checks").json["items"]
    assert [(c["pool"], c["trouble"]) for c in checks] == [("hv-01", None), ("hv-02", None)]


def test_what_is_open_is_counted_for_those_who_may_read_it(http: Callers, lost: str) -> None:
    for reader in (ADMIN, AUDITOR):
        with transaction(http.sessions) as session:
            assert open_counts(session, reader) == {"missing": 1, "unknown": 1, "different": 0}
