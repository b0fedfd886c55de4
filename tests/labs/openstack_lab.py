"""The OpenStack lab: real services of one OpenStack release, asked as Steppe asks them.

Run by `make lab-openstack`, beside the cloud that tests.labs.openstack brings up. What it proves, and what it needs, is
in docs/labs.md. STEPPE_LAB_STORIES names those that are to be told, separated by commas; without it all are.
"""

import json
import os
import sys
from pathlib import Path

from tests.labs.openstack_control import processes
from tests.labs.openstack_stories import IN_ORDER
from tests.labs.openstack_story import Lab
from tests.labs.report import Report


def main() -> int:
    """Run every story; return the exit status."""
    folder = Path(os.environ["STEPPE_LAB_OPENSTACK"])
    report = Report("openstack lab")
    lab = Lab(
        report,
        json.loads(os.environ["STEPPE_TEST_OPENSTACK"]),
        processes(),
        folder,
        real=os.environ.get("STEPPE_LAB_COMPUTE") == "libvirt",
    )
    for phase, seconds in json.loads((folder / "seconds.json").read_text()).items():
        report.figure(phase, f"{seconds} s")
    chosen = os.environ.get("STEPPE_LAB_STORIES")
    for story in IN_ORDER:
        if chosen and story.__name__ not in chosen.split(","):
            continue
        try:
            story(lab)
        except Exception as error:
            report.failed += 1
            print(f"FAILED  {story.__name__} broke off: {type(error).__name__}: {error}", flush=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
