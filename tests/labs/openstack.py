"""Runs a command beside a real OpenStack: python -m tests.labs.openstack COMMAND...

Installs what is missing, brings the cloud up in a namespace of its own, runs the command in there with
STEPPE_TEST_OPENSTACK (how Steppe signs in, as JSON) and STEPPE_LAB_OPENSTACK (the lab's folder) set, takes all down and
ends with the command's status. docs/labs.md tells more.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.labs.openstack_namespace import run_inside

ROOT = Path(__file__).parents[2]
COMPUTE = os.environ.get("STEPPE_LAB_COMPUTE", "fake")
HOSTS = int(os.environ.get("STEPPE_LAB_HOSTS", "1"))
CACHE = Path(os.environ.get("STEPPE_LAB_CACHE", "/var/cache/steppe-lab"))


def main() -> int:
    """Return the command's status, or another than 0 where the cloud did not come up."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="steppe-openstack-", dir="/tmp"))
    folder.chmod(0o755)
    prepare(folder)
    site = (sys.executable, "-m", "tests.labs.openstack_site", str(folder), "", str(HOSTS), *command)
    status = run_inside(folder, site)
    if status:
        print(f"what the lab left behind to look at: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return status


def prepare(folder: Path) -> None:
    """Install the packages and write the settings. Raises RuntimeError with the log's name where it fails."""
    playbook = Path(sys.executable).with_name("ansible-playbook")
    log = folder / "playbook.log"
    with log.open("wb") as output:
        done = subprocess.run(
            (
                *(playbook, "-i", "localhost,", ROOT / "playbooks" / "lab_openstack.yml"),
                *("-e", f"lab_folder={folder}", "-e", f"lab_compute={COMPUTE}"),
                *("-e", "ansible_python_interpreter=/usr/bin/python3"),
            ),
            stdout=output,
            stderr=output,
            check=False,
            timeout=1800,
        )
    if done.returncode:
        raise RuntimeError(f"the playbook failed; see {log}")


if __name__ == "__main__":
    sys.exit(main())
