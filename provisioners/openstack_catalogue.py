"""What of a region an order speaks of by name: flavors, images, networks, and the departments' projects.

Each is looked up once and kept for a while; what a region lacks of flavors and projects is made, under names that a
repeat finds. Images and networks are the administrators' own: one that is not there is said so.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from netaddr import IPAddress, IPNetwork

from provisioners import openstack_matching as matching
from provisioners.contract import MachineSpec, Nic, Rejected
from provisioners.openstack_link import Conflict, Document, Link, Settings

T = TypeVar("T")

KEEP_SECONDS = 300.0
OURS = "made by Steppe"
"""Description of all that is made of projects, networks, subnets, routers and rules of security groups."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address lives: ids of the network and of the subnet whose range it is in."""

    network: str
    subnet: str


class Catalogue:
    """Names of one region and their ids. Safe to use from several threads; two that look for the same wait for one."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self._link = link
        self._settings = settings
        self.ingress = frozenset(one.rule for one in settings.ingress)
        self.volume_type = settings.volume_type
        self.boot_volumes = settings.boot_volumes
        self._lock = threading.Lock()
        self._looking: dict[str, threading.Lock] = {}
        self._known: dict[str, tuple[float, Any]] = {}

    def project(self, department: str) -> str:
        """Return the id of a department's project; one that is not there is made, and we may act in it."""
        return self.kept(f"project {department}", lambda: self._project(department))

    def acts_in(self, project: str) -> bool:
        """Tell whether we may act in a project, as in each that is a department's with a machine."""
        return self._link.ask("identity", self._our_role_in(project)) is not None

    def domain(self) -> str:
        """Return the id of the domain that holds the departments' projects. Raises Rejected."""
        return self.kept("domain", self._domain)

    def flavor(self, vcpu: int, memory_mib: int, disk_gib: int) -> str:
        """Return the id of a flavor of just this size; one that is not there is made."""
        size = (vcpu, memory_mib, disk_gib)
        return self.kept(f"flavor {size}", lambda: self._flavor(size))

    def image(self, spec: MachineSpec) -> str:
        """Return the id of the image that a spec names by its source, or by its code. Raises Rejected."""
        return self.kept(f"image {spec.image_source} {spec.image}", lambda: self._image(spec))

    def place(self, nic: Nic, project: str) -> Place:
        """Return where the region has an address of ours. Raises Rejected."""
        name = self._settings.networks.get(nic.network, nic.network)
        subnets = self.kept(f"network {project} {name}", lambda: self._subnets(name, project))
        for subnet in subnets:
            if IPAddress(nic.address) in IPNetwork(subnet["cidr"]):
                return Place(subnet["network_id"], subnet["id"])
        raise Rejected("openstack.no_subnet", f"network {name} has no subnet with {nic.address} in it")

    def external_network(self) -> str | None:
        """Return the id of the network by which departments' own ones reach the world, where there is to be one. Raises
        Rejected."""
        name = self._settings.external_network
        return self._outside(name) if name else None

    def outside(self, network: str) -> str:
        """Return the id of the external network that a floating address is of. Raises Rejected."""
        return self._outside(self._settings.networks.get(network, network))

    def server_group(self, group: str, project: str) -> str:
        """Return the id of a project's server group, whose members Nova puts on different hosts; one that is not there
        is made."""
        return self.kept(f"group {project} {group}", lambda: self._server_group(group, project))

    def has_volumes(self) -> bool:
        """Tell whether the region offers volumes, which data disks are, and first disks where the pool says so."""
        return self.kept("volumes", lambda: self._link.offers("block_storage"))

    def must_have_volumes(self) -> None:
        """Raises Rejected where the region offers no volumes."""
        if not self.has_volumes():
            detail = "ask for a machine without data disks, or in another pool"
            if self.boot_volumes:
                detail = "no machine can boot from a volume; take boot_volumes out of the pool's connection"
            raise Rejected("openstack.no_volumes", f"the region has no Cinder: {detail}")

    def forget(self) -> None:
        """Look everything up anew from here on: something that was known has turned out not to be there."""
        with self._lock:
            self._known.clear()

    def kept(self, key: str, find: Callable[[], T]) -> T:
        """Return what was found not long ago under a key, or else what `find` finds now."""
        with self._lock:
            looking = self._looking.setdefault(key, threading.Lock())
        with looking:
            when, known = self._known.get(key, (0.0, None))
            if known is None or when < time.monotonic() - KEEP_SECONDS:
                known = find()
                self._known[key] = (time.monotonic(), known)
            found: T = known
            return found

    def _domain(self) -> str:
        for domain in self._link.few("identity", "/domains", "domains", name=self._settings.domain):
            return str(domain["id"])
        raise Rejected("openstack.no_domain", f"the region has no domain {self._settings.domain}")

    def _project(self, department: str) -> str:
        wanted = {"name": department, "domain_id": self.domain()}
        project = self._one_project(wanted)
        if project is None:
            body = {"project": {**wanted, "description": OURS}}
            try:
                made = self._link.tell("identity", "POST", "/projects", body) or {}
                project = str(made["project"]["id"])
            except Conflict:
                project = self._one_project(wanted)
        if project is None:
            raise Rejected("openstack.no_project", f"no project for {department} could be made")
        self._act_in(project)
        return project

    def _one_project(self, wanted: Document) -> str | None:
        found = self._link.few("identity", "/projects", "projects", **wanted)
        return next((str(project["id"]) for project in found), None)

    def _act_in(self, project: str) -> None:
        self._link.tell("identity", "PUT", self._our_role_in(project))

    def _our_role_in(self, project: str) -> str:
        us = self.kept("us", self._us)
        role = self.kept("role", self._role)
        return f"/projects/{project}/users/{us}/roles/{role}"

    def _us(self) -> str:
        return self._link.user()

    def _role(self) -> str:
        for role in self._link.few("identity", "/roles", "roles", name=self._settings.role):
            return str(role["id"])
        raise Rejected("openstack.no_role", f"the region has no role {self._settings.role}")

    def _flavor(self, size: tuple[int, int, int]) -> str:
        found = matching.of_size(matching.public_flavors(self._link), size)
        if found is not None:
            return str(found["id"])
        vcpu, memory_mib, disk_gib = size
        name = f"steppe-{vcpu}-{memory_mib}-{disk_gib}"
        body = {"flavor": {"id": name, "name": name, "vcpus": vcpu, "ram": memory_mib, "disk": disk_gib}}
        try:
            self._link.tell("compute", "POST", "/flavors", body)
        except Conflict:
            # Another worker was faster: the name says the size.
            return name
        return name

    def _server_group(self, group: str, project: str) -> str:
        for known in self._link.few("compute", "/os-server-groups", "server_groups", project=project):
            if known["name"] == group and known["policy"] == "anti-affinity":
                return str(known["id"])
        body = {"server_group": {"name": group, "policy": "anti-affinity"}}
        made = self._link.tell("compute", "POST", "/os-server-groups", body, project) or {}
        return str(made["server_group"]["id"])

    def _image(self, spec: MachineSpec) -> str:
        found = matching.chosen(spec.image_source, spec.image, self._images)
        if len(found.images) > 1:
            detail = f"{len(found.images)} images are called {found.name}; give the catalogue an id"
            raise Rejected("openstack.images", detail)
        if not found.images:
            raise Rejected("openstack.no_image", f"the region has no image {spec.image_source or spec.image}")
        return str(found.images[0]["id"])

    def _images(self, called: matching.Called) -> list[Document]:
        if called.by == "id":
            image = self._link.ask("image", f"/images/{called.value}")
            return matching.answering(called, [image] if image else [])
        asked = {called.field: called.value}
        return matching.answering(called, self._link.few("image", "/images", "images", status="active", **asked))

    def _outside(self, name: str) -> str:
        return self.kept(f"external network {name}", lambda: self._external_network(name))

    def _external_network(self, name: str) -> str:
        outside = {"router:external": "true", "id" if matching.is_id(name) else "name": name}
        found = self._link.few("network", "/networks", "networks", **outside)
        if len(found) != 1:
            raise Rejected("openstack.no_network", f"the region has {len(found) or 'no'} external networks {name}")
        return str(found[0]["id"])

    def _subnets(self, name: str, project: str) -> list[Document]:
        wanted = {"id": name} if matching.is_id(name) else {"name": name}
        found = self._link.few("network", "/networks", "networks", **wanted)
        own = [n for n in found if n["project_id"] == project and n.get("description") != OURS]
        usable = own or [n for n in found if n["shared"]]
        if len(usable) != 1:
            count = len(usable) or "no"
            raise Rejected("openstack.no_network", f"the region has {count} networks {name} that the project may use")
        return self._link.few("network", "/subnets", "subnets", network_id=usable[0]["id"])
