"""Network namespaces that a test or a lab makes for itself, and whatever runs in them: all of it goes with `close`."""

import os
import signal
import subprocess
from contextlib import suppress


def ip(*arguments: str) -> str:
    """Return what a command of iproute2 prints."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def inside(namespace: str, *command: str) -> list[str]:
    """Return a command that runs in a namespace."""
    return ["ip", "netns", "exec", namespace, *command]


def processes(namespace: str) -> list[int]:
    return [int(process) for process in ip("netns", "pids", namespace).split()]


def end(namespace: str, how: int = signal.SIGTERM) -> None:
    """End whatever runs in a namespace."""
    for process in processes(namespace):
        with suppress(ProcessLookupError):
            os.kill(process, how)


class Namespaces:
    """Namespaces of one maker; the names of all of them begin with its `mark`."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def add(self, name: str) -> str:
        """Make a namespace with a loopback, and return its whole name."""
        ip("netns", "add", self.mark + name)
        ip("-n", self.mark + name, "link", "set", "lo", "up")
        return self.mark + name

    def wire(self, one: str, other: str, device: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> None:
        """Lead a wire from `eth0` of one namespace to `device` of the other, with the addresses of both ends."""
        ip("link", "add", "eth0", "netns", one, "type", "veth", "peer", "name", device, "netns", other)
        for side, name, addresses in ((one, "eth0", theirs), (other, device, ours)):
            for address in addresses:
                ip("-n", side, "address", "add", address, "dev", name)
            ip("-n", side, "link", "set", name, "up")

    def names(self) -> list[str]:
        return [line.split()[0] for line in ip("netns", "list").splitlines() if line.startswith(self.mark)]

    def close(self) -> None:
        """Kill what runs in them and remove them."""
        for namespace in self.names():
            end(namespace, signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)
