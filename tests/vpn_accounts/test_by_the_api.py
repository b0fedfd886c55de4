"""VPN accounts as a department's own programs ask for them."""

import io
import zipfile
from typing import Any

import pytest
import pyzipper
from sqlalchemy import text

from tests.callers import Callers
from tests.vpn_accounts.handed import PASSPHRASE, opened
from tests.vpn_accounts.scene import look


@pytest.fixture
def http(vpn_http: Callers) -> Callers:
    return vpn_http


def person(number: int = 1) -> dict[str, str]:
    return {"name": f"王芳{number}", "number": f"E{number:05}", "mail": "wang@nm.example"}


def account(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"username": f"wang{number}", "person": person(number), **more}


def test_a_department_asks_gets_the_password_once_and_revokes(http: Callers) -> None:
    asked = http.ours.post("/vpn-accounts", account(max_sessions=2))
    assert asked.status_code == 202, asked.json
    location = asked.headers["Location"].removeprefix("/api/v1")
    look(http)
    shown = http.ours.get(location).json
    assert (shown["state"], shown["username"], shown["max_sessions"]) == ("running", "wang1", 2)
    assert shown["person"] == person() and shown["issued_at"] is None
    file = http.ours.post("/vpn-accounts/credentials", {"passphrase": PASSPHRASE})
    assert file.status_code == 200 and file.headers["Cache-Control"] == "no-store"
    header, row = opened(file.data).splitlines()
    assert row.split(",")[:3] == ["王芳1", "E00001", "wang1"] and len(header.split(",")) == 4
    assert http.ours.get(location).json["issued_at"] is not None
    again = http.ours.post("/vpn-accounts/credentials", {"passphrase": PASSPHRASE})
    assert (again.status_code, again.json["code"]) == (409, "not_now")
    assert http.ours.delete(location).json["state"] == "deleting"
    look(http)
    assert http.ours.get(location).status_code == 404


def test_the_file_opens_by_its_passphrase_alone(http: Callers) -> None:
    http.ours.post("/vpn-accounts", account())
    file = http.ours.post("/vpn-accounts/credentials", {"passphrase": PASSPHRASE}).data
    with pytest.raises(RuntimeError, match="password"):
        opened(file, "another passphrase")
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert b"wang1" not in file and archive.namelist() == ["vpn-accounts.csv"]


def test_slips_come_as_pdf_with_all_people_on_it(http: Callers) -> None:
    rows = [account(number) for number in range(1, 14)]
    assert http.ours.post("/vpn-accounts/bulk", {"accounts": rows}).json["count"] == 13
    file = http.ours.post("/vpn-accounts/credentials", {"passphrase": PASSPHRASE, "form": "pdf"}).data
    with pyzipper.AESZipFile(io.BytesIO(file)) as archive:
        archive.setpassword(PASSPHRASE.encode())
        content = archive.read("vpn-accounts.pdf")
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") == 2


def test_a_short_passphrase_is_refused_and_no_password_is_made(http: Callers) -> None:
    made = http.ours.post("/vpn-accounts", account()).json
    assert http.ours.post("/vpn-accounts/credentials", {"passphrase": "short"}).status_code == 422
    assert http.ours.get(f"/vpn-accounts/{made['id']}").json["issued_at"] is None


def test_a_dry_run_of_handing_out_leaves_everything_as_it_is_and_tells_no_password(http: Callers) -> None:
    made = http.ours.post("/vpn-accounts", account()).json
    dry = http.ours.post("/vpn-accounts/credentials?dry_run=true", {"passphrase": PASSPHRASE})
    assert dry.json == {"dry_run": True}
    assert http.ours.get(f"/vpn-accounts/{made['id']}").json["issued_at"] is None


