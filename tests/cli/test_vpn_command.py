"""VPN accounts and groups as an operator types it."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import pyzipper
from sqlalchemy import text

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import VpnAccount
from controlplane.secrets import keys
from tests.cli.test_commands import Steppe, done, parsed, steppe
from tests.vpn_accounts.scene import furnish, make_gateway, make_group

__all__ = ["steppe"]

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def gateway(steppe: Steppe, installation: Installation) -> None:
    with transaction(installation.sessions) as session:
        furnish(session)


def create(steppe: Steppe, number: int = 1, *more: str) -> str:
    person = ("--username", f"wang{number}", "--name", f"王芳{number}", "--number", f"E{number}")
    return done(steppe("vpn", "create", "--department", "environment", *person, *more)).split()[1]


def opened(path: Path) -> list[str]:
    with pyzipper.AESZipFile(io.BytesIO(path.read_bytes())) as archive:
        archive.setpassword(PASSPHRASE.encode())
        return archive.read("vpn-accounts.csv").decode("utf-8-sig").splitlines()


def test_an_account_is_asked_for_shown_listed_and_revoked(steppe: Steppe) -> None:
    made = create(steppe, 1, "--phone", "0471-1234567", "--max-sessions", "2")
    shown = parsed(steppe("vpn", "show", made, "--json"))
    assert shown["person"] == {"name": "王芳1", "number": "E1", "phone": "0471-1234567"}
    assert (shown["max_sessions"], shown["issued_at"]) == (2, None)
    assert [row["username"] for row in parsed(steppe("vpn", "list", "--json"))] == ["wang1"]
    assert done(steppe("vpn", "delete", made)).strip() == "deleting"


def test_passwords_are_handed_out_once_into_a_file_that_is_new(steppe: Steppe, tmp_path: Path) -> None:
    create(steppe, 1), create(steppe, 2)
    file = tmp_path / "out.zip"
    words = ("vpn", "hand-out", "--department", "environment", "--file", str(file), "--passphrase", PASSPHRASE)
    assert done(steppe(*words)).startswith("2 passwords")
    assert [line.split(",")[2] for line in opened(file)[1:]] == ["wang1", "wang2"]
    refused = steppe(*words)
    assert refused.exit_code == 3 and "not_now" in refused.stderr


def test_a_passphrase_that_is_short_is_wrong_words(steppe: Steppe, tmp_path: Path) -> None:
    create(steppe)
    words = ("--department", "environment", "--file", str(tmp_path / "x"), "--passphrase", "short")
    assert steppe("vpn", "hand-out", *words).exit_code == 2
    assert not (tmp_path / "x").exists()


def test_accounts_are_suspended_resumed_extended_and_revoked_together(steppe: Steppe) -> None:
    first = create(steppe, 1)
    create(steppe, 2)
    of = ("--department", "environment")
    assert done(steppe("vpn", "suspend", *of)).strip() == "suspend: 2 accounts"
    assert done(steppe("vpn", "resume", *of, first)).strip() == "resume: 1 accounts"
    assert done(steppe("vpn", "extend", *of, "--until", "2030-01-01")).strip() == "extend: 2 accounts"
    assert done(steppe("vpn", "revoke", *of)).strip() == "revoke: 2 accounts"


def test_a_group_is_opened_listed_and_closed(steppe: Steppe) -> None:
    place = ("vpn-1", "--department", "environment", "--system", "monitoring", "--prefix", "28")
    made = done(steppe("vpn", "open-group", *place, "--network", "10.1.0.8/32")).split()
    assert made[:2] == ["environment_monitoring", "10.96.2.0/28"]
    names = [row["name"] for row in parsed(steppe("vpn", "groups", "--json"))]
    assert names == ["environment", "environment_monitoring", "finance"]
    assert done(steppe("vpn", "close-group", made[2])).strip() == "closed"


def test_who_needs_a_second_factor_is_handed_its_secret_which_radius_alone_can_open(
    steppe: Steppe, installation: Installation, tmp_path: Path
) -> None:
    group: Any = next(row for row in parsed(steppe("vpn", "groups", "--json")) if row["name"] == "environment")
    done(steppe("vpn", "close-group", group["id"]))
    done(steppe("vpn", "open-group", "vpn-1", "--department", "environment", "--second-factor"))
    create(steppe)
    for form in ("csv", "pdf"):
        words = ("--department", "environment", "--file", str(tmp_path / form), "--passphrase", PASSPHRASE)
        ids = [] if form == "csv" else [row["id"] for row in parsed(steppe("vpn", "list", "--json"))]
        done(steppe("vpn", "hand-out", *words, "--form", form, *ids))
    secret = opened(tmp_path / "csv")[1].split(",")[-1]
    assert len(secret) == 32
    ring = done(steppe("vpn", "radius-keys")).splitlines()
    with installation.sessions() as session:
        account = session.query(VpnAccount).one()
        radius = keys(installation.settings).radius
        assert account.totp_secret and list(radius.ring) == ring
        assert radius._opener().decrypt(account.totp_secret.encode()).decode() != secret, "the second file has another"
    assert json.dumps(ring).find(secret) < 0


def test_what_is_sealed_of_accounts_is_sealed_anew_with_all_else(steppe: Steppe, installation: Installation) -> None:
    create(steppe)
    with installation.sessions() as session:
        before = session.query(VpnAccount.person).scalar()
    assert "1 VPN accounts" in done(steppe("user", "reseal"))
    with installation.sessions() as session:
        assert session.query(VpnAccount.person).scalar() != before


def test_accounts_are_moved_to_another_gateway(steppe: Steppe, installation: Installation) -> None:
    create(steppe, 1), create(steppe, 2)
    with transaction(installation.sessions) as session:
        make_gateway(session, "vpn-2")
        make_group(session, gateway="vpn-2")
    with transaction(installation.sessions) as session:
        session.execute(text("UPDATE resources SET state = 'running'"))
    words = ("vpn", "move", "--department", "environment", "--to-gateway", "vpn-2")
    assert done(steppe(*words)).strip() == "move: 2 accounts"
    assert {row["gateway"] for row in parsed(steppe("vpn", "list", "--json"))} == {"vpn-2"}
