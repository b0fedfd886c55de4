"""Each command as an operator types it, on a database of the test's own: what it prints and how it exits.

Scripts live on exit codes and JSON, so those are fixed here: 0 done, 1 trouble, 2 wrong words, 3 refused, 4 not found.
"""

import csv
import io
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.cli import steppe as command
from controlplane.db import transaction
from controlplane.reconcile.resource import reconcile
from controlplane.settings import Settings, settings
from tests.factories import small_centre

Steppe = Callable[..., Result]


@pytest.fixture
def steppe(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steppe]:
    """Run commands on a small centre in the test's own database."""
    monkeypatch.setenv("STEPPE_DATABASE_URL", installation.url)
    monkeypatch.setenv("STEPPE_STATE_DIR", str(installation.settings.state_dir))
    monkeypatch.setenv("STEPPE_LOG_LEVEL", "error")
    settings.cache_clear()
    with transaction(installation.sessions) as session:
        small_centre(session)
    yield lambda *words: CliRunner().invoke(command, words)
    settings.cache_clear()


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def parsed(result: Result) -> Any:
    return json.loads(done(result))


VM = (
    *("--department", "environment", "--system", "monitoring"),
    *("--flavor", "small", "--image", "debian-12", "--subnet", "business"),
)

LISTS = {
    ("site", "list"): "nm",
    ("department", "list"): "environment",
    ("system", "list", "--department", "environment"): "monitoring",
    ("flavor", "list"): "small",
    ("image", "list"): "debian-12",
    ("subnet", "list"): "business",
    ("pool", "list"): "hv-01",
}


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_has_what_there_is_as_json_and_as_a_table(steppe: Steppe, words: tuple[str, ...]) -> None:
    code = LISTS[words]
    rows = parsed(steppe(*words, "--json"))
    assert code in [row["code"] for row in rows]
    assert all(row["id"] for row in rows)
    assert code in done(steppe(*words))


def test_a_list_goes_on_where_its_cursor_says(steppe: Steppe) -> None:
    first = steppe("department", "list", "--limit", "1", "--json")
    cursor = first.stderr.removeprefix("more: --cursor ").strip()
    second = steppe("department", "list", "--limit", "1", "--cursor", cursor, "--json")
    codes = [row["code"] for page in (first, second) for row in parsed(page)]
    assert sorted(codes) == ["environment", "finance"]
    assert second.stderr == ""


def test_an_empty_list_is_an_empty_json_list(steppe: Steppe) -> None:
    assert parsed(steppe("vm", "list", "--json")) == []
    assert done(steppe("vm", "list")).strip() == "nothing"


# --- setting a centre up


def test_a_centre_is_set_up_by_commands_alone(steppe: Steppe) -> None:
    done(steppe("department", "create", "lake", "--name", "湖泊局", "--name-en", "Lakes", "--site", "nm"))
    limits = parsed(steppe("quota", "set", "lake", "vm=2", "vcpu=8", "memory_mib=16384", "disk_gib=none", "--json"))
    assert limits["department"] == "lake"
    assert {c["class"]: c["limit"] for c in limits["classes"]} == {
        "vm": 2, "vcpu": 8, "memory_mib": 16384, "disk_gib": None,
    }  # fmt: skip
    done(
        steppe(
            *("system", "create", "lake-web", "--department", "lake", "--name", "门户", "--name-en", "Portal"),
            *("--mlps-level", "2", "--contact-name", "王芳", "--contact-phone", "0471-1"),
            *("--contact-email", "wang@nm.example"),
        )
    )
    done(steppe("flavor", "create", "tiny", "--name", "微", *sized(1, 512, 10)))
    done(steppe("image", "create", "kylin", "--name", "麒麟", "--os", "kylin", "--min-disk-gib", "5"))
    done(
        steppe(
            *("subnet", "create", "lakes", "--name", "湖", "--site", "nm", "--cidr", "10.9.0.0/28"),
            *("--gateway", "10.9.0.1", "--network", "default", "--reserved", "10.9.0.2-10.9.0.4"),
            *("--department", "lake"),
        )
    )
    done(
        steppe(
            *("pool", "create", "hv-09", "--name", "九", "--site", "nm", "--driver", "fake"),
            *("--connection", '{"node": "hv-09"}', "--capacity", "vm=none", "--capacity", "vcpu=64-8*2"),
            *("--capacity", "memory_mib=65536-1024", "--capacity", "disk_gib=1000"),
        )
    )
    shown = parsed(steppe("pool", "show", "hv-09", "--json"))
    assert [shown[c]["limit"] for c in ("vm", "vcpu", "memory_mib", "disk_gib")] == [None, 112, 64512, 1000]
    made = parsed(
        steppe(
            *("vm", "create", "one", "--department", "lake", "--system", "lake-web", "--flavor", "tiny"),
            *("--image", "kylin", "--subnet", "lakes", "--json"),
        )
    )
    assert (made["state"], made["addresses"], made["vcpu"]) == ("building", ["10.9.0.5"], 1)
    used = parsed(steppe("subnet", "show", "lakes", "--json"))
    assert (used["cidr"], used["department"], used["excluded"]) == ("10.9.0.0/28", "lake", ["10.9.0.12-10.9.0.14"])
    assert [row["department"] for row in parsed(steppe("subnet", "list", "--search", "lakes", "--json"))] == ["lake"]
    assert [row["name"] for row in parsed(steppe("vm", "list", "--subnet", "lakes", "--json"))] == ["one"]
    assert "ledger: every balance" in done(steppe("ledger", "verify"))


