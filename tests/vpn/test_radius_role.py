"""The Ansible role that sets RADIUS servers up, as Ansible itself runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.accounts import KEYS
from tests.vpn.gateways import SECRET
from tests.vpn.radius_server import PASSWORD, ROLE, variables, write_settings

PORTS = (18120, 18130)
URL = "postgresql://radius@db.example:5433/steppe"
PLAY = [{"hosts": "localhost", "gather_facts": False, "tasks": [
    {"ansible.builtin.import_role": {"name": "radius", "tasks_from": "settings"}}
]}]  # fmt: skip


def run(folder: Path, **other: object) -> "subprocess.CompletedProcess[str]":
    """Have Ansible write the settings into a folder, of a server that it does not start."""
    given = {**variables(URL, folder, PORTS, KEYS.radius.file()), **other, "ansible_python_interpreter": sys.executable}
    play, known = folder.parent / "play.yml", folder.parent / "variables.json"
    play.write_text(json.dumps(PLAY))
    known.write_text(json.dumps(given))
    ansible = Path(sys.executable).with_name("ansible-playbook")
    where = {
        **os.environ,
        "ANSIBLE_ROLES_PATH": str(ROLE.parent),
        "ANSIBLE_HOME": str(folder.parent / "ansible"),
        "ANSIBLE_PIPELINING": "1",
    }
    command = [ansible, "-i", "localhost,", "-c", "local", "-e", f"@{known}", play]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=where)


@pytest.fixture
def folder(freeradius: None, tmp_path: Path) -> Path:
    (tmp_path / "radius" / "logs").mkdir(parents=True)
    return tmp_path / "radius"


def test_it_writes_what_the_tests_run_on_and_tells_no_secret(folder: Path, tmp_path: Path) -> None:
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for secret in (SECRET, PASSWORD, *KEYS.radius.ring):
        assert secret not in done.stdout + done.stderr
    ours = tmp_path / "ours"
    write_settings(ours, variables(URL, folder, PORTS, KEYS.radius.file()))
    assert read(folder) == read(ours)
    assert all(path.stat().st_mode & 0o007 == 0 for path in folder.iterdir() if path.is_file())


def test_it_takes_no_secret_that_would_end_early_and_does_not_tell_it(folder: Path) -> None:
    client = {"name": "one", "gateway": "one", "address": "127.0.0.1", "secret": 'half"way'}
    done = run(folder, radius_clients=[client])
    assert done.returncode != 0
    assert "See that every secret" in done.stdout
    assert "half" not in done.stdout + done.stderr


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
