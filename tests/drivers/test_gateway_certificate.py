"""A gateway's own certificate: made where there is none, renewed before it ends, and always of the same key."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.drivers.gateway_makers import ROOT

SCRIPT = ROOT / "playbooks/roles/ocserv/files/renew_certificate.sh"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="NO OPENSSL: run `make setup`")


def renew(folder: Path, name: str = "vpn.gov.example", days: int = 397) -> bool:
    """Run the script as the gateway does once a day, and tell whether it made a certificate."""
    command = [SCRIPT, folder, name, str(days), "30", folder / "no-socket"]
    return "renewed" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_certificate_is_made_once(tmp_path: Path) -> None:
    assert renew(tmp_path)
    made = (tmp_path / "certificate.pem").read_bytes()
    assert not renew(tmp_path)
    assert (tmp_path / "certificate.pem").read_bytes() == made
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


def test_one_that_ends_soon_or_has_another_name_is_renewed_and_the_key_stays(tmp_path: Path) -> None:
    renew(tmp_path, days=29)
    key = (tmp_path / "key.pem").read_bytes()
    assert renew(tmp_path)
    assert renew(tmp_path, name="10.99.0.1")
    assert not renew(tmp_path, name="10.99.0.1")
    assert (tmp_path / "key.pem").read_bytes() == key
