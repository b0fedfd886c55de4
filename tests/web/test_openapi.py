"""The API's description is valid and says what every operation may answer, and what is hostile is refused plainly. That
whatever is sent is answered as described, tests.fuzz sees to.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from controlplane.attachments.contents import MEDIA_TYPES
from controlplane.db import transaction
from controlplane.vpn_sheets import MEDIA_TYPES as SHEETS
from tests.accounts import token_of
from tests.callers import Callers
from web.app import LARGEST_BODY

WRITES = {"post", "put", "patch", "delete"}
SECRETS = {
    ("post", "/api/v1/tokens"),
    ("post", "/api/v1/users"),
    ("post", "/api/v1/users/{ref}/reset-password"),
    ("post", "/api/v1/vms/{ref}/console"),
    ("post", "/api/v1/vpn-accounts/credentials"),
    ("post", "/api/v1/requests/{ref}/progress-link"),
    ("post", "/api/v1/webhooks"),
    ("post", "/api/v1/webhooks/{ref}/rotate"),
}
FILES = {
    "/api/v1/audit-events/export": ["text/csv", "application/x-ndjson"],
    "/api/v1/attachments/{ref}/content": list(MEDIA_TYPES),
    "/api/v1/vpn-imports/template": list(SHEETS.values()),
    "/api/v1/vpn-accounts/credentials": ["application/zip", "application/json"],
}
PROBLEM = "application/problem+json"


@pytest.fixture
def document(http: Callers) -> dict[str, Any]:
    found: dict[str, Any] = http.admin.get("/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_description_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text or name == "Problem"
    references = {r.split('"')[0] for r in text.split("#/components/schemas/")[1:]}
    assert references <= document["components"]["schemas"].keys()


def test_every_operation_has_a_name_a_summary_a_tag_and_security(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert operation["summary"] and operation["tags"], f"{method} {path}"
        assert operation["security"] == [{"token": []}], f"{method} {path}"


def test_every_operation_documents_its_refusals_and_its_answer(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        answers = operation["responses"]
        wanted = {"401", "403", "404", "422", "500"} | ({"409", "412", "413", "415"} if method in WRITES else set())
        assert answers.keys() >= wanted, f"{method} {path}"
        for status, answer in answers.items():
            kinds = [PROBLEM] if int(status) >= 400 else FILES.get(path, ["application/json"])
            assert list(answer["content"]) == kinds, f"{method} {path} {status}"
        assert any(status.startswith("2") for status in answers), f"{method} {path}"


def test_every_write_documents_dry_run_and_its_headers(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        names = {(p["in"], p["name"]) for p in operation.get("parameters", ())}
        if method in WRITES:
            assert ("query", "dry_run") in names, f"{method} {path}"
            assert (("header", "Idempotency-Key") in names) != ((method, path) in SECRETS), f"{method} {path}"
            versioned = path.startswith(
                ("/api/v1/vms/{", "/api/v1/vpn-accounts/{", "/api/v1/drifts/{")
            ) and not path.endswith("/console")
            heeded = method == "patch" or versioned
            assert (("header", "If-Match") in names) == heeded, f"{method} {path}"


def test_vms_are_described_field_by_field(document: dict[str, Any]) -> None:
    answer = document["paths"]["/api/v1/vms/{ref}"]["get"]["responses"]["200"]["content"]["application/json"]
    shape = document["components"]["schemas"][answer["schema"]["$ref"].rpartition("/")[2]]
    assert shape["properties"].keys() >= {"id", "name", "state", "size", "addresses", "fault", "request", "version"}


def test_every_route_of_the_api_is_described(http: Callers, document: dict[str, Any]) -> None:
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in http.app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, method, _ in operations(document)}
    assert served - described == {("/api/v1/openapi.json", "get")}


HOSTILE_BODIES = {
    "nul": (b'{"name": "a\\u0000b"}', 422),
    "nul in a key": (b'{"a\\u0000": 1}', 422),
    "half a surrogate pair": (b'{"name": "\\ud800"}', 422),
    "not a number": (b'{"name": NaN}', 422),
    "beyond a double": (b'{"name": 1e999}', 422),
    "a number without end": (b'{"name": ' + b"9" * 5000 + b"}", 422),
    "not utf-8": (b'{"name": "\xff\xfe"}', 422),
    "cut off": (b'{"name": ', 422),
    "a list": (b"[]", 422),
    "a string that is JSON": (b'"{}"', 422),
    "null": (b"null", 422),
    "nested deeply": (b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}", 422),
    "nested beyond the stack": (b"[" * 100_000, 422),
}


@pytest.mark.parametrize("name", HOSTILE_BODIES)
def test_a_hostile_body_is_refused_in_plain_words(http: Callers, name: str) -> None:
    body, status = HOSTILE_BODIES[name]
    for method, path in (
        ("POST", "/sites"),
        ("PATCH", "/departments/environment"),
        ("PUT", "/departments/environment/quota"),
    ):
        answer = http.admin._call(method, path, data=body, content_type="application/json")
        assert (answer.status_code, answer.content_type) == (status, PROBLEM), answer.text
        assert answer.json["detail"]
    assert http.admin.get("/departments/environment").json["name"] == "环境保护厅"


@pytest.mark.parametrize(
    "path",
    [
        "/vms?q=a%00b",
        "/vms?sort=name%00",
        "/vms?limit=99999999999999999999",
        "/vms?state=%00",
        "/vms?request=x",
        "/vms?unknown=1",
        "/systems?mlps_level=99999999999999999999",
        "/systems?mlps_level=" + "9" * 5000,
        "/centre/bulletin?at=9999-12-31T23:59:59-14:00",
        "/centre/bulletin?at=0001-01-01T00:00:00%2B14:00",
        "/departments/a%00b",
        "/vms/a%00b",
    ],
)  # fmt: skip
def test_a_hostile_address_is_a_problem_of_the_caller(http: Callers, path: str) -> None:
    answer = http.admin.get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.content_type == PROBLEM


@pytest.mark.parametrize(
    "plain",
    [
        "",
        "[",
        "1",
        "[]",
        "{}",
        '["name", false, "x", 1]',
        '["name", false, "x", {}]',
        '["name", false, {}, "0190f3f0-0000-7000-8000-000000000000"]',
        '["name", false, "a\\u0000", "0190f3f0-0000-7000-8000-000000000000"]',
        '["name", false, "\\ud800", "0190f3f0-0000-7000-8000-000000000000"]',
        "[" * 50_000,
    ],
)
def test_a_cursor_that_no_list_gave_is_refused(http: Callers, plain: str) -> None:
    cursor = base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=") or "=%3D"
    answer = http.admin.get(f"/vms?sort=name&cursor={cursor}")
    assert (answer.status_code, answer.json["code"]) == (400, "bad_cursor"), answer.text


@pytest.mark.parametrize("tag", ["3", "x", '"v²"', '"v"', '"v' + "9" * 5000 + '"', "*, *"])
def test_an_if_match_that_is_no_etag_is_refused(http: Callers, tag: str) -> None:
    answer = http.admin.patch("/departments/environment", {"name": "x"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.content_type) == (422, PROBLEM)


@pytest.mark.parametrize("path", ["/departments/environment", "/flavors/small", "/images/debian-12", "/pools/hv-01"])
def test_what_must_have_a_value_cannot_be_emptied(http: Callers, path: str) -> None:
    answer = http.admin.patch(path, {"name": None})
    assert (answer.status_code, answer.content_type) == (422, PROBLEM)


OF_ANOTHER_TYPE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a number for a boolean": ("PUT", "/register/settings", {"public": False, "titles": 0}),
    "a boolean for a number": ("PUT", "/leases/policy", {"stop_days": False}),
    "text for a number": ("PUT", "/leases/policy", {"stop_days": "3"}),
    "a number for a time": ("POST", "/tokens", {"name": "x", "expires_at": 0}),
    "a number for a time, further down": (
        "POST",
        "/requests",
        {"title": "x", "items": [{"do": "extend", "resource": "01a218e5-b33f-71f2-be04-b35f0740dfcc", "until": 0}]},
    ),
}


@pytest.mark.parametrize("name", OF_ANOTHER_TYPE)
def test_a_value_of_another_type_is_refused_and_not_guessed_at(http: Callers, name: str) -> None:
    method, path, body = OF_ANOTHER_TYPE[name]
    answer = http.admin._call(method.lower(), path, json=body)
    assert (answer.status_code, answer.content_type) == (422, PROBLEM), answer.text
    [problem] = answer.json["problems"]
    assert problem["field"].rpartition(".")[2] in {"titles", "stop_days", "expires_at", "until"}, problem


def test_a_write_without_its_body_is_told_that_it_must_have_one(http: Callers) -> None:
    answer = http.admin.post("/sites")
    assert (answer.status_code, answer.json["problems"][0]["field"]) == (422, "body"), answer.text


def test_an_unknown_address_of_the_api_is_a_problem(http: Callers) -> None:
    for caller in (http.admin, http.nobody):
        answer = caller.get("/nothing")
        assert (answer.status_code, answer.content_type, answer.json["code"]) == (404, PROBLEM, "http.404")


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(http: Callers) -> None:
    answer = http.admin.put("/vms", {})
    assert (answer.status_code, answer.content_type, answer.json["code"]) == (405, PROBLEM, "http.405")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_too_large_a_body_is_a_problem(http: Callers) -> None:
    answer = http.admin._call("POST", "/sites", data=b" " * (LARGEST_BODY + 1), content_type="application/json")
    assert (answer.status_code, answer.content_type, answer.json["code"]) == (413, PROBLEM, "http.413")


def test_a_body_that_is_no_json_by_its_type_is_a_problem(http: Callers) -> None:
    answer = http.admin._call("POST", "/sites", data=b"code=x", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.content_type, answer.json["code"]) == (415, PROBLEM, "http.415")


def test_a_token_is_ended_by_its_id(http: Callers) -> None:
    with transaction(http.sessions) as session:
        token_of(session, "short", "auditor")
    made = http.security.get("/tokens").json["items"][0]
    assert (made["user"], made["revoked_at"]) == ("short", None)
    assert http.admin.delete(f"/tokens/{made['id']}").status_code == 404, "nobody sees another's token"
    assert http.security.delete(f"/tokens/{made['id']}").status_code == 200
    assert http.security.delete("/tokens/x").status_code == 404
    assert http.security.get("/tokens").json["items"][0]["revoked_at"]


def test_a_token_cannot_expire_at_a_time_that_no_calendar_has(http: Callers) -> None:
    for moment in ("2030-01-01T00:00:00", "9999-12-31T23:59:59-14:00"):
        assert http.admin.post("/tokens", {"name": "x", "expires_at": moment}).status_code == 422
    assert http.admin.get("/tokens").status_code == 200
