"""Looking at a guest from the outside, as its department would: by the wire and by SSH with the key of the ask."""

import subprocess
from pathlib import Path

from tests.labs.hypervisors import Site
from tests.labs.waiting import until

BOOT_SECONDS = 600
"""An emulated guest on two busy processors boots within this."""


class Key:
    """A pair of SSH keys, made for this run."""

    def __init__(self, folder: Path) -> None:
        self.private = folder / "guest_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.private)], check=True)
        self.public = self.private.with_suffix(".pub").read_text().strip()


class Guest:
    """The guest at `address`."""

    def __init__(self, site: Site, key: Key, address: str) -> None:
        self._site = site
        self._ssh = [
            *("ssh", "-i", str(key.private), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
            *("-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=15", "-o", "LogLevel=ERROR"),
            f"root@{address}",
        ]
        self._address = address

    def pings(self) -> bool:
        """Tell whether it answers on the wire now."""
        return self._site.run(["ping", "-c1", "-W1", self._address]).returncode == 0

    def says(self, command: str) -> str:
        """Run a command in the guest. Raises RuntimeError."""
        done = self._site.run([*self._ssh, command], 90)
        if done.returncode:
            raise RuntimeError(f"{self._address} {command!r}: {done.stderr.strip()}")
        return done.stdout.strip()

    def comes_up(self, unlike: str = "") -> str:
        """Wait until it can be logged in to, in another boot than `unlike`; return the id of its boot."""

        def boot() -> str:
            try:
                found = self.says("cat /proc/sys/kernel/random/boot_id")
            except (RuntimeError, subprocess.TimeoutExpired):
                return ""
            return "" if found == unlike else found

        until(f"{self._address} answers", self.pings, BOOT_SECONDS)
        return until(f"{self._address} lets its owner in", boot, BOOT_SECONDS, 1)

    def falls_silent(self) -> None:
        """Wait until it no longer answers."""
        until(f"{self._address} is silent", lambda: not self.pings(), 60)
