"""The API as a department uses it: what it sends, what it gets, and what it is refused."""

import pytest

from controlplane.entrance import Arrival
from controlplane.services import api_tokens, idempotency
from tests.accounts import RULES
from tests.callers import Callers
from tests.factories import vm


def test_a_department_asks_polls_to_running_and_deletes(http: Callers) -> None:
    asked = http.ours.post("/vms", vm())
    assert asked.status_code == 202
    location = asked.headers["Location"].removeprefix("/api/v1")
    assert http.ours.get(location).json["state"] == "building"
    assert http.work(asked.json["id"]) == "settled"
    running = http.ours.get(location).json
    assert running["state"] == "running"
    assert running["addresses"] == [{"subnet": "business", "address": "10.1.0.2"}]
    assert http.ours.delete(location).json["state"] == "deleting"
    assert http.work(asked.json["id"]) == "gone"
    assert http.ours.get(location).status_code == 404
    classes = {c["class"]: c["used"] for c in http.ours.get("/departments/environment/quota").json["classes"]}
    assert set(classes.values()) == {0}
    assert http.ours.post("/vms", vm("web-02")).json["addresses"][0]["address"] == "10.1.0.2"


def test_what_was_sent_is_what_a_read_returns(http: Callers) -> None:
    sent = vm(user_data="#cloud-config\n", ssh_keys=["ssh-ed25519 AAAAC3Nza me"], lease_until="2030-01-01T00:00:00Z")
    made = http.ours.post("/vms", sent).json
    read = http.ours.get(f"/vms/{made['id']}").json
    assert {key: read[key] for key in sent} == sent


def test_the_answer_to_an_ask_is_word_for_word_what_reading_it_says(http: Callers) -> None:
    for caller in (http.ours, http.admin):
        name = f"web-{len(http.admin.get('/vms').get_json()['items'])}"
        ask = vm(name, subnets=["business", "business6"], anti_affinity="web", department=http.centre.department)
        made = caller.post("/vms", ask)
        assert made.status_code == 202, made.get_json()
        read = caller.get(f"/vms/{made.get_json()['id']}")
        assert made.get_json() == read.get_json()
        assert made.headers["ETag"] == read.headers["ETag"]


def test_another_departments_vm_is_not_found(http: Callers) -> None:
    made = http.ours.post("/vms", vm()).json
    for answer in (
        http.theirs.get(f"/vms/{made['id']}"),
        http.theirs.delete(f"/vms/{made['id']}"),
        http.theirs.post(f"/vms/{made['id']}/stop"),
        http.theirs.get("/departments/environment"),
        http.theirs.get("/departments/environment/quota"),
        http.theirs.post("/vms", vm("x", department="environment")),
    ):
        assert answer.status_code == 404
        assert answer.json["code"] == "not_found"
    assert http.theirs.get("/vms").json["items"] == []


def test_nobody_gets_in_without_a_token(http: Callers) -> None:
    answer = http.nobody.get("/vms")
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")
    assert answer.content_type == "application/problem+json"
    assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_over_quota_is_409_with_the_numbers(http: Callers) -> None:
    http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 3}})
    assert http.ours.post("/vms", vm()).status_code == 202
    refused = http.ours.post("/vms", vm("web-02"))
    assert refused.status_code == 409
    numbers = {k: refused.json[k] for k in ("code", "class", "limit", "used", "held", "asked", "owner")}
    assert numbers == {
        "code": "quota.exceeded", "class": "vcpu", "limit": 3, "used": 2, "held": 0, "asked": 2, "owner": "环境保护厅",
    }  # fmt: skip


def test_a_dry_run_tells_everything_and_changes_nothing(http: Callers) -> None:
    would = http.ours.post("/vms?dry_run=true", vm())
    assert would.status_code == 200
    assert would.json["dry_run"] is True
    assert would.json["addresses"] == [{"subnet": "business", "address": "10.1.0.2"}]
    assert {c["class"]: c["used"] for c in would.json["quota_after"]}["vcpu"] == 2
    assert "Location" not in would.headers
    assert http.ours.get("/vms").json["items"] == []


