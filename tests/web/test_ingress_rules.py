"""Ingress rules as programs use them: a department's own, bounded, refused with what to do."""

from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from controlplane.db import transaction
from controlplane.services.ingress import MOST_RULES
from tests.accounts import token_of
from tests.callers import Caller, Callers

WEB = {"protocol": "tcp", "ports": "443", "source": "10.0.0.0/8", "note": "网站"}


def add(caller: Caller, **changes: Any) -> TestResponse:
    return caller.post("/ingress-rules", {**WEB, **changes})


def rules(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(f"/ingress-rules{query}").json["items"]
    return found


def follows(http: Callers) -> int:
    with transaction(http.sessions) as session:
        return session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'follow'")) or 0


def test_a_rule_is_added_read_and_removed_by_the_departments_manager(http: Callers) -> None:
    made = add(http.ours, source="10.0.0.0/255.0.0.0")
    assert (made.status_code, made.headers["ETag"]) == (201, '"v1"')
    assert made.headers["Location"] == f"/api/v1/ingress-rules/{made.json['id']}"
    assert made.json.items() >= {**WEB, "department": "environment"}.items()
    assert http.ours.get(f"/ingress-rules/{made.json['id']}").json == made.json
    assert rules(http.ours) == [made.json]
    assert follows(http) == 1, "the worker brings it to where the department has machines"
    assert http.ours.delete(f"/ingress-rules/{made.json['id']}").status_code == 200
    assert (rules(http.ours), follows(http)) == ([], 2)
    assert http.ours.delete(f"/ingress-rules/{made.json['id']}").status_code == 404


def test_a_rule_of_another_department_is_not_found_and_none_is_added_there(http: Callers) -> None:
    made = add(http.ours).json["id"]
    for answer in (
        http.theirs.get(f"/ingress-rules/{made}"),
        http.theirs.delete(f"/ingress-rules/{made}"),
        add(http.theirs, department="environment", ports="22"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert rules(http.theirs) == rules(http.theirs, "?department=environment") == []
    assert len(rules(http.admin, "?department=environment")) == 1
    assert rules(http.admin, "?department=finance") == []


def test_who_only_works_in_a_department_reads_its_rules_and_writes_none(http: Callers) -> None:
    with transaction(http.sessions) as session:
        colleague = Caller(http.app.test_client(), token_of(session, "colleague", "department_member", "environment"))
    made = add(http.admin, department="environment").json["id"]
    assert len(rules(colleague)) == 1
    assert add(colleague, ports="22").status_code == 403
    assert colleague.delete(f"/ingress-rules/{made}").status_code == 403


def test_one_of_the_centre_names_the_department(http: Callers) -> None:
    answer = add(http.admin)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert answer.json["problems"][0]["field"] == "department"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ports": "0"}, "ports"),
        ({"ports": "80-22"}, "ports"),
        ({"protocol": "icmp"}, "ports"),
        ({"protocol": "icmp", "ports": None, "source": "fd00::/8"}, "protocol"),
        ({"protocol": "ipv6-icmp", "ports": None}, "protocol"),
        ({"source": "10.0.0.1"}, "source"),
        ({"source": "anywhere"}, "source"),
        ({"protocol": "sctp"}, "protocol"),
        ({"note": "x" * 201}, "note"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_no_rule_may_say_is_refused_field_by_field(http: Callers, changes: dict[str, Any], field: str) -> None:
    answer = add(http.ours, **changes)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert [problem["field"] for problem in answer.json["problems"]] == [field]


def test_one_rule_twice_is_refused_however_it_is_written(http: Callers) -> None:
    add(http.ours)
    answer = add(http.ours, source="10.0.0.0/255.0.0.0", note="other")
    assert (answer.status_code, answer.json["code"]) == (409, "ingress.exists")
    assert "tcp/443 10.0.0.0/8 already" in answer.json["detail"]
    assert add(http.theirs).status_code == 201, "another department may"


def test_a_department_has_a_hundred_rules_at_most(http: Callers) -> None:
    for port in range(MOST_RULES):
        assert add(http.ours, ports=str(port + 1)).status_code == 201
    answer = add(http.ours, ports="999")
    assert (answer.status_code, answer.json["code"]) == (409, "ingress.too_many")
    first = http.ours.get("/ingress-rules?limit=60").json
    second = http.ours.get(f"/ingress-rules?limit=60&cursor={first['next']}").json
    assert [rule["ports"] for rule in first["items"] + second["items"]] == [str(n + 1) for n in range(MOST_RULES)]


def test_a_dry_run_says_what_would_be_and_leaves_nothing(http: Callers) -> None:
    answer = http.ours.post("/ingress-rules?dry_run=true", WEB)
    assert (answer.status_code, answer.json["dry_run"]) == (200, True)
    assert (rules(http.ours), follows(http)) == ([], 0)


def test_a_repeat_with_its_key_adds_nothing(http: Callers) -> None:
    key = {"Idempotency-Key": "once"}
    answers = [http.ours.post("/ingress-rules", WEB, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(rules(http.ours)) == 1


def test_the_trail_says_what_was_let_in_by_whom(http: Callers) -> None:
    made = add(http.ours).json["id"]
    http.ours.delete(f"/ingress-rules/{made}")
    events = http.ours.get("/audit-events?target=" + made).json["items"]
    assert [(e["action"], e["target_name"]) for e in events] == [
        ("ingress_rule.delete", "tcp/443 10.0.0.0/8"),
        ("ingress_rule.create", "tcp/443 10.0.0.0/8"),
    ]
    assert events[0]["details"] == WEB