def test_a_subnet_goes_once_nobody_has_an_address_of_it(steppe: Steppe) -> None:
    done(steppe("vm", "create", "holder", *VM))
    refused = steppe("subnet", "delete", "business")
    assert (refused.exit_code, "in_use" in refused.stderr) == (3, True)
    assert "deleted" in done(steppe("subnet", "delete", "business6"))


def sized(vcpu: int, memory_mib: int, disk_gib: int) -> tuple[str, ...]:
    return "--vcpu", str(vcpu), "--memory-mib", str(memory_mib), "--disk-gib", str(disk_gib)


def test_a_pool_is_closed_and_opened(steppe: Steppe) -> None:
    for flag, accepting in (("--closed", False), ("--accepting", True)):
        done(steppe("pool", "update", "hv-01", flag))
        pools = {p["code"]: p["accepting"] for p in parsed(steppe("pool", "list", "--json"))}
        assert pools == {"hv-01": accepting, "hv-02": True}


def test_a_department_that_holds_nothing_is_closed_and_one_that_does_is_not(steppe: Steppe) -> None:
    refused = steppe("department", "delete", "environment")
    assert (refused.exit_code, "in_use" in refused.stderr) == (3, True)
    done(steppe("department", "create", "lake", "--name", "湖泊局", "--name-en", "Lakes", "--site", "nm"))
    done(steppe("department", "delete", "lake"))
    assert "lake" not in [d["code"] for d in parsed(steppe("department", "list", "--json"))]


# --- VMs


def test_a_vm_gets_and_loses_a_floating_address(steppe: Steppe, installation: Installation) -> None:
    done(
        steppe(
            *("subnet", "create", "outside", "--name", "对外", "--site", "nm", "--cidr", "172.31.99.0/28"),
            *("--network", "ext", "--floating"),
        )
    )
    assert parsed(steppe("subnet", "show", "outside", "--json"))["floating"] is True
    made = parsed(steppe("vm", "create", "web-01", *VM, "--floating-subnet", "outside", "--json"))
    assert (made["floating_address"], made["addresses"]) == ("172.31.99.1", ["10.1.0.2"])
    reconcile(installation.sessions, installation.drivers(), made["id"])
    done(steppe("vm", "unfloat", made["id"]))
    reconcile(installation.sessions, installation.drivers(), made["id"])
    done(steppe("vm", "float", made["id"], "--subnet", "outside"))
    assert parsed(steppe("vm", "show", made["id"], "--json"))["floating_address"] == "172.31.99.1"


