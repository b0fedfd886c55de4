"""Accounts, sessions and the policy, as a program of the security administrator has them."""

from controlplane.db import transaction
from tests.accounts import token_of
from tests.callers import Caller, Callers
from tests.factories import vm

WANG = {"username": "wang", "name": "王芳", "role": "department_member", "department": "environment"}


def test_an_account_is_made_changed_disabled_enabled_reset_and_removed(http: Callers) -> None:
    made = http.security.post("/users", WANG)
    assert (made.status_code, len(made.json["password"]) >= 12) == (201, True)
    assert made.headers["Location"] == f"/api/v1/users/{made.json['id']}"
    shown = http.security.get("/users/wang")
    assert (shown.json["department"], shown.json["must_change_password"]) == ("environment", True)
    assert (shown.json["locked_until"], shown.json["second_factor"]) == (None, False)
    assert not {"password", "password_hash", "totp_secret", "recovery_hashes"} & shown.json.keys()

    stale = http.security.patch("/users/wang", {"name": "王方"}, headers={"If-Match": '"v99"'})
    assert stale.status_code == 412
    changed = http.security.patch("/users/wang", {"role": "auditor", "networks": ["10.0.0.0/8"]})
    assert (changed.json["role"], changed.json["department"], changed.json["networks"]) == (
        "auditor", None, ["10.0.0.0/8"],
    )  # fmt: skip
    assert http.security.post("/users/wang/disable").json["disabled_reason"] == "decision"
    assert http.security.post("/users/wang/enable").json["disabled_at"] is None
    reset = http.security.post("/users/wang/reset-password").json
    assert reset["password"] != made.json["password"]
    assert http.security.post("/users/wang/reset-second-factor").status_code == 200
    assert http.security.delete("/users/wang").json["disabled_reason"] == "left"
    assert http.security.post("/users/wang/enable").json["code"] == "account.left"


def test_accounts_are_listed_and_found(http: Callers) -> None:
    http.security.post("/users", WANG)
    people = http.security.get("/users?service=false").json["items"]
    assert [u["username"] for u in people] == ["wang"]
    assert [u["username"] for u in http.ours.get("/users?q=wan").json["items"]] == ["wang"]
    assert http.theirs.get("/users/wang").status_code == 404
    assert http.admin.get("/users").status_code == 403
    assert len(http.audit.get("/users").json["items"]) > 1


def test_a_secret_is_never_kept_for_a_repeat_and_a_dry_run_makes_no_account(http: Callers) -> None:
    key = {"Idempotency-Key": "order-1"}
    assert http.security.post("/users", WANG, headers=key).status_code == 422
    assert http.security.post("/users?dry_run=true", WANG).json["dry_run"] is True
    assert http.security.get("/users/wang").status_code == 404


def test_the_policy_is_shown_to_who_sets_and_who_audits_it(http: Callers) -> None:
    shown = http.security.get("/policy").json
    rows = {row["action"]: row for row in shown["items"]}
    assert rows["quota.write"] == {"action": "quota.write", **{r: r == "system_admin" for r in shown["roles"]}}
    assert http.audit.get("/policy").status_code == 200
    assert http.admin.get("/policy").status_code == 403


def test_whoami_says_what_the_caller_may_do(http: Callers) -> None:
    who = http.security.get("/whoami").json
    assert (who["name"], who["role"], who["kind"]) == ("security-api/token", "security_admin", "token")
    assert "role.grant" in who["may"] and "resource.read" not in who["may"]


def test_an_operator_reboots_and_neither_asks_for_nor_deletes_a_machine(http: Callers) -> None:
    with transaction(http.sessions) as session:
        operator = Caller(http.app.test_client(), token_of(session, "ops", "operator"))
    made = http.ours.post("/vms", vm()).json["id"]
    http.work(made)
    assert operator.post(f"/vms/{made}/reboot").status_code == 202
    assert operator.get(f"/vms/{made}/history").status_code == 200
    for answer in (
        operator.post("/vms", vm("x", department="environment")),
        operator.delete(f"/vms/{made}"),
        operator.post(f"/vms/{made}/resize", {"flavor": "small"}),
        operator.post(f"/vms/{made}/console"),
        operator.put("/departments/environment/quota", {"limits": {}}),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
