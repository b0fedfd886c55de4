"""Gateways for the contract suite: the fake one and a real ocserv, which its own role has set up in a namespace.

A gateway here is a driver, and what only the world can do to it: users who come in, a gateway that falls silent.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from provisioners.contract import GatewayDriver, Tunnel, TunnelGroup, Unreachable
from provisioners.fake_gateway import FakeGateway
from provisioners.registry import connect
from tests.namespaces import Namespaces, inside, ip
from tests.tunnels import Client, Way, pin, reaches

ROOT = Path(__file__).parents[2]

FINANCE = TunnelGroup("finance", "10.129.0.0/24", ("10.50.1.0/24", "10.50.3.7/32"), 28800, 1800, 10000, 8000)
HEALTH = TunnelGroup("health", "10.130.0.0/24", ("10.50.2.0/24",), 3600, 600)
USERS: Mapping[str, str] = {"zhang": "finance", "wang": "finance", "li": "health", "nobody": "unheard-of"}
FINANCE_SERVER, HEALTH_SERVER = "10.50.1.10", "10.50.2.10"
_NEEDED = ("ocserv", "occtl", "ocpasswd", "openconnect", "nft", "ip", "ping", "openssl")
_SECONDS = 10.0


class Lab(Protocol):
    """A gateway under test."""

    driver: GatewayDriver

    def come_in(self, username: str) -> None:
        """Let a user of `USERS` come in, and return once the tunnel is up."""

    def fall_silent(self) -> None:
        """Let the gateway answer no call any more."""

    def reset(self) -> None:
        """End all sessions and let the gateway answer."""

    def leftovers(self) -> list[Path]:
        """Return the files that calls have left behind."""

    def close(self) -> None:
        """End whatever was started for the gateway."""


class FakeLab:
    def __init__(self) -> None:
        driver = connect("fake_gateway", {"gateway": "vpn"}, Path(tempfile.gettempdir()) / "no-such-folder")
        assert isinstance(driver, FakeGateway)
        self.driver: FakeGateway = driver

    def come_in(self, username: str) -> None:
        address = {"finance": "10.129.0.", "health": "10.130.0."}[USERS[username]] + str(len(self.driver.tunnels()) + 2)
        self.driver.put(Tunnel(username, USERS[username], f"id-{username}", time.time(), "10.99.0.2", address))

    def fall_silent(self) -> None:
        for step in ("groups", "set_groups", "tunnels", "disconnect"):
            self.driver.fail_next(step, Unreachable("silence"))

    def reset(self) -> None:
        self.driver.disconnect([tunnel.session for tunnel in self.driver.tunnels()])

    def leftovers(self) -> list[Path]:
        return []

    def close(self) -> None:
        """There is nothing that would stay."""


class OcservLab:
    """clients, each in a namespace of its own --- the gateway's --- one with both departments' servers."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="steppe-vpn-"))
        # The folder of the socket by which workers, who are nobody, ask who is let in.
        self.folder.chmod(0o711)
        self._made = Namespaces(f"sv{os.getpid()}")
        self._daemon: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Client] = {}
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        self.gateway, self._servers = self._made.add("gw"), self._made.add("srv")
        theirs = (f"{FINANCE_SERVER}/24", f"{HEALTH_SERVER}/24")
        self._made.wire(self._servers, self.gateway, "s", theirs, ("10.50.1.1/24", "10.50.2.1/24"))
        ip("-n", self._servers, "route", "add", "default", "via", "10.50.1.1")
        for number, user in enumerate(USERS):
            own = (f"10.99.{number}.2/24",)
            self._made.wire(self._made.add(user), self.gateway, f"c{number}", own, (f"10.99.{number}.1/24",))
        for user, group in USERS.items():
            password = ["ocpasswd", "-c", self.folder / "passwd", "-g", group, user]
            subprocess.run(password, input=b"secret\nsecret\n", check=True, capture_output=True)
        self.set_up()
        self.driver = self.reopen()
        self.start()

    def connection(self) -> dict[str, Any]:
        return {
            "host": self.gateway,
            "connection": "netns",
            "python": sys.executable,
            "groups_folder": str(self.folder / "etc/groups"),
            "nft_file": str(self.folder / "etc/forward.nft"),
            "occtl_socket": str(self.folder / "occtl.socket"),
        }

    def reopen(self, **changes: object) -> GatewayDriver:
        """Return a new driver of the same gateway, its connection otherwise changed."""
        driver = connect("ocserv", self.connection() | changes, self.folder / "state")
        assert isinstance(driver, GatewayDriver)
        return driver

    def set_up(self) -> str:
        """Run the gateway's own role on it, and return what Ansible printed of it."""
        given = {
            "ocserv_packages": [],
            "ocserv_service": False,
            "ocserv_auth": f"plain[passwd={self.folder}/passwd]",
            "ocserv_acct": "",
            "ocserv_host_name": "10.99.0.1",
            "ocserv_folder": f"{self.folder}/etc",
            "ocserv_run_folder": str(self.folder),
            "ocserv_occtl_socket": f"{self.folder}/occtl.socket",
            "ansible_connection": "netns",
            "ansible_python_interpreter": sys.executable,
        }
        play = self.folder / "play.json"
        play.write_text(f'[{{"hosts": "all", "gather_facts": false, "roles": ["{ROOT}/playbooks/roles/ocserv"]}}]')
        variables = self.folder / "given.json"
        variables.write_text(json.dumps(given))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", f"{self.gateway},", str(play)]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "playbooks/ansible.cfg"),
            "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "playbooks/connection_plugins"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
        }
        run = [*command, "--extra-vars", f"@{variables}"]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        command = [*inside(self.gateway), "ocserv", "-f", "-c", f"{self.folder}/etc/ocserv.conf"]
        with (self.folder / "ocserv.log").open("ab") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        _until(lambda: _answers(self.driver))

    def come_in(self, username: str) -> None:
        gateway = f"10.99.{list(USERS).index(username)}.1"
        way = Way(self._made.mark + username, gateway, pin(self.folder / "etc/certificate.pem"), self.folder)
        client = self._clients[username] = way.client(username, "secret")
        assert client.is_in(), client.said()

    def reaches(self, username: str, address: str, source: str | None = None) -> bool:
        """Tell whether an address answers a user who sends everything for it into the tunnel, as `source` if given."""
        return reaches(self._made.mark + username, address, source)

    def gives_up(self, username: str) -> bool:
        """Tell whether a user's client ends by itself, and soon."""
        return self._clients[username].gives_up()

    def firewall(self, *arguments: str) -> None:
        """Change the gateway's firewall behind everybody's back."""
        subprocess.run([*inside(self.gateway), "nft", *arguments], check=True, capture_output=True)

    def restore_firewall(self) -> None:
        """Do what the gateway does at boot."""
        self.firewall("-f", f"{self.folder}/etc/forward.nft")

    def fall_silent(self) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)
        self.driver = self.reopen(command_seconds=0.3)

    def stop(self) -> None:
        """Let ocserv end, and its sessions with it."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGCONT)
            self._daemon.terminate()
            self._daemon.wait(_SECONDS)
            self._daemon = None

    def reset(self) -> None:
        self.driver = self.reopen()
        if self._daemon is None:
            self.start()
        else:
            self._daemon.send_signal(signal.SIGCONT)
        for client in self._clients.values():
            client.leave()
        _until(lambda: not self.driver.tunnels())

    def leftovers(self) -> list[Path]:
        return [path for path in (self.folder / "state").rglob("*") if path.name != "gateway-runs"]

    def close(self) -> None:
        """End all that was started and remove every namespace, whatever came before."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self.stop()
        self._made.close()
        shutil.rmtree(self.folder)


LABS: Mapping[str, Callable[[], Lab]] = {"fake": FakeLab, "ocserv": OcservLab}


def why_not() -> str | None:
    """Return why a real gateway cannot be tried here, None where it can."""
    missing = [tool for tool in _NEEDED if shutil.which(tool) is None]
    if missing:
        return f"there is no {', '.join(missing)}; run `make setup`"
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    if tried.returncode or not Path("/dev/net/tun").exists():
        return f"this machine makes no network namespaces or tunnels {tried.stderr.strip()}"
    return None


def _answers(driver: GatewayDriver) -> bool:
    with suppress(Unreachable):
        driver.tunnels()
        return True
    return False


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)
