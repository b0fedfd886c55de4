"""Two real hypervisors on one machine, and the wire between them.

libvirtd keeps everything that it has under three folders whose names are built in. Two of them run side by side because
each sees folders of its own at those names. All of it lives in one network and process namespace: traffic stays there,
and one kill ends every libvirtd and every guest, also when the lab itself was killed.
"""

import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tests.labs.waiting import until

BRIDGE = "steppelab0"
NETWORK = "lab"
CIDR, HOST_ADDRESS = "10.98.0.0/24", "10.98.0.1"

_SETTINGS = {
    "libvirtd.conf": 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n',
    "qemu.conf": textwrap.dedent("""\
        user = "root"
        group = "root"
        dynamic_ownership = 0
        remember_owner = 0
        security_driver = "none"
        cgroup_controllers = []
        namespaces = []
        max_core = 0
        stdio_handler = "file"
    """),
}
_WIRE = f"""
    mount -t sysfs sysfs /sys
    ip link set lo up
    ip link add {BRIDGE} type bridge
    ip addr add {HOST_ADDRESS}/24 dev {BRIDGE}
    ip link set {BRIDGE} up
    touch "$1"
    # As the first process here it must bury orphans: libvirtd waits for those that it probes QEMU with.
    while :; do sleep 600; done
"""
_DAEMON = """
    mount -t tmpfs tmpfs /run
    mkdir /run/libvirt /run/lock
    mount --bind "$1/run" /run/libvirt
    mount --bind "$1/lib" /var/lib/libvirt
    mount --bind "$1/etc" /etc/libvirt
    mount --bind "$1/log" /var/log/libvirt
    mount --bind "$1/cache" /var/cache/libvirt
    rm -f /run/libvirt/libvirtd.pid
    exec libvirtd --pid-file /run/libvirt/libvirtd.pid
"""
_NETWORK_XML = f"<network><name>{NETWORK}</name><forward mode='bridge'/><bridge name='{BRIDGE}'/></network>"
_POOL_XML = "<pool type='dir'><name>default</name><target><path>/var/lib/libvirt/images</path></target></pool>"


class Hypervisor:
    """One libvirtd with its guests. `folder` holds its run, state and configuration folders."""

    def __init__(self, name: str, folder: Path, site: "Site") -> None:
        self.name = name
        self._folder = folder
        self._site = site
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """The address that a client outside the namespaces opens."""
        return f"qemu+unix:///system?socket={self._folder}/run/libvirt-sock"

    def prepare(self) -> None:
        """Lay its folders, start it, and give it the network and the storage pool that pools speak of."""
        for name in ("run", "lib/images", "etc", "log", "cache"):
            (self._folder / name).mkdir(parents=True)
        for name, text in _SETTINGS.items():
            (self._folder / "etc" / name).write_text(text)
        self.start()
        for noun, xml in (("net", _NETWORK_XML), ("pool", _POOL_XML)):
            file = self._folder / f"{noun}.xml"
            file.write_text(xml)
            self.virsh(f"{noun}-define", str(file))
            name = NETWORK if noun == "net" else "default"
            self.virsh(f"{noun}-start", name)
            self.virsh(f"{noun}-autostart", name)

    def start(self) -> None:
        """Start the daemon; guests that run are found again by it."""
        command = ["unshare", "--mount", "sh", "-euc", _DAEMON, "daemon", str(self._folder)]
        with (self._folder / "libvirtd.log").open("ab") as log:
            self._daemon = subprocess.Popen(self._site.inside(command), stdout=log, stderr=log)
        until(f"{self.name} answers", self._answers, 30)

    def kill(self) -> None:
        """End the daemon without a word to anybody. Its guests run on."""
        pid = (self._folder / "run" / "libvirtd.pid").read_text().strip()
        self._site.run(["kill", "-9", pid])
        self.wait()

    def wait(self) -> None:
        """Wait until the daemon has ended."""
        if self._daemon:
            self._daemon.wait(30)

    def virsh(self, *words: str) -> str:
        """Ask libvirt behind Steppe's back."""
        done = subprocess.run(
            ["virsh", "-q", "-c", self.uri, *words], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def domains(self) -> list[str]:
        """Names of all domains, running or not."""
        return self.virsh("list", "--all", "--name").split()

    def footprint(self) -> set[str]:
        """All that a guest could leave behind, as names: domains, volumes, definitions, leases, taps."""
        pools = (self._folder / "lib" / "images", self._folder / "lib" / "qemu", self._folder / "etc" / "qemu")
        files = {str(file.relative_to(self._folder)) for pool in pools for file in pool.rglob("*") if not _own(file)}
        return files | {f"domain {name}" for name in self.domains()} | {f"link {name}" for name in self._site.links()}

    def _answers(self) -> bool:
        if self._daemon and self._daemon.poll() is not None:
            raise RuntimeError(f"libvirtd of {self.name} ended; see {self._folder / 'libvirtd.log'}")
        probe = subprocess.run(["virsh", "-q", "-c", self.uri, "version"], capture_output=True, timeout=30, check=False)
        return probe.returncode == 0


class Site:
    """The namespaces, and `names` hypervisors in them. A context manager: at its end nothing of it runs."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._holder: subprocess.Popen[bytes] | None = None
        self._init = 0
        self.hypervisors = [Hypervisor(name, folder / name, self) for name in names]

    def __enter__(self) -> "Site":
        ready = self._folder / "ready"
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        command = ["setpriv", "--pdeathsig", "KILL", "--", *unshare, "sh", "-euc", _WIRE, "wire", str(ready)]
        self._holder = subprocess.Popen(command)
        try:
            until("the namespaces stand", ready.exists, 10)
            children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
            self._init = int(children.split()[0])
            for hypervisor in self.hypervisors:
                hypervisor.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.wait()
        for hypervisor in self.hypervisors:
            hypervisor.wait()

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return `command` as one that runs in the namespaces."""
        where = shutil.which(command[0]) or command[0]
        return ["nsenter", "-t", str(self._init), "-n", "-m", "-p", "--", where, *command[1:]]

    def run(self, command: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command beside the hypervisors, as an administrator at their console would."""
        return subprocess.run(self.inside(command), capture_output=True, text=True, timeout=seconds, check=False)

    def links(self) -> list[str]:
        """Names of the network links that are no part of the wire itself."""
        lines = self.run(["ip", "-br", "link"]).stdout.splitlines()
        names = [line.split()[0].partition("@")[0] for line in lines]
        return [name for name in names if name not in {"lo", BRIDGE}]


def _own(file: Path) -> bool:
    """What libvirtd keeps for itself, whether or not there was ever a guest."""
    return file.is_dir() or file.name.endswith((".sock", ".lock")) or "autostart" in file.parts
