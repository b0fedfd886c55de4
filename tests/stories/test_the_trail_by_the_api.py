"""The audit trail over HTTP: read by who may, page by page, and taken out as a file that says so itself."""

import csv
import io
import json
from typing import Any

import pytest

from tests.callers import Caller, Callers
from tests.factories import vm


def events(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    found = []
    path: str | None = f"/audit-events?{query}"
    while path:
        answer = caller.get(path)
        assert answer.status_code == 200, answer.text
        found.extend(answer.json["items"])
        cursor = answer.json["next"]
        path = f"/audit-events?{query}&cursor={cursor}" if cursor else None
    return found


def test_the_audit_administrator_reads_who_did_what_to_what(http: Callers) -> None:
    made = http.ours.post("/vms", vm()).json["id"]
    [event] = events(http.audit, f"target={made}")
    assert event["action"] == "vm.create"
    assert event["actor"]["name"] == "ours-api/token"
    assert (event["target_name"], event["target_id"], event["outcome"]) == ("web-01", made, "success")
    assert event["request_id"]
    assert [e["id"] for e in events(http.audit, "actor=ours-api")] == [event["id"]]


def test_a_manager_reads_the_events_of_her_department_and_nobody_elses(http: Callers) -> None:
    http.ours.post("/vms", vm("ours"))
    http.theirs.post("/vms", vm("theirs"))
    assert {e["target_name"] for e in events(http.ours, "action=vm.create")} == {"ours"}
    assert {e["target_name"] for e in events(http.audit, "action=vm.create")} == {"ours", "theirs"}
    assert events(http.ours, "target=theirs") == []
    for other in (http.admin, http.security):
        assert other.get("/audit-events").status_code == 403


def test_a_list_of_events_has_the_links_of_every_list(http: Callers) -> None:
    whole = events(http.audit, "limit=500")
    assert [e["id"] for e in events(http.audit, "limit=3")] == [e["id"] for e in whole]
    assert [e["id"] for e in events(http.audit, "limit=3&sort=at")] == [e["id"] for e in reversed(whole)]
    first = http.audit.get("/audit-events?limit=3")
    assert 'rel="next"' in first.headers["Link"] and first.json["previous"] is None


@pytest.mark.parametrize("query", ["from=yesterday", "outcome=maybe", "colour=red", "limit=501", "sort=actor"])
def test_what_is_no_filter_is_refused(http: Callers, query: str) -> None:
    assert http.audit.get(f"/audit-events?{query}").status_code == 422


def test_the_trail_is_taken_out_line_by_line_and_says_so_itself(http: Callers) -> None:
    http.ours.post("/vms/bulk", {"vms": [vm(f"web-{n:03}") for n in range(90)]})
    before = events(http.audit)
    answer = http.audit.get("/audit-events/export")
    assert answer.mimetype == "application/x-ndjson"
    assert 'filename="audit-trail.jsonl"' in answer.headers["Content-Disposition"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in lines] == [e["id"] for e in reversed(before)] + [lines[-1]["id"]]
    assert (lines[-1]["action"], lines[-1]["details"]) == ("audit.export", {"format": "jsonl", "filters": {}})
    assert {"actor_id", "department_id", "trace", "details"} <= lines[0].keys()


def test_a_file_for_spreadsheets_runs_nothing_and_keeps_its_chinese(http: Callers) -> None:
    http.security.post("/users", {"username": "wang", "name": "=1+1", "role": "auditor"})
    http.security.patch("/users/wang", {"name": "王芳"})
    answer = http.audit.get("/audit-events/export?format=csv&target=wang")
    assert answer.mimetype == "text/csv"
    text = answer.get_data(as_text=True)
    assert text.startswith("\N{BYTE ORDER MARK}")
    head, *rows = csv.reader(io.StringIO(text.removeprefix("\N{BYTE ORDER MARK}")))
    assert head[:6] == ["id", "at", "actor_id", "actor_name", "actor_role", "action"]
    assert [row[5] for row in rows] == ["user.create", "user.update"]
    assert json.loads(rows[1][-1])["after"]["name"] == "王芳"


def test_a_file_goes_on_over_many_pages(http: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.reports.trail.MAX_LIMIT", 3)
    whole = events(http.audit)
    lines = http.audit.get("/audit-events/export").text.splitlines()
    assert len(lines) == len(whole) + 1


def test_only_the_audit_administrator_takes_the_trail_out_and_a_refusal_leaves_no_event(http: Callers) -> None:
    for other in (http.admin, http.security, http.ours):
        assert other.get("/audit-events/export").status_code == 403
    for query in ("format=xlsx", "outcome=maybe", "from=yesterday"):
        assert http.audit.get(f"/audit-events/export?{query}").status_code == 422
    assert events(http.audit, "action=audit.export") == []
