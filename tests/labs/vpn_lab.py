"""The VPN lab: Steppe, a real FreeRADIUS, a real ocserv and real clients, each told apart by its namespace.

Run by `make lab-vpn`. What it proves, and what it needs, is in docs/labs.md. STEPPE_LAB_STORIES names those that are to
be told, separated by commas; without it all are.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.drivers.gateway_makers import why_not
from tests.labs import leftovers
from tests.labs.report import Report
from tests.labs.vpn_site import MARK
from tests.labs.vpn_steppe import start
from tests.labs.vpn_stories import IN_ORDER
from tests.labs.vpn_story import Lab
from tests.labs.waiting import until
from tests.namespaces import Namespaces
from tests.vpn.radius_server import FREERADIUS

PORT = int(os.environ.get("STEPPE_LAB_PORT", "8140"))


def main() -> int:
    """Run every story; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report("vpn lab")
    reason = why_not() or (None if FREERADIUS else "there is no FreeRADIUS; run `make setup`")
    if reason:
        print(f"the lab cannot be here: {reason}")
        return report.end()
    folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    # The embedded database runs as a user of its own where we are root.
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            began = time.monotonic()
            lab = start(stack, report, folder, PORT)
            report.figure("all of it up after", f"{time.monotonic() - began:.1f} s")
            _tell(lab, report)
    except Exception as error:
        report.failed += 1
        print(f"FAILED  the lab itself: {type(error).__name__}: {error}", flush=True)
    with report.check("nothing that the lab started is left"):
        until("every process of the lab has ended", lambda: not leftovers.processes(folder), 15)
        assert Namespaces(MARK).names() == []
    if report.failed:
        print(f"what it left behind to look at: {folder}")
    else:
        shutil.rmtree(folder)
    return report.end()


def _tell(lab: Lab, report: Report) -> None:
    chosen = os.environ.get("STEPPE_LAB_STORIES")
    for story in IN_ORDER:
        if chosen and story.__name__ not in chosen.split(","):
            continue
        began = time.monotonic()
        try:
            story(lab)
        except Exception as error:
            report.failed += 1
            print(f"FAILED  {story.__name__} broke off: {type(error).__name__}: {error}", flush=True)
        report.figure(f"story {story.__name__}", f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