def test_the_same_idempotency_key_twice_gives_one_vm(http: Callers) -> None:
    key = {"Idempotency-Key": "order-17"}
    first, second = (http.ours.post("/vms", vm(), headers=key) for _ in range(2))
    assert first.json == second.json
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    assert len(http.ours.get("/vms").json["items"]) == 1
    other_body = http.ours.post("/vms", vm("web-02"), headers=key)
    assert (other_body.status_code, other_body.json["code"]) == (422, "idempotency.key_reused")
    assert http.theirs.post("/vms", vm(), headers=key).status_code == 202


def test_a_repeat_while_the_first_is_still_running_is_told_to_wait(http: Callers) -> None:
    with http.sessions() as first:
        caller = api_tokens.token_actor(first, RULES, http.ours.secret, Arrival())
        assert idempotency.earlier_answer(first, caller, "order-18", b"any") is None
        answer = http.ours.post("/vms", vm(), headers={"Idempotency-Key": "order-18"})
        assert (answer.status_code, answer.json["code"]) == (409, "idempotency.still_running")
    assert http.ours.post("/vms", vm(), headers={"Idempotency-Key": "order-18"}).status_code == 202


def test_a_token_is_never_made_with_an_idempotency_key(http: Callers) -> None:
    answer = http.admin.post("/tokens", {"name": "t"}, headers={"Idempotency-Key": "order-19"})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_that_is_none_is_refused_by_a_dry_run_too(http: Callers, key: str) -> None:
    for query in ("", "?dry_run=true"):
        answer = http.ours.post(f"/vms{query}", vm(), headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json["code"]) == (422, "invalid"), query
    assert http.ours.get("/vms").json["items"] == []


def test_many_are_made_by_one_ask_or_none_is(http: Callers) -> None:
    made = http.ours.post("/vms/bulk", {"vms": [vm(f"web-{n}") for n in range(20)]})
    assert made.status_code == 202
    assert len(made.json["vms"]) == 20
    request = http.ours.get(made.headers["Location"].removeprefix("/api/v1")).json
    assert request["progress"] == {"building": 20}
    refused = http.ours.post("/vms/bulk", {"vms": [vm("ok"), vm("bad", image="none"), vm("worse", system="none")]})
    assert (refused.status_code, refused.json["code"]) == (422, "bulk.rows_refused")
    assert [p["row"] for p in refused.json["problems"]] == [1, 2]
    assert len(http.ours.get("/vms?limit=500").json["items"]) == 20


def test_unknown_fields_are_refused_and_named(http: Callers) -> None:
    answer = http.ours.post("/vms", vm(colour="red"))
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert answer.json["problems"][0]["field"] == "colour"


