"""A whole OpenStack on one machine: databases, daemons, catalogue and content, up when a server can be built.

It is to run inside the namespace of openstack_namespace.py, in a folder whose settings the playbook lab_openstack.yml
has written. Run as a program it brings the site up, runs a command beside it, and takes the site down.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.labs import openstack_catalogue as catalogue
from tests.labs import openstack_content as content
from tests.labs import openstack_databases as databases
from tests.labs.openstack_answers import can_build, heard_of
from tests.labs.openstack_daemons import CONTROL, EVERYBODY, PER_HOST
from tests.labs.openstack_prepared import keep
from tests.labs.openstack_processes import Processes
from tests.labs.waiting import until

READY_SECONDS = 300.0
_FOLDERS = ("run", "log", "state/rabbitmq", "state/nova/instances", "state/cinder", "state/neutron", "state/lock")


class Site(Processes):
    """The cloud in `folder`, with `hosts` compute hosts. A context manager: at its end no daemon of it runs.

    `guest` is the folder with what real guests boot; None for hosts that only pretend.
    """

    def __init__(self, folder: Path, guest: Path | None = None, hosts: int = 1, keep_at: Path | None = None) -> None:
        super().__init__(folder)
        self._guest = guest
        self._hosts = hosts
        self._keep_at = keep_at
        self._since = datetime.now(UTC)
        self._told = folder / "seconds.json"
        self.seconds: dict[str, float] = json.loads(self._told.read_text()) if self._told.exists() else {}

    def __enter__(self) -> "Site":
        try:
            with self._phase("nothing → ready for servers"):
                self._come_up()
        except BaseException:
            self.__exit__()
            raise
        finally:
            self._told.write_text(json.dumps(self.seconds))
        return self

    def __exit__(self, *_error: object) -> None:
        for name in self.running():
            self.kill(name)

    def _come_up(self) -> None:
        for name in _FOLDERS:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("memcached", "rabbitmq"):
            self.launch(name)
        if self._keep_at:
            with self._phase("databases filled"):
                self._fill_databases(self._keep_at)
        with self._phase("MariaDB answers"):
            self.launch("mariadb")
            self.answering("mariadb")
        with ThreadPoolExecutor() as pool:
            identity = pool.submit(self._identity)
            others = (self._network, self._compute, self._volumes)
            chains = [identity, *(pool.submit(other, identity) for other in others)]
            for chain in chains:
                chain.result()
        with self._phase("all else being there, hosts and agents are ready"):
            until("all hosts and agents are ready", self._ready, READY_SECONDS, every=0.5)

    def _fill_databases(self, keep_at: Path) -> None:
        """Four chains that know nothing of each other: the commands are slow, and there is more than one processor."""
        databases.lay(self._folder)
        self.launch("mariadb")
        self.answering("mariadb")
        databases.create()
        with ThreadPoolExecutor() as pool:
            chains = [pool.submit(databases.fill, self._folder, name) for name in ("compute", "network", "volume")]
            for chain in [pool.submit(self._fill_identity), *chains]:
                chain.result()
        for name in ("keystone", "mariadb"):
            self.stop(name)
        keep(self._folder, keep_at)

    def _fill_identity(self) -> None:
        databases.fill(self._folder, "identity")
        self.launch("keystone")
        self.answering("keystone")
        catalogue.fill()
        databases.fill(self._folder, "image")
        databases.fill(self._folder, "placement")

    def _identity(self) -> None:
        """What everybody signs in with, and the two services that Nova cannot do without."""
        with self._phase("Keystone, Glance and Placement answer"):
            for name in ("keystone", "placement", "glance-api"):
                self.launch(name)
            for name in ("keystone", "placement", "glance-api"):
                self.answering(name)
        with self._phase("images"):
            content.add_images(self._folder, self._guest)

    def _compute(self, identity: "Future[None]") -> None:
        with self._phase("RabbitMQ answers"):
            self.answering("rabbitmq")
        with self._phase("Nova answers"):
            for name in ("nova-conductor", "nova-scheduler", "nova-api"):
                self.launch(name)
            if self._guest:
                for name in ("virtlogd", "libvirtd", "nova-novncproxy"):
                    self.launch(name)
                    self.answering(name)
            # A compute host that finds no conductor or no Placement tries again much later.
            until("conductor and scheduler were heard of", lambda: heard_of(CONTROL, self._since), READY_SECONDS)
            identity.result()
            self._launch_on_hosts("nova-compute")
            self.answering("nova-api")

    def _network(self, identity: "Future[None]") -> None:
        with self._phase("Neutron answers"):
            self.answering("rabbitmq")
            self.launch("neutron-server")
            self.answering("neutron-server")
        self._launch_on_hosts("neutron-linuxbridge-agent")
        for name in ("neutron-dhcp-agent", "neutron-l3-agent", "neutron-metadata-agent"):
            self.launch(name)
        identity.result()
        with self._phase("networks"):
            content.add_networks()

    def _volumes(self, identity: "Future[None]") -> None:
        self.answering("rabbitmq")
        identity.result()
        with self._phase("Cinder answers"):
            for name in ("cinder-scheduler", "cinder-volume", "cinder-api"):
                self.launch(name)
            self.answering("cinder-api")

    def _launch_on_hosts(self, name: str) -> None:
        self.launch(name)
        for number in range(2, self._hosts + 1):
            self.launch(f"{name}-{number}")

    def _ready(self) -> bool:
        more = [(name, f"compute{number}") for number in range(2, self._hosts + 1) for name in PER_HOST]
        hosts = ["compute1", *(f"compute{number}" for number in range(2, self._hosts + 1))]
        return heard_of((*EVERYBODY, *more), self._since) and can_build(hosts)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 1)


def settings_for_steppe(folder: Path) -> dict[str, str]:
    """Return the environment variables by which a command finds the cloud and the lab's folder."""
    cloud: dict[str, Any] = {"auth": catalogue.STEPPE, "region_name": databases.REGION}
    return {"STEPPE_TEST_OPENSTACK": json.dumps(cloud), "STEPPE_LAB_OPENSTACK": str(folder)}


def main() -> int:
    """Run a command beside a site: FOLDER GUEST HOSTS KEEP-AT COMMAND..., "" for no folder. Return its status."""
    folder, guest, hosts, keep_at, *command = sys.argv[1:]
    with Site(Path(folder), Path(guest) if guest else None, int(hosts), Path(keep_at) if keep_at else None):
        return subprocess.run(command, env=os.environ | settings_for_steppe(Path(folder)), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
