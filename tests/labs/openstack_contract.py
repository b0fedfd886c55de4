"""What every driver owes the control plane, owed by the one of OpenStack to real services."""

import re
import subprocess
import sys

from tests.cli.processes import ROOT
from tests.labs.openstack_story import Lab

_SECONDS = 3600
_PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", "-k", "openstack")
_OF = ("contract", "data_disks", "adoption", "snapshots")
_SUITE = tuple(f"tests/drivers/test_{part}.py" for part in _OF)


def the_contract_is_kept(lab: Lab) -> None:
    """The suite that the simulated pools pass as well; each test begins with an empty region."""
    with lab.report.check("the contract suite of all drivers passes"):
        command = (*_PYTEST, *_SUITE)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS)
        (lab.folder / "contract.log").write_text(done.stdout + done.stderr)
        told = re.findall(r"^.*\b(?:passed|failed)\b.*$", done.stdout, re.MULTILINE)
        lab.report.figure("contract suite", told[-1].strip("= ") if told else "said nothing")
        assert done.returncode == 0, re.findall(r"^FAILED.*$", done.stdout, re.MULTILINE)