def test_an_update_of_something_changed_meanwhile_is_412(http: Callers) -> None:
    tag = http.admin.get("/departments/environment").headers["ETag"]
    assert (
        http.admin.patch("/departments/environment", {"name": "环保厅"}, headers={"If-Match": tag}).status_code == 200
    )
    stale = http.admin.patch("/departments/environment", {"name": "别名"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_a_list_is_walked_by_its_links(http: Callers) -> None:
    http.ours.post("/vms/bulk", {"vms": [vm(f"web-{n}") for n in range(7)]})
    first = http.ours.get("/vms?limit=3&sort=name").json
    second = http.ours.get(f"/vms?limit=3&sort=name&cursor={first['next']}").json
    third = http.ours.get(f"/vms?limit=3&sort=name&cursor={second['next']}").json
    names = [v["name"] for page in (first, second, third) for v in page["items"]]
    assert names == [f"web-{n}" for n in range(7)]
    assert third["next"] is None
    back = http.ours.get(f"/vms?limit=3&sort=name&cursor={third['previous']}").json
    assert back["items"] == second["items"]


def test_a_department_cannot_do_what_administrators_do(http: Callers) -> None:
    for answer in (
        http.ours.put("/departments/environment/quota", {"limits": {"vcpu": 1000}}),
        http.ours.post("/flavors", {"code": "x", "name": "x", "vcpu": 1, "memory_mib": 1024, "disk_gib": 10}),
        http.ours.get("/pools"),
        http.ours.get("/centre/bulletin"),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_a_verb_is_refused_in_the_wrong_state_with_the_reason(http: Callers) -> None:
    made = http.ours.post("/vms", vm()).json
    refused = http.ours.post(f"/vms/{made['id']}/stop")
    assert (refused.status_code, refused.json["code"]) == (409, "not_now")
    http.work(made["id"])
    for verb, body, state in (
        ("stop", None, "stopped"),
        ("resize", {"vcpu": 4, "memory_mib": 8192, "disk_gib": 60}, "stopped"),
        ("start", None, "running"),
        ("reboot", None, "running"),
        ("rebuild", {}, "running"),
    ):
        assert http.ours.post(f"/vms/{made['id']}/{verb}", body).status_code == 202, verb
        assert http.work(made["id"]) == "settled"
        assert http.ours.get(f"/vms/{made['id']}").json["state"] == state
    size = {"vcpu": 4, "memory_mib": 8192, "disk_gib": 60, "data_disks": []}
    assert http.ours.get(f"/vms/{made['id']}").json["size"] == size


def test_the_history_of_a_vm_says_who_did_what(http: Callers) -> None:
    made = http.ours.post("/vms", vm(), headers={"X-Request-Id": "trace-1"}).json
    http.work(made["id"])
    events = http.ours.get(f"/vms/{made['id']}/history").json["items"]
    assert [(e["action"], e["actor"]["name"]) for e in events] == [
        ("vm.running", "worker"),
        ("vm.create", "ours-api/token"),
    ]
    assert events[1]["request_id"] == "trace-1"


def test_many_are_ordered_at_once_or_none_and_a_dry_run_orders_none(http: Callers) -> None:
    made = http.ours.post("/vms/bulk", {"vms": [vm("a"), vm("b")]}).json["vms"]
    ids = [machine["id"] for machine in made]
    refused = http.ours.post("/vms/bulk/stop", {"ids": ids})
    assert refused.status_code == 422
    assert [(p["row"], p["code"]) for p in refused.json["problems"]] == [(0, "not_now"), (1, "not_now")]
    for ident in ids:
        http.work(ident)
    tried = http.ours.post("/vms/bulk/stop?dry_run=true", {"ids": ids})
    assert [machine["state"] for machine in tried.json["vms"]] == ["changing", "changing"]
    assert {http.ours.get(f"/vms/{ident}").json["state"] for ident in ids} == {"running"}
    assert http.theirs.post("/vms/bulk/delete", {"ids": ids}).json["problems"][0]["code"] == "not_found"
    answer = http.ours.post("/vms/bulk/delete", {"ids": ids})
    assert answer.status_code == 202
    assert [(m["id"], m["state"]) for m in answer.json["vms"]] == [(ident, "deleting") for ident in ids]
    assert http.ours.post("/vms/bulk/explode", {"ids": ids}).status_code == 422


def test_a_taken_name_is_refused_with_an_idempotency_key_as_without_one(http: Callers) -> None:
    assert http.ours.post("/vms", vm("taken")).status_code == 202
    for headers in ({}, {"Idempotency-Key": "again"}, {"Idempotency-Key": "again"}):
        refused = http.ours.post("/vms", vm("taken"), headers=headers)
        assert (refused.status_code, refused.json["code"]) == (409, "already_exists")
    assert http.ours.post("/vms?dry_run=true", vm("taken")).status_code == 409
