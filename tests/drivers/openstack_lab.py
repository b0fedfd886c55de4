"""The contract suite's view of a real OpenStack region, where one is up: STEPPE_TEST_OPENSTACK says how to get in."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from provisioners import openstack_floating as floating
from provisioners import openstack_look as look
from provisioners import openstack_ports as ports
from provisioners import openstack_snapshots as snapshots
from provisioners import openstack_volumes as volumes
from provisioners.contract import MachineSpec, Underway
from provisioners.openstack_driver import OpenStackDriver, connect
from provisioners.openstack_link import Document
from tests.drivers.settled import Settled
from tests.labs.openstack_content import EXTERNAL_NETWORK
from tests.labs.waiting import until

_CLEAR_SECONDS = 120.0
WAY_IN = os.environ.get("STEPPE_TEST_OPENSTACK", "")


def connection() -> dict[str, Any]:
    """Return the connection of a pool that is the region which is up."""
    way_in = json.loads(WAY_IN)
    domain = way_in["auth"]["user_domain_name"]
    more = {"region_name": way_in.get("region_name"), "domain": domain, "external_network": EXTERNAL_NETWORK}
    return {**way_in["auth"], **more}


class OpenStackLab:
    simulated = False
    disks_go = True

    def __init__(self, _state_dir: Path) -> None:
        if not WAY_IN:
            pytest.skip("no OpenStack is up here: python -m tests.labs.openstack pytest tests/drivers brings one up")
        self._open()
        self._clear()
        self.keeps_snapshots = self._hypervisor() != "fake"

    def reopen(self) -> None:
        self.driver.close()
        self._open()

    def leave_remains(self, spec: MachineSpec) -> None:
        project = self.inside._catalogue.project(spec.department)
        ports.ensure(self.inside.link, self.inside._catalogue, spec, project)
        with suppress(Underway):
            volumes.ensure(self.inside.link, self.inside._catalogue, spec, project)

    def lose_disk(self, spec: MachineSpec) -> None:
        """Nova tells nobody that a disk is lost but by calling the server an error."""
        [server] = look.carrying(self.inside.link, [spec.id])
        self._tell("POST", f"/servers/{server['id']}/action", {"os-resetState": {"state": "error"}})

    def put_foreign(self, name: str) -> UUID:
        spec = MachineSpec(UUID(int=0), name, "", "", 1, 3, 512, 7, "debian-12")
        body = {
            "name": name,
            "flavorRef": self.inside._catalogue.flavor(3, 512, 7),
            "imageRef": self.inside._catalogue.image(spec),
            "networks": "none",
        }
        # In our own project, which is no department's.
        made = self._tell("POST", "/servers", {"server": body})
        machine = UUID(made["server"]["id"])
        self.driver._rest(machine, float("inf"))
        return machine

    def has_foreign_disk(self) -> bool:
        return bool(self.driver.discover())

    def _open(self) -> None:
        driver = connect(connection(), Path())
        assert isinstance(driver, OpenStackDriver)
        self.inside = driver
        self.driver = Settled(driver)

    def _clear(self) -> None:
        """Remove what an earlier test has left: the suite begins with an empty pool."""
        link = self.inside.link
        for server in look.every(link):
            self._tell("DELETE", f"/servers/{server['id']}")
        until("all servers to be gone", lambda: not look.every(link), _CLEAR_SECONDS)
        until("all volumes to be gone", self._no_volumes, _CLEAR_SECONDS)
        for image in snapshots.every(link):
            snapshots.remove(link, image.machine)
        for port in ports.every(link):
            floating.remove(link, UUID(port["name"][7:43]), port["project_id"])
            ports.delete(link, [port])

    def _hypervisor(self) -> str:
        """Return the kind of the region's hypervisors. Nova's fake one begins images and never ends them."""
        found = self.inside.link.few("compute", "/os-hypervisors/detail", "hypervisors")
        return str(found[0]["hypervisor_type"])

    def _no_volumes(self) -> bool:
        left = volumes.labelled(self.inside.link)
        volumes.delete(self.inside.link, left)
        return not left

    def _tell(self, method: str, path: str, body: Document | None = None, project: str | None = None) -> Document:
        return self.inside.link.tell("compute", method, path, body, project) or {}