def test_a_snapshot_of_a_vm_is_taken_gone_back_to_and_deleted(steppe: Steppe, installation: Installation) -> None:
    made = parsed(steppe("vm", "create", "web-01", *VM, "--json"))["id"]
    orders = (
        ("snapshot", "--name", "before-upgrade"),
        ("restore", "--snapshot", "before-upgrade"),
        ("rebuild",),
        ("drop-snapshot", "--snapshot", "before-upgrade"),
    )
    kept = []
    for verb, *words in orders:
        reconcile(installation.sessions, installation.drivers(), made)
        assert done(steppe("vm", verb, made, *words)).strip() == "changing"
        kept.append(parsed(steppe("vm", "show", made, "--json"))["snapshots"])
    assert kept == [["before-upgrade"]] * 3 + [[]]


def test_a_vm_is_asked_for_listed_shown_and_deleted(steppe: Steppe, installation: Installation) -> None:
    made = parsed(steppe("vm", "create", "web-01", *VM, "--json"))
    assert (made["name"], made["state"], made["department"], made["addresses"]) == (
        "web-01", "building", "environment", ["10.1.0.2"],
    )  # fmt: skip
    assert parsed(steppe("vm", "show", made["id"], "--json")) == made
    assert parsed(steppe("vm", "list", "--json")) == [made]
    assert parsed(steppe("vm", "list", "--state", "running", "--json")) == []
    assert parsed(steppe("vm", "list", "--search", "10.1.0.2", "--json")) == [made]
    reconcile(installation.sessions, installation.drivers(), made["id"])
    assert done(steppe("vm", "stop", made["id"])).strip() == "changing"
    assert done(steppe("vm", "delete", made["id"])).strip() == "deleting"


def test_data_disks_are_asked_for_shown_and_grown(steppe: Steppe, installation: Installation) -> None:
    made = parsed(steppe("vm", "create", "db-01", *VM, "--data-disk", "100", "--data-disk", "30", "--json"))
    assert made["data_disks"] == [100, 30]
    reconcile(installation.sessions, installation.drivers(), made["id"])
    size = ("--vcpu", "2", "--memory-mib", "4096", "--disk-gib", "50")
    assert done(steppe("vm", "resize", made["id"], *size)).strip() == "changing"
    reconcile(installation.sessions, installation.drivers(), made["id"])
    assert parsed(steppe("vm", "show", made["id"], "--json"))["data_disks"] == [100, 30]
    more = ("--data-disk", "100", "--data-disk", "40", "--data-disk", "5")
    done(steppe("vm", "resize", made["id"], *size, *more))
    assert parsed(steppe("vm", "show", made["id"], "--json"))["data_disks"] == [100, 40, 5]


def test_many_vms_are_asked_for_at_once(steppe: Steppe) -> None:
    rows = parsed(steppe("vm", "create", "web", *VM, "--count", "3", "--json"))
    assert [row["name"] for row in rows] == ["web-1", "web-2", "web-3"]
    assert len({row["addresses"][0] for row in rows}) == 3


def test_of_many_vms_all_are_made_or_none(steppe: Steppe) -> None:
    done(steppe("quota", "set", "environment", "vm=2"))
    refused = steppe("vm", "create", "web", *VM, "--count", "3")
    assert (refused.exit_code, "quota.exceeded" in refused.stderr) == (3, True)
    assert parsed(steppe("vm", "list", "--json")) == []


# --- people and tokens


def test_the_secret_of_a_token_is_printed_once_and_never_listed(steppe: Steppe) -> None:
    words = ("user", "create", "env-api", "--service", "--name", "x", "--role", "department_manager")
    assert parsed(steppe(*words, "--department", "environment", "--json"))["password"] is None
    narrow = ("--department", "environment", "--action", "resource.read")
    made = parsed(steppe("token", "create", "ci", "--user", "env-api", *narrow, "--json"))
    quiet = done(steppe("token", "create", "other", "--user", "env-api", "--quiet")).strip()
    assert len(made["secret"]) > 20
    assert len(quiet.split()) == 1
    listed = done(steppe("token", "list", "--json"))
    assert {t["name"] for t in json.loads(listed)} == {"ci", "other"}
    assert made["secret"] not in listed
    assert quiet not in listed
    done(steppe("token", "revoke", made["id"]))
    [revoked] = [t for t in parsed(steppe("token", "list", "--json")) if t["name"] == "ci"]
    assert revoked["revoked_at"]


