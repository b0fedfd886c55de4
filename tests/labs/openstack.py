"""Runs a command beside a real OpenStack: python -m tests.labs.openstack COMMAND...

Installs what is missing, brings the cloud up in a namespace of its own, runs the command in there with
STEPPE_TEST_OPENSTACK (how Steppe signs in, as JSON) and STEPPE_LAB_OPENSTACK (the lab's folder) set, takes all down and
ends with the command's status. docs/labs.md tells more.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.labs.openstack_namespace import run_inside
from tests.labs.openstack_prepared import prepare

COMPUTE = os.environ.get("STEPPE_LAB_COMPUTE", "fake")
HOSTS = int(os.environ.get("STEPPE_LAB_HOSTS", "1"))


def main() -> int:
    """Return the command's status, or another than 0 where the cloud did not come up."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="steppe-openstack-", dir="/tmp"))
    folder.chmod(0o755)
    keep_at = prepare(folder, COMPUTE)
    program = (sys.executable, "-m", "tests.labs.openstack_site")
    site = (*program, str(folder), "", str(HOSTS), str(keep_at or ""), *command)
    status = run_inside(folder, site)
    if status:
        print(f"what the lab left behind to look at: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
