"""Files, links and the register on the host's command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from controlplane.db import Sessions
from tests.factories import given
from tests.window.papers import PNG, pdf
from tests.window.records import BEGAN, made

Steppe = Callable[..., Result]


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_files_are_attached_listed_saved_and_removed(sessions: Sessions, steppe: Steppe, tmp_path: Path) -> None:
    given(sessions)
    request, file = made(sessions), tmp_path / "方案.pdf"
    file.write_bytes(pdf())
    assert "attached 方案.pdf" in steppe("attachment", "add", request, str(file)).stdout
    [listed] = printed(steppe("attachment", "list", request, "--json"))
    assert (listed["name"], listed["size"], listed["added_by"]) == ("方案.pdf", len(pdf()), "operator")
    saved = tmp_path / "saved.pdf"
    assert steppe("attachment", "save", listed["id"], "--to", str(saved)).exit_code == 0
    assert saved.read_bytes() == pdf()
    assert steppe("attachment", "save", listed["id"], "--to", str(saved)).exit_code == 1
    assert steppe("attachment", "remove", listed["id"]).exit_code == 0
    assert printed(steppe("attachment", "list", request, "--json")) == []


def test_a_file_that_is_refused_ends_with_3_and_says_why(sessions: Sessions, steppe: Steppe, tmp_path: Path) -> None:
    given(sessions)
    file = tmp_path / "a.pdf"
    file.write_bytes(PNG)
    result = steppe("attachment", "add", made(sessions), str(file))
    assert (result.exit_code, "a.pdf" in result.stderr, "PNG" in result.stderr) == (3, True, True)


def test_a_link_is_printed_and_ended(sessions: Sessions, steppe: Steppe) -> None:
    given(sessions)
    request = made(sessions)
    assert steppe("progress-link", "make", request).stdout.startswith("http://127.0.0.1:8080/progress/")
    assert steppe("progress-link", "revoke", request).exit_code == 0
    assert steppe("progress-link", "make", request.replace(request[-4:], "0000")).exit_code == 4


def test_the_register_is_opened_and_listed(sessions: Sessions, steppe: Steppe) -> None:
    given(sessions)
    made(sessions, state="done", submitted_at=BEGAN, decided_at=BEGAN)
    assert steppe("register", "set", "--public", "--titles").stdout == "public\n"
    assert printed(steppe("register", "show", "--json")) == {"public": True, "titles": True}
    [line] = printed(steppe("register", "list", "--from", "2026-11-01", "--to", "2026-12-01", "--json"))
    assert (line["department"], line["title"], line["outcome"]) == ("environment", "监测平台扩容", "done")
