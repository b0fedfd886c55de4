"""The cloud as its own administrator sees it, past Steppe: what stories hold Steppe's word against."""

from dataclasses import dataclass
from typing import Any

from tests.labs.openstack_catalogue import FIRST_ADMIN, connect

_CLASSES = {"VCPU": "vcpu", "MEMORY_MB": "memory_mib", "DISK_GB": "disk_gib"}


@dataclass
class Cloud:
    """The region, by plain openstacksdk."""

    region: Any

    def servers(self, vm: str | None = None) -> list[Any]:
        """Return all servers, or those that say that they are a VM."""
        found = list(self.region.compute.servers(all_projects=True))
        return [s for s in found if vm is None or s.metadata.get("steppe:id") == vm]

    def ports(self, vm: str | None = None) -> list[Any]:
        """Return all ports of machines, or those of a VM."""
        ports = [p for p in self.region.network.ports() if not p.device_owner.startswith("network:")]
        return [p for p in ports if vm is None or vm in p.name]

    def volumes(self, vm: str | None = None) -> list[Any]:
        """Return all volumes, or those that say that they are a VM's, in their order."""
        found = list(self.region.block_storage.volumes(all_projects=True))
        mine = [v for v in found if vm is None or v.metadata.get("steppe:id") == vm]
        return sorted(mine, key=lambda v: v.metadata.get("steppe:disk", ""))

    def snapshots(self) -> list[Any]:
        """Return all images that say that they are a snapshot of a VM."""
        return [image for image in self.region.image.images() if (image.properties or {}).get("steppe") == "snapshot"]

    def used(self) -> dict[str, int]:
        """Return what Placement has allocated, by resource class."""
        total = dict.fromkeys(_CLASSES.values(), 0)
        for provider in self.region.placement.resource_providers():
            usages = self.region.placement.get(f"/resource_providers/{provider.id}/usages").json()["usages"]
            for name, ours in _CLASSES.items():
                total[ours] += usages.get(name, 0)
        return total

    def project(self, name: str) -> Any:
        """Return a project of the departments' domain, None where there is none."""
        domain = self.region.identity.find_domain("steppe")
        return self.region.identity.find_project(name, domain_id=domain.id)

    def one(self, vm: dict[str, Any], *, booted: bool = False) -> Any:
        """Return the one server of a VM, with its one port, the address that Steppe chose, and a volume for each of its
        data disks, and for its first disk too where it is `booted` from one; AssertionError else."""
        servers, ports = self.servers(vm["id"]), self.ports(vm["id"])
        assert [s.name for s in servers] == [vm["name"]], servers
        assert [[f["ip_address"] for f in p.fixed_ips] for p in ports] == [[a["address"] for a in vm["addresses"]]]
        assert ports[0].device_id == servers[0].id
        volumes = self.volumes(vm["id"])
        first = [vm["size"]["disk_gib"]] if booted else []
        assert [v.size for v in volumes] == [*first, *vm["size"]["data_disks"]], volumes
        assert [[a["server_id"] for a in v.attachments] for v in volumes] == [[servers[0].id]] * len(volumes)
        return servers[0]

    def well_done(self, server: Any, action: str) -> int:
        """Return how often Nova did something to a server and did not fail."""
        listed = self.region.compute.server_actions(server)
        return sum(one.action == action and not one.message for one in listed)

    def nothing_of(self, vm: str) -> None:
        """AssertionError where anything is left of a VM."""
        assert (self.servers(vm), self.ports(vm), self.volumes(vm)) == ([], [], [])


def cloud() -> Cloud:
    """Return the lab's region as its first administrator sees it."""
    return Cloud(connect(FIRST_ADMIN))
