"""Runs a command beside a real OpenStack: python -m tests.labs.openstack COMMAND...

Installs what is missing, brings the cloud up in a namespace of its own, runs the command in there with
STEPPE_TEST_OPENSTACK (how Steppe signs in, as JSON) and STEPPE_LAB_OPENSTACK (the lab's folder) set, takes all down and
ends with the command's status. docs/labs.md tells more.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.labs import leftovers
from tests.labs.openstack_daemons import MOST_HOSTS
from tests.labs.openstack_namespace import run_inside
from tests.labs.openstack_prepared import CACHE, prepare
from tests.labs.waiting import until

COMPUTE = os.environ.get("STEPPE_LAB_COMPUTE", "fake")
HOSTS = int(os.environ.get("STEPPE_LAB_HOSTS", "1"))


def main() -> int:
    """Return the command's status, or another than 0 where the cloud did not come up."""
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    if not 1 <= HOSTS <= (MOST_HOSTS if COMPUTE == "fake" else 1):
        print(f"{COMPUTE} hosts: {HOSTS} cannot be had (docs/labs.md)", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="steppe-openstack-", dir="/tmp"))
    # MariaDB, and PostgreSQL of a Steppe beside it, run as users of their own.
    folder.chmod(0o755)
    began = time.monotonic()
    keep_at = prepare(folder, COMPUTE)
    guest = _guest(folder) if COMPUTE == "libvirt" else ""
    seconds = {"packages, settings and guest": round(time.monotonic() - began, 1)}
    (folder / "seconds.json").write_text(json.dumps(seconds))
    program = (sys.executable, "-m", "tests.labs.openstack_site")
    status = run_inside(folder, (*program, str(folder), guest, str(HOSTS), str(keep_at or ""), *command))
    until("every process of the lab has ended", lambda: not leftovers.processes(folder), 15)
    if status:
        print(f"what the lab left behind to look at: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return status


def _guest(folder: Path) -> str:
    script = Path(__file__).with_name("openstack_guest.sh")
    with (folder / "guest.log").open("wb") as log:
        built = subprocess.run((script, CACHE), stdout=subprocess.PIPE, stderr=log, text=True, check=True, timeout=600)
    return built.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