def test_a_user_is_made_with_a_first_password(steppe: Steppe) -> None:
    words = ("user", "create", "wang", "--name", "王芳", "--role", "department_manager", "--department", "environment")
    made = parsed(steppe(*words, "--json"))
    assert (made["username"], made["role"]) == ("wang", "department_manager")
    assert len(made["password"]) >= 12
    assert steppe(*words).exit_code == 3


def test_the_first_administrators_are_made_once(steppe: Steppe) -> None:
    made = parsed(steppe("user", "bootstrap", "--json"))
    assert [u["role"] for u in made] == ["system_admin", "security_admin", "audit_admin"]
    assert len({u["password"] for u in made}) == 3
    again = steppe("user", "bootstrap")
    assert (again.exit_code, "account.bootstrapped" in again.stderr) == (3, True)
    rows = parsed(steppe("user", "list", "--json"))
    assert [(u["username"], u["second_factor"]) for u in rows] == [
        ("admin", False), ("audit", False), ("security", False),
    ]  # fmt: skip


def test_an_account_is_reset_disabled_enabled_and_removed(steppe: Steppe) -> None:
    done(steppe("user", "create", "wang", "--name", "王芳", "--role", "auditor"))
    fresh = parsed(steppe("user", "reset-password", "wang", "--json"))
    assert len(fresh["password"]) >= 12
    for verb in ("disable", "enable", "reset-second-factor", "remove"):
        done(steppe("user", verb, "wang"))
    assert parsed(steppe("user", "list", "--json"))[0]["disabled"] == "left"
    assert steppe("user", "enable", "wang").exit_code == 3


def test_the_policy_is_printed_as_a_table_and_as_json(steppe: Steppe) -> None:
    rows = {row["action"]: row for row in json.loads(done(steppe("policy", "show", "--format", "json")))}
    assert rows["role.grant"]["security_admin"] is True and rows["role.grant"]["system_admin"] is False
    printed = done(steppe("policy", "show"))
    assert all(action in printed for action in rows)


# --- how commands end


