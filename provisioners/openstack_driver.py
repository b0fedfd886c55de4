"""Machines of one OpenStack region, or of one of its availability zones.

Nova works by itself: an order is sent and Underway is raised, never waited for. What it takes is one call to find the
server and one to order; ports and volumes are made before the server and removed after it, so at every moment in
between what is there carries the machine's id and shows up as incomplete.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn
from uuid import UUID

from pydantic import ValidationError

from provisioners import openstack_consoles, openstack_ingress, openstack_room
from provisioners import openstack_floating as floating
from provisioners import openstack_history as history
from provisioners import openstack_look as look
from provisioners import openstack_matching as matching
from provisioners import openstack_ports as ports
from provisioners import openstack_reimaging as reimaging
from provisioners import openstack_servers as servers
from provisioners import openstack_snapshots as snapshots
from provisioners import openstack_tenants as tenants
from provisioners import openstack_unlinking as unlinking
from provisioners import openstack_volumes as volumes
from provisioners.contract import (
    Astray,
    CatalogueMatch,
    ConsoleKind,
    ConsoleLine,
    Ingress,
    Machine,
    MachineSpec,
    Missing,
    OfferedFlavor,
    OfferedImage,
    Power,
    Rejected,
    Room,
    Tenant,
    Underway,
    Unreachable,
)
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Document, Link, Settings
from provisioners.openstack_servers import Server

_LOCKS = 64


class OpenStackDriver:
    """The machines of one region."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.link = Link(settings)
        self._catalogue = Catalogue(self.link, settings)
        self._locks = tuple(Lock() for _ in range(_LOCKS))

    def observe(self, ids: Collection[UUID]) -> dict[UUID, Machine]:
        return look.observe(self.link, self._catalogue, ids)

    def discover(self) -> list[Machine]:
        return look.discover(self.link, self._catalogue, self._settings.availability_zone)

    def inspect(self, machine: UUID) -> Machine | None:
        return self.observe([machine]).get(machine)

    def create(self, spec: MachineSpec) -> None:
        # Nova would make two of one that is asked for twice at once.
        with self._locks[spec.id.int % _LOCKS]:
            self._create(spec)

    def _create(self, spec: MachineSpec) -> None:
        server = self._find(spec.id)
        if server is None:
            _must_not_be_adopted(spec)
            self._make(spec)
        server = self._unhurried(server)
        if server["status"] in {"ERROR", "UNKNOWN"}:
            self._recover(server, spec)
        self._must_have_its_image(server, spec)
        self._write_down(server, spec)
        self._set_power(server, spec, spec.power)

    def start(self, spec: MachineSpec) -> None:
        server = self._ready(spec)
        self._write_down(server, spec)
        self._set_power(server, spec, "on")

    def stop(self, spec: MachineSpec) -> None:
        server = self._ready(spec)
        if _label(server).builds < spec.builds:
            # What cannot be rebuilt is not put off for it.
            reimaging.must_be_possible(self.link, server)
        self._write_down(server, spec)
        self._set_power(server, spec, "off")

    def reboot(self, spec: MachineSpec) -> None:
        server = self._ready(spec)
        boots, since = _label(server).boots, servers.rebooting(server, spec.boots)
        done = since is not None and history.was_done(self.link, server, "reboot", since)
        if done or boots >= spec.boots or servers.power_of(server) == "off":
            self._write_down(server, spec, boots=max(boots, spec.boots))
            return
        # While it reboots nothing can be written down. So what it comes after is written first, and the reboot counts
        # once Nova lists it: a worker that dies in between leaves it owed.
        if since is None:
            since = history.last(self.link, server)
        self._write_down(server, spec, reboot=servers.reboot_after(spec.boots, since))
        self._order_once(server, spec, "reboot", {"type": "SOFT"})

    def resize(self, spec: MachineSpec) -> None:
        server = self._ready(spec)
        found = look.with_disks(self.link, self._catalogue, server)
        volumes.first_must_not_shrink(found.disk_gib, spec.disk_gib)
        volumes.must_not_shrink(found.data_disks, spec.data_disks)
        disks_differ = (spec.disk_gib, spec.data_disks) != (found.disk_gib, found.data_disks)
        if found.adopted and disks_differ:
            raise _not_our_disk(spec)
        booted = servers.boots_from_volume(server)
        wanted, has = servers.flavor_of(spec, booted), servers.flavor_of(found, booted)
        if wanted != has or disks_differ:
            _must_be_off(server)
        self._write_down(server, spec)
        if wanted != has:
            self._order_once(server, spec, "resize", {"flavorRef": self._catalogue.flavor(*wanted)})
        if disks_differ:
            self._must_not_have_failed(server, spec, "attach_volume")
            volumes.change(self.link, self._catalogue, spec, server)

    def rebuild(self, spec: MachineSpec) -> None:
        server = self._ready(spec)
        label, found = _label(server), servers.machine_of(server)
        if label.builds < spec.builds:
            _must_be_off(server)
            if spec.adopted:
                raise _not_our_disk(spec)
            self._order_rebuild(server, spec)
        self._write_down(server, spec)
        fixed = found.adopted or servers.boots_from_volume(server)
        if label.builds == spec.builds and not fixed and found.disk_gib < spec.disk_gib:
            flavor = self._catalogue.flavor(found.vcpu, found.memory_mib, spec.disk_gib)
            self._order_once(server, spec, "resize", {"flavorRef": flavor})

    def adopt(self, spec: MachineSpec) -> None:
        server = self._ready(spec)
        owner = tenants.owner(self.link, self._catalogue, server["tenant_id"])
        if owner not in {None, spec.department}:
            detail = (
                f"{server['name']} is in the project of {owner}: adopt it into that department, not {spec.department}"
            )
            raise Rejected("openstack.others_project", detail)
        tag = servers.tag_of(spec.id)
        for one in {servers.OURS, tag} - set(server.get("tags", ())):
            self.link.tell("compute", "PUT", f"/servers/{server['id']}/tags/{one}")
        self._write_down(server, spec, boots=spec.boots, builds=spec.builds, image=spec.image, adopted="yes")

    def set_floating(self, spec: MachineSpec) -> None:
        floating.change(self.link, self._catalogue, spec, self._ready(spec))

    def set_snapshots(self, spec: MachineSpec) -> None:
        snapshots.change(self.link, spec, self._ready(spec))

    def delete(self, machine: UUID) -> tuple[str, ...]:
        server = self._find(machine)
        if server is not None:
            servers.must_keep_no_disk(server)
            if server.get("OS-EXT-STS:task_state") != "deleting":
                if _label(server).floating:
                    floating.remove(self.link, machine, server["tenant_id"])
                self.link.tell("compute", "DELETE", f"/servers/{server['id']}")
            raise Underway("Nova is deleting it")
        left = ports.of(self.link, [machine])
        projects = {port["project_id"] for port in left}
        self._delete_volumes(machine, projects)
        # After the server, whose disk a store may still have as a clone of one; and before the ports, by which it is
        # seen that something is left.
        kept = snapshots.remove(self.link, machine, projects)
        if not left and not kept:
            raise Missing(f"no machine {machine}")
        for project in sorted(projects):
            floating.remove(self.link, machine, project)
        ports.delete(self.link, left)
        return ()

    def consoles(self) -> tuple[ConsoleKind, ...]:
        return ("screen",)

    def open_console(self, spec: MachineSpec, kind: ConsoleKind) -> ConsoleLine:
        if kind not in self.consoles():
            raise Rejected("openstack.no_console", f"a region offers no {kind} console")
        server = self._find(spec.id)
        if server is None:
            raise Missing(f"no machine {spec.id}")
        return openstack_consoles.open_line(self.link, server)

    def room(self) -> dict[str, Room]:
        zone = self._settings.availability_zone
        return openstack_room.room(self.link, zone, disks=not self._settings.boot_volumes)

    def match_catalogue(self, images: Collection[OfferedImage], flavors: Collection[OfferedFlavor]) -> CatalogueMatch:
        sizes = [replace(f, disk_gib=0) for f in flavors] if self._settings.boot_volumes else flavors
        return matching.match(self.link, images, sizes)

    def limited(self) -> tuple[str, ...]:
        return tenants.limited(self._catalogue)

    def tenants(self, departments: Collection[str]) -> dict[str, Tenant]:
        return tenants.found(self.link, self._catalogue, departments)

    def set_tenant(self, department: str, limits: dict[str, int | None], ingress: Collection[Ingress]) -> Tenant:
        tenant = tenants.written(self.link, self._catalogue, department, limits)
        openstack_ingress.let_in(self.link, tenant.id, self._catalogue.ingress.union(ingress))
        return tenant

    def astray(self, ingress: Mapping[str, Collection[Ingress]]) -> dict[str, Astray]:
        projects = tenants.of_domain(self.link, self._catalogue)
        wanted = {code: self._catalogue.ingress.union(rules) for code, rules in ingress.items() if code in projects}
        return openstack_ingress.astray(self.link, projects, wanted)

    def networks(self, departments: Collection[str]) -> dict[str, frozenset[tuple[str, str]]]:
        projects = tenants.of_domain(self.link, self._catalogue)
        return unlinking.found(self.link, {code: projects[code] for code in departments if code in projects})

    def remove_network(self, department: str, network: str, cidr: str) -> None:
        project = tenants.of_domain(self.link, self._catalogue).get(department)
        if project:
            unlinking.remove(self.link, project, network, cidr)
            self._catalogue.forget()

    def remove_tenant(self, department: str) -> None:
        tenants.remove(self.link, self._catalogue, department)

    def close(self) -> None:
        self.link.close()

    def _find(self, machine: UUID) -> Server | None:
        """Return a machine's server. Of two, the older is it, unless it failed: two workers have asked at once, and a
        port can be but one's."""
        found = sorted(
            look.carrying(self.link, [machine]), key=lambda s: (s["status"] == "ERROR", s["created"], s["id"])
        )
        servers.must_be_of_one_project(machine, found)
        for extra in found[1:]:
            self.link.tell("compute", "DELETE", f"/servers/{extra['id']}")
        return found[0] if found else None

    def _ready(self, spec: MachineSpec) -> Server:
        server = self._find(spec.id)
        if server is None:
            raise Missing(f"no machine {spec.id}")
        return self._unhurried(server)

    def _unhurried(self, server: Server) -> Server:
        """Return a server that Nova is not about to change by itself. A resize is confirmed: what it came to is looked
        at afterwards, as everything is."""
        if servers.is_busy(server):
            raise Underway(f"Nova says {server['status']}, {server.get('OS-EXT-STS:task_state')}")
        if server["status"] == "VERIFY_RESIZE":
            self._confirm(server)
        return server

    def _confirm(self, server: Server) -> NoReturn:
        try:
            self._order(server, "confirmResize")
        except Rejected as refusal:
            # What was confirmed already still says for a while that it waits for it.
            raise Unreachable(f"Nova: {refusal.detail}") from refusal

    def _make(self, spec: MachineSpec) -> NoReturn:
        booted = self._settings.boot_volumes
        if spec.data_disks or booted:
            self._catalogue.must_have_volumes()
        project = self._catalogue.project(spec.department)
        flavor = self._catalogue.flavor(*servers.flavor_of(spec, booted))
        image = None if booted else snapshots.source(self.link, self._catalogue, spec, project)
        made = ports.ensure(self.link, self._catalogue, spec, project)
        if spec.floating or spec.generation > 1:
            # At the first generation none can have been taken away again.
            floating.ensure(self.link, self._catalogue, spec, project, dict(enumerate(made)))
        disks = volumes.ensure(self.link, self._catalogue, spec, project)
        body = servers.created(spec, flavor, image, made, disks)
        body["metadata"] |= snapshots.noted_for(spec)
        if self._settings.availability_zone:
            body["availability_zone"] = self._settings.availability_zone
        if self._settings.config_drive:
            body["config_drive"] = True
        whole: Document = {"server": body}
        if spec.spread_group:
            whole["os:scheduler_hints"] = {"group": self._catalogue.server_group(spec.spread_group, project)}
        try:
            answer = self.link.tell("compute", "POST", "/servers", whole, project)
        except Rejected:
            # An image that was replaced meanwhile is one more thing that Nova calls a bad request.
            self._catalogue.forget()
            raise
        if answer is None:
            self._catalogue.forget()
            raise Unreachable(f"something that {spec.name} is made from has just gone; looking again")
        raise Underway("Nova is building it")

    def _recover(self, server: Server, spec: MachineSpec) -> NoReturn:
        """Bring a server in error back, once a generation: one that never ran is made anew, one whose rebuild failed is
        rebuilt, another is rebooted."""
        if server.get("OS-SRV-USG:launched_at") is None and not _label(server).adopted:
            if _label(server).generation >= spec.generation:
                fault = self._fault(server)
                passes = fault.code in servers.PASSING
                if not (passes and ports.note_attempt(self.link, spec.id, spec.generation)):
                    raise fault
            self.link.tell("compute", "DELETE", f"/servers/{server['id']}")
            raise Underway("Nova is deleting what was left of a failed build")
        if servers.tried(server) >= spec.generation:
            raise self._fault(server)
        said = {"description": f"{servers.TRIED}{spec.generation}"}
        self.link.tell("compute", "PUT", f"/servers/{server['id']}", {"server": said})
        if not spec.adopted and history.failure(self.link, server, "rebuild"):
            # The label says that it was rebuilt; rebooted, it would run from the old disk and pass for it.
            self._order_rebuild(server, spec)
        self._order(server, "reboot", {"type": "HARD"})

    def _must_have_its_image(self, server: Server, spec: MachineSpec) -> None:
        """Started after a rebuild that came to nothing, it would run from what is on its volume and pass for rebuilt.
        The rebuild is owed again, for when people have mended the volume."""
        spoilt = reimaging.spoilt(self.link, self._catalogue, server)
        if spoilt:
            if history.is_unfinished(self.link, server, "rebuild"):
                self._write_down(server, spec, builds=min(_label(server).builds, spec.builds - 1))
            raise spoilt

    def _fault(self, server: Server) -> Rejected:
        """Return why a server is in error. A list leaves that out for one that no host ever had."""
        whole = self.link.ask("compute", f"/servers/{server['id']}") or {}
        return servers.fault_of(whole.get("server", server))

    def _set_power(self, server: Server, spec: MachineSpec, power: Power) -> None:
        if servers.power_of(server) != power:
            start = servers.START_BY.get(server["status"], "os-start")
            self._order_once(server, spec, "os-stop" if power == "off" else start)

    def _order(self, server: Server, action: str, how: Document | None = None, **newer: str) -> NoReturn:
        answer = self.link.tell("compute", "POST", f"/servers/{server['id']}/action", {action: how}, **newer)
        if answer is None:
            raise Missing(f"no server {server['id']}")
        raise Underway(f"Nova has taken the order {action}")

    def _order_rebuild(self, server: Server, spec: MachineSpec) -> NoReturn:
        """What is written down comes with the order itself: it was either given, and then once, or it was not."""
        # What is written down here takes the place of all that was.
        label = _label(server)
        noted = servers.noted(label.floating) if label.floating else {}
        noted |= {f"{servers.PREFIX}snapshot": label.snapshot} if label.snapshot else {}
        how = {
            "imageRef": snapshots.source(self.link, self._catalogue, spec, server["tenant_id"]),
            "metadata": servers.metadata(spec, boots=label.boots) | noted,
        }
        if servers.boots_from_volume(server):
            reimaging.must_be_possible(self.link, server)
            volumes.ready_for_rebuild(self.link, self._catalogue, spec, server)
            self._order(server, "rebuild", how, microversion=reimaging.MICROVERSION)
        self._order(server, "rebuild", how)

    def _order_once(self, server: Server, spec: MachineSpec, action: str, how: Document | None = None) -> NoReturn:
        """Order what Nova may undo by itself where it fails: it is not ordered again at the same generation."""
        self._must_not_have_failed(server, spec, servers.ACTIONS.get(action, action))
        self._order(server, action, how)

    def _must_not_have_failed(self, server: Server, spec: MachineSpec, action: str) -> None:
        if _label(server).generation == spec.generation:
            failure = history.failure(self.link, server, action)
            if failure:
                raise failure

    def _delete_volumes(self, machine: UUID, projects: Collection[str]) -> None:
        """Delete what a machine without a server has of volumes, where its ports are if it has any still."""
        if self._catalogue.has_volumes():
            left = volumes.labelled(self.link, [machine])
            left = [volume for volume in left if not projects or volume.project in projects]
            if left:
                volumes.delete(self.link, left)
                raise Underway("Cinder is deleting its volumes")

    def _write_down(self, server: Server, spec: MachineSpec, **done: Any) -> None:
        """Label the server with whose it is and the generation that was ordered, and with what the order has `done`."""
        label = _label(server)
        kept = {"image": label.image, "boots": label.boots, "builds": label.builds}
        written = servers.metadata(spec, **(kept | done))
        if not written.items() <= server["metadata"].items():
            self.link.tell("compute", "POST", f"/servers/{server['id']}/metadata", {"metadata": written})
        if not spec.adopted and server["name"] != spec.name:
            self.link.tell("compute", "PUT", f"/servers/{server['id']}", {"server": {"name": spec.name}})


def connect(connection: Mapping[str, Any], state_dir: Path) -> OpenStackDriver:
    """Return the driver of a region; `connection` has the keys of `openstack_link.Settings`.

    Raises Rejected on a wrong key or value.
    """
    del state_dir
    try:
        return OpenStackDriver(Settings.model_validate(dict(connection)))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise Rejected("openstack.bad_connection", wrong) from error


def _label(server: Server) -> servers.Label:
    return servers.label_of(server) or servers.Label(
        server["name"], "", "", 0, "", 0, 0, adopted=False, floating="", snapshot=""
    )


def _must_not_be_adopted(spec: MachineSpec) -> None:
    if spec.adopted:
        detail = f"{spec.name} was adopted: there is no image to make it from; restore it, or delete its record"
        raise Rejected("openstack.adopted", detail)


def _not_our_disk(spec: MachineSpec) -> Rejected:
    return Rejected("openstack.adopted", f"{spec.name} was adopted: its disks are not ours to change")


def _must_be_off(server: Server) -> None:
    if servers.power_of(server) == "on":
        raise Rejected("openstack.not_off", f"{server['name']} is running; power it off first")
