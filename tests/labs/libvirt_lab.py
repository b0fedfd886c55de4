"""The libvirt lab: Steppe builds real guests on two real hypervisors, and the guests themselves are asked how it went.

Run by `make lab-libvirt`. What it proves, and what it needs, is in docs/labs.md.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.labs import leftovers, probing
from tests.labs import libvirt_stories as stories
from tests.labs.centre import set_up
from tests.labs.guests import Key
from tests.labs.hypervisors import Site
from tests.labs.report import Report
from tests.labs.steppe_process import Steppe
from tests.labs.story import Lab
from tests.labs.waiting import until

CACHE = Path(os.environ.get("STEPPE_LAB_CACHE", "/var/cache/steppe-lab"))
PORT = int(os.environ.get("STEPPE_LAB_PORT", "8120"))


def main() -> int:
    """Run every story; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report("libvirt lab")
    folder = Path(tempfile.mkdtemp(prefix="steppe-lab-", dir="/tmp"))
    # The embedded database runs as a user of its own where we are root.
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            lab = _start(stack, report, folder)
            for story in stories.IN_ORDER:
                story(lab)
    except Exception as error:
        report.failed += 1
        print(f"FAILED  the lab itself: {type(error).__name__}: {error}", flush=True)
    with report.check("nothing that the lab started is left"):
        until("every process of the lab has ended", lambda: not leftovers.processes(folder), 15)
    if report.failed:
        print(f"what it left behind to look at: {folder}")
    else:
        shutil.rmtree(folder)
    return report.end()


def _start(stack: ExitStack, report: Report, folder: Path) -> Lab:
    began = time.monotonic()
    script = Path(__file__).with_name("guest_image.sh")
    with (folder / "image.log").open("wb") as log:
        built = subprocess.run([script, CACHE], stdout=subprocess.PIPE, stderr=log, text=True, check=True, timeout=1800)
    image = Path(built.stdout.split()[-1])
    report.figure("guest image there after", f"{time.monotonic() - began:.1f} s, {image.stat().st_size >> 20} MiB")
    kind = probing.virt_type(image, folder / "probe.log")
    report.figure("guests run by", "KVM" if kind == "kvm" else "emulation: a probe guest did not boot under KVM")
    began = time.monotonic()
    site = stack.enter_context(Site(folder, ("hv-1", "hv-2")))
    report.figure("two libvirtd up after", f"{time.monotonic() - began:.1f} s")
    began = time.monotonic()
    steppe = stack.enter_context(Steppe(folder, PORT))
    report.figure("Steppe up after", f"{time.monotonic() - began:.1f} s")
    set_up(steppe, site.hypervisors, image, kind)
    return Lab(report, site, steppe, Key(folder), folder)


if __name__ == "__main__":
    sys.exit(main())
