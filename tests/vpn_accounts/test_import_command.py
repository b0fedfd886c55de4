"""`steppe vpn import`, as the host's operator uses it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controlplane.cli.vpn_import import import_accounts
from controlplane.settings import settings
from tests.vpn_accounts.importing import people, table
from tests.vpn_accounts.lab import VpnLab

Command = Callable[..., Result]


@pytest.fixture
def command(vpn: VpnLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    """Run the command on a file with this content."""
    monkeypatch.setenv("STEPPE_DATABASE_URL", vpn.installation.url)
    monkeypatch.setenv("STEPPE_STATE_DIR", str(vpn.installation.settings.state_dir))
    settings.cache_clear()

    def run(content: bytes, *words: str) -> Result:
        file = tmp_path / "people.csv"
        file.write_bytes(content)
        return CliRunner().invoke(import_accounts, (str(file), "--department", "environment", *words))

    yield run
    settings.cache_clear()


def test_a_file_is_imported_and_a_dry_run_takes_nothing(vpn: VpnLab, command: Command) -> None:
    dry = command(people(1, 2), "--dry-run")
    assert (dry.exit_code, dry.output.splitlines()[-1], vpn.used()) == (0, "2 accounts can be imported", 0)
    done = command(people(1, 2))
    assert done.exit_code == 0 and "imported 2 accounts by" in done.output
    assert (vpn.used(), vpn.discrepancies()) == (2, [])


def test_what_is_wrong_is_said_by_line_and_nothing_is_imported(vpn: VpnLab, command: Command) -> None:
    refused = command(table("王芳,1,wang,0471-0000001", "李娜,2,Li,0471-0000001"))
    assert refused.exit_code == 3
    assert "line 3: 用户名: A user name is" in refused.output
    assert "nothing was imported; wrong in all: 1" in refused.output
    assert vpn.used() == 0
