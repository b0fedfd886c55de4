"""`steppe request` and `steppe routing`, as the host's operator uses them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controlplane.bootstrap import Installation
from controlplane.cli import steppe as command
from controlplane.db import transaction
from controlplane.settings import settings
from tests.factories import small_centre
from tests.window.conftest import machines

Steppe = Callable[..., Result]
RULE = {"name": "全部", "name_en": "all", "applies": {}, "steps": [{"role": "system_admin"}]}


@pytest.fixture
def steppe(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steppe]:
    """Run commands on a small centre in the test's own database."""
    with transaction(installation.sessions) as session:
        small_centre(session)
    monkeypatch.setenv("STEPPE_DATABASE_URL", installation.url)
    monkeypatch.setenv("STEPPE_STATE_DIR", str(installation.settings.state_dir))
    monkeypatch.setenv("STEPPE_LOG_LEVEL", "error")
    settings.cache_clear()
    yield lambda *words, given="": CliRunner().invoke(command, words, input=given)
    settings.cache_clear()


def test_a_request_is_made_listed_shown_and_withdrawn(steppe: Steppe, tmp_path: Path) -> None:
    assert steppe("routing", "set", "all", "-", given=json.dumps(RULE)).output == "rule all is set\n"
    asked = ("--department", "environment", "--title", "两台", "--submit")
    made = steppe("request", "create", "-", *asked, given=json.dumps(machines(2)))
    assert "is submitted" in made.output, made.output
    ref = made.output.split()[-1]
    [listed] = json.loads(steppe("request", "list", "--state", "submitted", "--json").output)
    assert (listed["id"], listed["title"], listed["kind"]) == (ref, "两台", "vm")
    shown = json.loads(steppe("request", "show", ref, "--json").output)
    assert [step["state"] for step in shown["steps"]] == ["open"]
    assert json.loads(steppe("request", "impact", ref, "--json").output)
    own = steppe("request", "approve", ref)
    assert (own.exit_code, "request.own" in own.output) == (3, True)
    assert "is withdrawn" in steppe("request", "withdraw", ref).output


def test_a_rule_can_be_changed_and_removed(steppe: Steppe) -> None:
    steppe("routing", "set", "all", "-", given=json.dumps(RULE))
    steppe("routing", "set", "all", "-", given=json.dumps({**RULE, "enabled": False}))
    [rule] = json.loads(steppe("routing", "list", "--json").output)
    assert (rule["code"], rule["enabled"]) == ("all", False)
    assert "is removed" in steppe("routing", "delete", "all").output
    assert json.loads(steppe("routing", "list", "--json").output) == []


def test_what_is_no_list_of_items_is_refused_plainly(steppe: Steppe) -> None:
    asked = ("--department", "environment", "--title", "x")
    assert steppe("request", "create", "-", *asked, given="{").exit_code == 2
    assert steppe("request", "create", "-", *asked, given="{}").exit_code == 2
    assert "bulk.rows_refused" in steppe("request", "create", "-", *asked, given='[{"do": "fly"}]').output
