"""Imports of VPN accounts as a department's own programs send them."""

import io

import openpyxl
import pytest

from controlplane.db import transaction
from tests.callers import Callers
from tests.vpn_accounts.importing import imported_through, looked_at, people, sent, table
from tests.vpn_accounts.scene import furnish


@pytest.fixture
def http(http: Callers) -> Callers:
    """Callers on a small centre with a gateway."""
    with transaction(http.sessions) as session:
        furnish(session)
    return http


def test_a_program_sends_a_table_and_its_accounts_are_there(http: Callers) -> None:
    made = sent(http.ours, people(1, 2))
    assert (made.status_code, made.json["state"], made.json["file_name"]) == (202, "checking", "people.csv")
    assert http.ours.get(made.headers["Location"].removeprefix("/api/v1")).json["problems"] == []
    ref = imported_through(http.ours, http.installation, people(3, 4))
    done = http.ours.get(f"/vpn-imports/{ref}").json
    assert (done["state"], done["total"], done["quota"]["after"]) == ("done", 2, 2)
    accounts = http.ours.get(f"/vpn-accounts?request={done['request']}").json["items"]
    assert {one["username"] for one in accounts} == {"wang3", "wang4"}
    assert [one["state"] for one in http.ours.get("/vpn-imports").json["items"]] == ["done", "checking"]
    assert len(http.ours.get("/vpn-imports?state=done").json["items"]) == 1


def test_what_is_wrong_is_answered_by_line_and_column_and_cannot_be_started(http: Callers) -> None:
    ref = looked_at(http.installation, sent(http.ours, table("王芳,,Big,0471-0000001")).json["id"])
    found = http.ours.get(f"/vpn-imports/{ref}").json
    assert (found["state"], found["problem_count"]) == ("bad", 2)
    assert [(p["line"], p["column"], p["code"]) for p in found["problems"]] == [
        (2, "工号", "import.number"),
        (2, "用户名", "import.username"),
    ]
    refused = http.ours.post(f"/vpn-imports/{ref}/start")
    assert (refused.status_code, refused.json["code"]) == (409, "import.not_ready")
    assert http.ours.delete(f"/vpn-imports/{ref}").status_code == 200
    assert http.ours.get(f"/vpn-imports/{ref}").status_code == 404


def test_another_departments_import_is_not_there(http: Callers) -> None:
    ref = sent(http.ours, people(1)).json["id"]
    for answer in (
        http.theirs.get(f"/vpn-imports/{ref}"),
        http.theirs.post(f"/vpn-imports/{ref}/start"),
        http.theirs.delete(f"/vpn-imports/{ref}"),
        sent(http.theirs, people(1), department="environment"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert http.theirs.get("/vpn-imports").json["items"] == []
    assert http.audit.get("/vpn-imports").status_code == 403


def test_a_dry_run_of_sending_keeps_nothing(http: Callers) -> None:
    dry = http.ours.post("/vpn-imports?dry_run=true", data={"file": (io.BytesIO(people(1)), "a.csv")})
    assert (dry.status_code, dry.json["dry_run"]) == (200, True)
    assert http.ours.get("/vpn-imports").json["items"] == []


def test_nothing_or_too_much_is_refused(http: Callers) -> None:
    missing = http.ours.post("/vpn-imports", data={"file": (io.BytesIO(b""), "")})
    assert (missing.status_code, missing.json["code"]) == (422, "import.missing")
    large = sent(http.ours, b"x" * (10 * 1024 * 1024 + 1))
    assert (large.status_code, large.json["code"]) == (413, "import.too_large")
    nobodys = sent(http.admin, people(1))
    assert (nobodys.status_code, nobodys.json["code"]) == (422, "invalid")


def test_the_template_is_saved_in_either_form_and_language(http: Callers) -> None:
    csv = http.ours.get("/vpn-imports/template", headers={"Accept-Language": "en"})
    assert csv.data.decode("utf-8-sig").split(",")[:2] == ["name", "number"]
    book = openpyxl.load_workbook(io.BytesIO(http.ours.get("/vpn-imports/template?format=xlsx").data))
    assert [cell.value for cell in book.active[1]][:2] == ["姓名", "工号"]
