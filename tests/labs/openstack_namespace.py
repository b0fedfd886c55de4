"""One private namespace in which a whole cloud lives, and whatever speaks to it.

Daemons and tests reach each other over its loopback, nothing of it is reachable from outside, and it ends with its
first process: one kill ends every daemon and every guest, also when the lab itself was killed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HOST = "compute1"
# Where the lab's folder is seen in there, whatever its name outside: settings and databases name it.
PLACE = Path("/run/steppe-openstack")
FLAT_LINK, FLAT_FAR_END = "phy0", "phy0x"

_UNSHARE = ("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
_WIRE = f"""
    mkdir -p {PLACE}
    mount --bind "$1" {PLACE}
    mount -t sysfs sysfs /sys
    mkdir -p /run/netns
    mount -t tmpfs tmpfs /run/netns
    mount --make-shared /run/netns
    hostname {HOST}
    ip link set lo up
    ip link add {FLAT_LINK} type veth peer name {FLAT_FAR_END}
    ip link set {FLAT_LINK} up
    ip link set {FLAT_FAR_END} up
    # What VXLAN tunnels end on; they need a link that can multicast.
    ip link add under0 type bridge
    ip addr add 10.99.0.1/24 dev under0
    ip link set under0 up
    sysctl -qw net.ipv4.ip_forward=1
    cp /etc/hosts "$1/hosts"
    for number in 1 2 3 4 5 6 7 8 9; do echo "127.0.0.1 compute$number" >>"$1/hosts"; done
    mount --bind "$1/hosts" /etc/hosts
    # Another ebtables, in here alone: see openstack_ebtables.sh.
    cp -a /etc/alternatives "$1/alternatives"
    ln -sf "$2" "$1/alternatives/ebtables"
    mount --bind "$1/alternatives" /etc/alternatives
    # libvirtd keeps what it has under folders whose names are built in.
    for place in /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run/libvirt /etc/libvirt/qemu; do
        mkdir -p "$place" "$1/libvirt$place"
        mount --bind "$1/libvirt$place" "$place"
    done
    # It would look for control groups where this namespace has mounted a /sys of its own over them.
    echo 'cgroup_controllers = []' >"$1/qemu.conf"
    mount --bind "$1/qemu.conf" /etc/libvirt/qemu.conf
"""


def run_inside(folder: Path, command: Sequence[str]) -> int:
    """Run `command` in a namespace of its own and return its status. SIGTERM ends the command first, then the rest."""
    first = (sys.executable, "-m", __name__, str(folder), *command)
    holder = subprocess.Popen(("setpriv", "--pdeathsig", "KILL", "--", *_UNSHARE, *first))
    # `unshare --fork` takes no notice of SIGTERM; its only child does.
    signal.signal(signal.SIGTERM, lambda *_: _tell_child_of(holder.pid))
    signal.signal(signal.SIGINT, _leave_it_to_the_command)
    return holder.wait()


def _tell_child_of(pid: int) -> None:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)


def main() -> int:
    """Be the first process of the namespace: lay the wire, run the command, and bury whoever dies meanwhile."""
    folder, *command = sys.argv[1:]
    wrapper = Path(__file__).with_name("openstack_ebtables.sh")
    subprocess.run(("sh", "-euc", _WIRE, "wire", folder, str(wrapper)), check=True)
    signal.signal(signal.SIGINT, _leave_it_to_the_command)
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status)


def _leave_it_to_the_command(*_: object) -> None:
    """A terminal interrupts all of its processes; unlike a signal that is ignored, this is not handed on to them."""


if __name__ == "__main__":
    sys.exit(main())