REFUSED = {
    "a name that is taken": ("flavor", "create", "small", "--name", "x", *sized(1, 512, 10)),
    "a limit that is no number": ("quota", "set", "environment", "vcpu=many"),
    "a class that does not exist": ("quota", "set", "environment", "gold=1"),
    "a connection that is no JSON": (
        *("pool", "create", "p", "--name", "p", "--site", "nm", "--connection", "{", "--capacity", "vm=1"),
    ),
    "a capacity that is no number": (
        *("pool", "create", "p", "--name", "p", "--site", "nm", "--connection", "{}", "--capacity", "vm=x"),
    ),
    "a pool that says nothing of a class": (
        *("pool", "create", "p", "--name", "p", "--site", "nm", "--connection", "{}", "--capacity", "vm=1"),
    ),
    "a subnet that overlaps": (
        *("subnet", "create", "s", "--name", "s", "--site", "nm", "--cidr", "10.1.0.0/25", "--network", "default"),
    ),
    "a subnet that is none": (
        *("subnet", "create", "s", "--name", "s", "--site", "nm", "--cidr", "nonsense", "--network", "default"),
    ),
    "a vm without a size": (
        *("vm", "create", "x", "--department", "environment", "--system", "monitoring"),
        *("--image", "debian-12", "--subnet", "business"),
    ),
    "a sort that does not exist": ("vm", "list", "--sort", "colour"),
    "a cursor that no list gave": ("vm", "list", "--cursor", "nonsense"),
}
NOT_FOUND = {
    "a department": ("quota", "show", "nobody"),
    "a vm": ("vm", "show", "018f0000-0000-7000-8000-000000000000"),
    "a pool": ("pool", "show", "nothing"),
    "a subnet": ("subnet", "show", "nothing"),
    "the site of a new department": (
        *("department", "create", "x", "--name", "x", "--name-en", "x", "--site", "nowhere"),
    ),
    "the image of a new vm": (
        *("vm", "create", "x", "--department", "environment", "--system", "monitoring"),
        *("--flavor", "small", "--image", "none", "--subnet", "business"),
    ),
    "an account": ("user", "disable", "nobody"),
    "the account of a token": ("token", "create", "t", "--user", "nobody"),
    "a token to revoke": ("token", "revoke", "018f0000-0000-7000-8000-000000000000"),
}
WRONG = {
    "no such command": ("fly",),
    "no such option": ("vm", "list", "--colour"),
    "something left out": ("department", "create", "x"),
    "an id that is none": ("vm", "show", "web-01"),
    "a number out of range": ("vm", "list", "--limit", "0"),
    "an unknown model": ("centre", "load", "atlantis"),
    "a flavor of nothing": ("flavor", "create", "none", "--name", "x", *sized(0, 512, 10)),
    "a date that is none": ("report", "usage", "--from", "yesterday", "--to", "2030-01-01"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_ends_with_3_and_one_line_that_says_why(steppe: Steppe, words: tuple[str, ...]) -> None:
    refused = steppe(*words)
    assert refused.exit_code == 3, refused.output
    assert refused.stderr.startswith("Refused (")
    assert refused.stdout == ""


@pytest.mark.parametrize("words", NOT_FOUND.values(), ids=NOT_FOUND.keys())
def test_what_is_not_found_ends_with_4_and_one_line_that_says_what(steppe: Steppe, words: tuple[str, ...]) -> None:
    missing = steppe(*words)
    assert missing.exit_code == 4, missing.output
    assert missing.stderr.startswith("Refused (not_found): There is no ")


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG.keys())
def test_wrong_words_end_with_2_and_a_hint(steppe: Steppe, words: tuple[str, ...]) -> None:
    wrong = steppe(*words)
    assert wrong.exit_code == 2
    assert "Error: " in wrong.stderr


def test_a_refused_command_changes_nothing(steppe: Steppe, installation: Installation) -> None:
    def events() -> object:
        with transaction(installation.sessions) as session:
            return session.scalar(text("SELECT count(*) FROM audit_events"))

    before = events()
    for words in REFUSED.values():
        steppe(*words)
    assert events() == before


def test_a_database_that_does_not_answer_ends_with_1_and_one_line(
    steppe: Steppe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPPE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
    settings.cache_clear()
    away = steppe("vm", "list")
    assert away.exit_code == 1
    assert away.stderr.startswith("The database does not answer: ")


def test_a_setting_that_makes_no_sense_ends_with_2_and_names_its_variable(
    steppe: Steppe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPPE_WEB_WORKERS", "none")
    settings.cache_clear()
    wrong = steppe("settings")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("STEPPE_WEB_WORKERS: ")


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "127.0.0.1", "192.0.2.1:8080"])
def test_up_says_so_at_once_where_nobody_can_listen(
    steppe: Steppe, monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    monkeypatch.setenv("STEPPE_LISTEN", listen)
    settings.cache_clear()
    refused = steppe("up")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: cannot listen on {listen}: ")


def test_up_does_not_start_where_somebody_else_listens(steppe: Steppe, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setenv("STEPPE_LISTEN", listen)
        settings.cache_clear()
        refused = steppe("up")
    assert (refused.exit_code, "Address already in use" in refused.stderr) == (1, True)


# --- the installation, the ledger, reports


def test_settings_lists_every_variable_and_hides_what_is_secret(steppe: Steppe) -> None:
    rows = {row["variable"]: row for row in parsed(steppe("settings", "--json"))}
    assert rows.keys() == {f"STEPPE_{name.upper()}" for name in Settings.model_fields}
    assert all(row["meaning"] for row in rows.values())
    assert rows["STEPPE_DATABASE_URL"]["value"] == "(set)"
    assert rows["STEPPE_LOG_LEVEL"]["value"] == "error"


def test_doctor_says_what_is_wrong_and_ends_with_1(steppe: Steppe) -> None:
    found = steppe("doctor", "--json")
    assert found.exit_code == 1
    rows = {row["check"]: row for row in json.loads(found.stdout)}
    assert rows["workers"][""] == "BAD"
    assert "steppe worker" in rows["workers"]["advice"]
    assert [rows[c][""] for c in ("database", "pools", "ledger")] == ["ok", "ok", "ok"]


def test_doctor_names_a_broken_ledger(steppe: Steppe, installation: Installation) -> None:
    break_ledger(installation)
    rows = {row["check"]: row for row in json.loads(steppe("doctor", "--json").stdout)}
    assert rows["ledger"][""] == "BAD"


def test_the_ledger_is_verified_and_what_differs_ends_with_1(steppe: Steppe, installation: Installation) -> None:
    done(steppe("vm", "create", "web-01", *VM))
    assert parsed(steppe("ledger", "verify", "--json")) == []
    break_ledger(installation)
    broken = steppe("ledger", "verify", "--json")
    assert broken.exit_code == 1
    assert [(w["what"], w["resource_class"]) for w in json.loads(broken.stdout)] == [("used", "vcpu")]


def break_ledger(installation: Installation) -> None:
    """Change one balance without a posting, as nobody but a broken database would."""
    with transaction(installation.sessions) as session:
        session.execute(
            text(
                "UPDATE ledger_accounts SET used = used + 1 WHERE id ="
                " (SELECT min(id) FROM ledger_accounts WHERE resource_class = 'vcpu')"
            )
        )


def test_the_schema_is_up_to_date_and_says_so(steppe: Steppe) -> None:
    assert "at 0" in done(steppe("db", "current"))
    assert "up to date" in done(steppe("db", "upgrade"))


def test_the_trail_is_listed_by_its_filters_and_goes_on_where_its_cursor_says(steppe: Steppe) -> None:
    done(steppe("user", "create", "wang", "--name", "王芳", "--role", "auditor"))
    done(steppe("user", "disable", "wang"))
    events = parsed(steppe("audit", "list", "--target", "wang", "--json"))
    assert [e["action"] for e in events] == ["user.disable", "user.create"]
    assert "user.disable" in done(steppe("audit", "list", "--actor", "operator", "--from", "2026-01-01"))
    first = steppe("audit", "list", "--target", "wang", "--limit", "1", "--json")
    cursor = first.stderr.partition("--cursor ")[2].strip()
    rest = parsed(steppe("audit", "list", "--target", "wang", "--cursor", cursor, "--json"))
    assert [e["action"] for e in rest] == ["user.create"]
    assert parsed(steppe("audit", "list", "--to", "2020-01-01", "--json")) == []


def test_the_trail_is_taken_out_as_lines_or_for_a_spreadsheet_and_says_so_itself(steppe: Steppe) -> None:
    done(steppe("user", "create", "wang", "--name", "王芳", "--role", "auditor"))
    lines = [json.loads(line) for line in done(steppe("audit", "export", "--actor", "operator")).splitlines()]
    assert [line["action"] for line in lines] == ["user.create", "audit.export"]
    head, *rows = csv.reader(io.StringIO(done(steppe("audit", "export", "--format", "csv", "--target", "wang"))))
    assert head[0] == "\N{BYTE ORDER MARK}id"
    assert [row[9] for row in rows] == ["wang"]
    [last, _] = parsed(steppe("audit", "list", "--action", "audit.export", "--json"))
    assert last["details"] == {"format": "csv", "filters": {"target": "wang"}}


def test_the_usage_report_opens_in_a_spreadsheet_with_its_chinese(steppe: Steppe) -> None:
    done(steppe("vm", "create", "web-01", *VM))
    printed = steppe("report", "usage", "--from", "2020-01-01", "--to", "2100-01-01").stdout_bytes
    assert printed.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(printed.decode("utf-8-sig"), newline="")))
    assert {row["department_name"] for row in rows} == {"环境保护厅"}
    assert {row["resource_class"] for row in rows} == {"vm", "vcpu", "memory_mib", "disk_gib"}
    assert all(float(row["hours"]) > 0 for row in rows)


def test_the_usage_report_is_had_as_json_for_one_department(steppe: Steppe) -> None:
    done(steppe("vm", "create", "web-01", *VM))
    words = ("report", "usage", "--from", "2020-01-01", "--to", "2100-01-01", "--format", "json")
    assert {line["department"] for line in parsed(steppe(*words, "--department", "environment"))} == {"environment"}
    assert parsed(steppe(*words, "--department", "finance")) == []


def test_the_bulletin_is_printed_in_both_languages_and_as_json(steppe: Steppe) -> None:
    assert "云中心" in done(steppe("centre", "bulletin"))
    assert "cloud centre" in done(steppe("centre", "bulletin", "--language", "en"))
    figures = parsed(steppe("centre", "bulletin", "--json"))
    assert (figures["departments"], figures["sites"], figures["vms"]) == (2, 1, 0)