def test_another_department_sees_none_of_them(http: Callers) -> None:
    made = http.ours.post("/vpn-accounts", account()).json
    path = f"/vpn-accounts/{made['id']}"
    for answer in (
        http.theirs.get(path),
        http.theirs.delete(path),
        http.theirs.post(f"{path}/suspend"),
        http.theirs.get(f"{path}/history"),
        http.theirs.post("/vpn-accounts/credentials", {"passphrase": PASSPHRASE, "ids": [made["id"]]}),
        http.theirs.post("/vpn-accounts", account(2, department="environment")),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    refused = http.theirs.post("/vpn-accounts/bulk/suspend", {"ids": [made["id"]]})
    assert (refused.status_code, refused.json["problems"][0]["code"]) == (422, "not_found")
    assert http.theirs.get("/vpn-accounts").json["items"] == []
    groups = {group["department"] for group in http.theirs.get("/vpn-groups").json["items"]}
    assert groups == {"finance"}


def test_people_are_found_by_whole_name_and_number_and_shown_to_those_alone_who_may_know(http: Callers) -> None:
    http.ours.post("/vpn-accounts/bulk", {"accounts": [account(1), account(2)]})
    for query in ("person=王芳2", "number=e00002", "q=ang2"):
        [found] = http.ours.get(f"/vpn-accounts?{query}").json["items"]
        assert found["username"] == "wang2"
    assert http.ours.get("/vpn-accounts?person=王").json["items"] == []


def test_many_are_suspended_and_resumed_by_what_they_have_in_common(http: Callers) -> None:
    http.ours.post("/vpn-accounts/bulk", {"accounts": [account(number) for number in range(1, 6)]})
    look(http)
    assert http.ours.post("/vpn-accounts/bulk/suspend", {"state": "running"}).json["count"] == 5
    look(http)
    assert {one["state"] for one in http.ours.get("/vpn-accounts").json["items"]} == {"stopped"}
    http.ours.post("/vpn-accounts", account(6))
    assert http.ours.post("/vpn-accounts/bulk/resume", {}).json["count"] == 5, "who is not suspended is passed over"
    http.ours.delete(f"/vpn-accounts/{http.ours.get('/vpn-accounts?q=wang6').json['items'][0]['id']}")
    refused = http.ours.post("/vpn-accounts/bulk/extend", {"until": "2030-01-01T00:00:00Z"})
    assert refused.status_code == 403
    extend = {"department": "environment", "until": "2030-01-01T00:00:00Z"}
    assert http.admin.post("/vpn-accounts/bulk/extend", extend).json["count"] == 5
    look(http)
    none = http.ours.post("/vpn-accounts/bulk/revoke", {"unused_since": "2000-01-01T00:00:00Z"})
    assert (none.status_code, none.json["code"]) == (409, "nothing_fits")
    assert http.ours.post("/vpn-accounts/bulk/revoke", {}).json["count"] == 5
    look(http)
    assert http.ours.get("/vpn-accounts").json["items"] == []


def test_many_are_moved_to_a_group_of_a_system_and_back(http: Callers) -> None:
    group = {"gateway": "vpn-1", "department": "environment", "system": "monitoring", "prefix": 28}
    assert http.admin.post("/vpn-groups", group).status_code == 201
    http.ours.post("/vpn-accounts/bulk", {"accounts": [account(number) for number in (1, 2)]})
    look(http)
    assert http.ours.post("/vpn-accounts/bulk/move", {"to_system": "monitoring"}).json["count"] == 2
    look(http)
    assert {one["system"] for one in http.ours.get("/vpn-accounts").json["items"]} == {"monitoring"}
    back = http.ours.post("/vpn-accounts/bulk/move", {"system": "monitoring", "to_system": None})
    assert (back.status_code, back.json["count"]) == (202, 2)
    assert {one["system"] for one in http.ours.get("/vpn-accounts").json["items"]} == {None}
    assert http.ours.post("/vpn-accounts/bulk/move", {}).status_code == 422
    assert (
        http.theirs.post("/vpn-accounts/bulk/move", {"to_system": None, "department": "environment"}).status_code == 404
    )


def test_an_administrator_opens_changes_and_closes_a_group(http: Callers) -> None:
    body = {"gateway": "vpn-1", "department": "environment", "system": "monitoring", "prefix": 28}
    made = http.admin.post("/vpn-groups", {**body, "networks": ["10.1.0.8/32"]})
    assert made.status_code == 201, made.json
    assert (made.json["cidr"], made.json["name"]) == ("10.96.2.0/28", "environment_monitoring")
    path = f"/vpn-groups/{made.json['id']}"
    assert http.admin.post("/vpn-groups", body).status_code == 409
    changed = http.admin.patch(path, {"down_kbit": 4000, "networks": ["10.1.0.0/24"]})
    assert changed.json["down_kbit"] == 4000
    assert http.ours.patch(path, {"down_kbit": None}).status_code == 403
    http.ours.post("/vpn-accounts", account(system="monitoring"))
    assert http.admin.delete(path).json["code"] == "in_use"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"networks": ["10.1.0.5/24"]}, "networks.0"),
        ({"networks": ["everything"]}, "networks.0"),
        ({"prefix": 10}, "prefix"),
        ({"cidr": "192.168.0.0/24"}, "cidr"),
        ({"cidr": "10.96.0.128/25"}, "cidr"),
        ({"gateway": "hv-01"}, "gateway"),
    ],
)
def test_a_group_that_cannot_be_is_refused_with_the_field(http: Callers, more: dict[str, Any], field: str) -> None:
    body = {"gateway": "vpn-1", "department": "environment", "system": "monitoring", **more}
    refused = http.admin.post("/vpn-groups", body)
    assert refused.status_code == 422 and field in refused.json["detail"]


def test_a_gateway_that_is_removed_while_it_carries_groups_is_refused(http: Callers) -> None:
    assert http.admin.delete("/pools/vpn-1").json["code"] == "in_use"


def test_accounts_that_somebody_has_to_approve_are_asked_for_by_request_with_the_person_sealed(http: Callers) -> None:
    rule = {"name": "VPN", "name_en": "VPN", "applies": {"kind": "vpn_account"}, "steps": [{"role": "system_admin"}]}
    assert http.security.post("/routing-rules", {"code": "vpn", **rule}).status_code == 201
    refused = http.ours.post("/vpn-accounts", account())
    assert refused.json["code"] == "request.approval_needed"
    items = [{"do": "create", "kind": "vpn_account", "spec": account(number)} for number in (1, 2)]
    asked = http.ours.post("/requests", {"title": "two", "items": items, "submit": True})
    assert asked.status_code == 201, asked.json
    path = f"/requests/{asked.json['id']}"
    for answer in (asked, http.admin.get(path), http.ours.get(path)):
        assert "王芳" not in answer.text and "sealed" not in answer.text
    with http.sessions() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        kept = session.scalar(text("SELECT string_agg(items::text, '') FROM requests"))
        assert "sealed" in kept and "E00001" not in kept and "wang@nm" not in kept
    assert http.admin.post(f"{path}/approve", {}).status_code == 200
    look(http)
    found = http.ours.get("/vpn-accounts").json["items"]
    assert sorted(one["person"]["name"] for one in found) == ["王芳1", "王芳2"]


def test_a_request_names_the_account_that_cannot_be(http: Callers) -> None:
    good = {"do": "create", "kind": "vpn_account", "spec": account(1)}
    bad = {"do": "create", "kind": "vpn_account", "spec": {"username": "wang2"}}
    refused = http.ours.post("/requests", {"title": "two", "items": [good, bad]})
    assert refused.status_code == 422
    [problem] = refused.json["problems"]
    assert problem["row"] == 1 and "spec.person" in problem["detail"]
