"""Where the VPN lab is: a gateway with its RADIUS server in one namespace, people and departments' servers in others.

FreeRADIUS and ocserv are set up by the templates of their roles. Nothing that is sent leaves these namespaces; the
database is asked by its socket, which is a file.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from provisioners.ocserv_driver import OcservDriver, connect
from tests import roles
from tests.cli.processes import until
from tests.namespaces import Namespaces, inside, ip, processes
from tests.tunnels import Way, pin
from tests.vpn.gateways import SECRET, Gateway
from tests.vpn.radius_server import Radius, login, running, variables, write_settings

GATEWAY = "vpn-1"
CLIENTS = "10.129.0.0/16"
NETWORKS = {"environment": "10.50.1.0/24", "finance": "10.50.2.0/24"}
SERVERS = {"environment": "10.50.1.10", "finance": "10.50.2.10"}
MARK = f"sl{os.getpid()}"
"""What the names of all namespaces begin with."""
PLACES = ("home", "cafe", "crowd")
"""Where people come in from. In the crowd are many at once, whose tunnels lead nowhere."""
_PORTS = (1812, 1813)


class Site:
    """All of it under `folder`, on the database at `url`. A context manager; `close` leaves nothing, after whatever."""

    def __init__(self, folder: Path, url: str, **radius: Any) -> None:
        self.folder = folder
        # The folder of the socket by which ocserv's workers, who are nobody, ask who is let in.
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        self._made = Namespaces(MARK)
        self._daemon: subprocess.Popen[bytes] | None = None
        self._asked = ExitStack()
        try:
            self._build(url, radius)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.close()

    def _build(self, url: str, radius: dict[str, Any]) -> None:
        self.namespace = self._made.add("gw")
        for number, (department, server) in enumerate(SERVERS.items()):
            there, gateway = self._made.add(department), f"{server.rpartition('.')[0]}.1"
            self._made.wire(there, self.namespace, f"s{number}", (f"{server}/24",), (f"{gateway}/24",))
            ip("-n", there, "route", "add", "default", "via", gateway)
        for number, place in enumerate(PLACES):
            own = (f"10.99.{number}.2/24",)
            self._made.wire(self._made.add(place), self.namespace, f"c{number}", own, (f"10.99.{number}.1/24",))
        self.radius = Radius(self.folder / "radius", _PORTS, tuple(inside(self.namespace)))
        login(url)
        write_settings(self.radius.folder, {**variables(url, self.radius.folder, _PORTS, ""), **radius})
        self._set_up()
        self.start_radius()
        self.start()

    def _set_up(self) -> None:
        """Do what the gateway's role does."""
        etc = self.folder / "etc"
        (etc / "groups").mkdir(parents=True)
        given = {
            "inventory_hostname": GATEWAY,
            "ocserv_name": GATEWAY,
            "ocserv_radius_secret": SECRET,
            "ocserv_folder": str(etc),
            "ocserv_run_folder": str(self.folder),
            "ocserv_occtl_socket": f"{self.folder}/occtl.socket",
            "ocserv_renewal": [],
            "ocserv_allowed": [],
        }
        roles.write("ocserv", etc, roles.variables("ocserv", given))
        renewal = roles.ROLES / "ocserv/files/renew_certificate.sh"
        made = [str(renewal), str(etc), "10.99.0.1", "30", "10", f"{self.folder}/occtl.socket"]
        subprocess.run(["sh", *made], check=True, capture_output=True)
        self.run("nft", "-f", str(etc / "forward.nft"))
        self.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")

    def connection(self) -> dict[str, Any]:
        """Return how a pool reaches the gateway."""
        return {
            "host": self.namespace,
            "connection": "netns",
            "clients": CLIENTS,
            "python": sys.executable,
            "groups_folder": f"{self.folder}/etc/groups",
            "nft_file": f"{self.folder}/etc/forward.nft",
            "occtl_socket": f"{self.folder}/occtl.socket",
        }

    def driver(self) -> OcservDriver:
        """Return a driver of the gateway that is nobody else's."""
        return connect(self.connection(), self.folder / "driver")

    def start(self) -> None:
        """Have the gateway run."""
        with (self.folder / "ocserv.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                inside(self.namespace, "ocserv", "-f", "-c", f"{self.folder}/etc/ocserv.conf"),
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(self._answers, "the gateway to answer", 20)

    def stop(self) -> None:
        """Let the gateway end as an administrator would, which tells RADIUS of each tunnel's end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let the gateway die without a word."""
        self._end(signal.SIGKILL)

    def _end(self, how: int) -> None:
        if self._daemon:
            self._daemon.send_signal(how)
            self._daemon.wait(20)
            self._daemon = None

    def start_radius(self) -> None:
        self._asked.enter_context(running(self.radius))

    def stop_radius(self) -> None:
        self._asked.close()

    def packets(self, code: str = GATEWAY, patience: float = 5) -> Gateway:
        """Return a gateway that is nothing but its packets."""
        return Gateway(code, _PORTS, patience, self.radius.inside)

    def way(self, place: str) -> Way:
        """Return the way in from one of PLACES."""
        gateway = f"10.99.{PLACES.index(place)}.1"
        said = self.folder / "clients"
        said.mkdir(exist_ok=True)
        return Way(self.at(place), gateway, pin(self.folder / "etc/certificate.pem"), said)

    def at(self, place: str) -> str:
        """Return the namespace of one of PLACES, or of a department's server."""
        return self._made.mark + place

    def run(self, *command: str) -> str:
        """Return what a command prints at the gateway."""
        return subprocess.run(inside(self.namespace, *command), check=True, capture_output=True, text=True).stdout

    @contextmanager
    def serving(self, place: str, command: tuple[str, ...], at: Path) -> Iterator[None]:
        """Have a command run in a department's network or another place for the time of the block."""
        process = subprocess.Popen(inside(self.at(place), *command), cwd=at)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def up(self) -> list[str]:
        """Return whose tunnels are up at the gateway, by its own tool."""
        return sorted(tunnel.username for tunnel in self.driver().tunnels())

    def logs(self) -> list[Path]:
        """Return every file that something here has written about what it did."""
        return [self.folder / "ocserv.log", *(self.radius.folder / "logs").iterdir(), *self.folder.glob("clients/*")]

    def close(self) -> None:
        """End all that was started and remove every namespace."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self.stop()
        with suppress(OSError, subprocess.TimeoutExpired):
            self.stop_radius()
        self._made.close()

    def left(self) -> list[str]:
        """Return what is left of it."""
        return self._made.names()

    def _answers(self) -> bool:
        return bool(processes(self.namespace)) and (self.folder / "occtl.socket").exists() and self._tells()

    def _tells(self) -> bool:
        tool = inside(self.namespace, "occtl", "-s", f"{self.folder}/occtl.socket", "show", "status")
        return subprocess.run(tool, capture_output=True, check=False).returncode == 0
