"""What every cloud of the OpenStack lab holds before anybody asks for a server: images, a shared network, a way out."""

import subprocess
from pathlib import Path
from typing import Any

from tests.labs.openstack_catalogue import FIRST_ADMIN, connect

IMAGES = ("debian-12", "kylin-v10")
SHARED_NETWORK, EXTERNAL_NETWORK = "gov", "ext"
# Neutron chooses for its own DHCP server alone, far from where Steppe begins to give addresses out.
_OF_NEUTRON = [{"start": "10.20.0.250", "end": "10.20.0.254"}]
_SUBNETS = (
    {
        **{"name": "gov-v4", "ip_version": 4, "cidr": "10.20.0.0/24", "gateway_ip": "10.20.0.1"},
        "allocation_pools": _OF_NEUTRON,
    },
    {"name": "gov-v6", "ip_version": 6, "cidr": "fd20::/64", "gateway_ip": "fd20::1", "is_dhcp_enabled": False},
)
_OUTSIDE = {"name": "ext-v4", "ip_version": 4, "cidr": "172.31.99.0/24", "gateway_ip": "172.31.99.1"}


def add_networks() -> None:
    """Make the shared network and the external one."""
    network = connect(FIRST_ADMIN).network
    shared = network.create_network(name=SHARED_NETWORK, is_shared=True)
    for subnet in _SUBNETS:
        network.create_subnet(network_id=shared.id, **subnet)
    outside = network.create_network(
        name=EXTERNAL_NETWORK,
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="physnet1",
    )
    network.create_subnet(
        network_id=outside.id,
        is_dhcp_enabled=False,
        allocation_pools=[{"start": "172.31.99.100", "end": "172.31.99.200"}],
        **_OUTSIDE,
    )


def add_images(folder: Path, guest: Path | None) -> None:
    """Upload the images. `guest` holds a kernel and an initrd that they boot; None for disks that nobody boots."""
    image = connect(FIRST_ADMIN).image
    disk = folder / "state" / "disk.qcow2"
    subprocess.run(("qemu-img", "create", "-q", "-f", "qcow2", disk, "64M" if guest else "1M"), check=True)
    boots: dict[str, str] = {}
    if guest:
        for key, name, form in (("kernel_id", "vmlinuz", "aki"), ("ramdisk_id", "initrd.gz", "ari")):
            boots[key] = _upload(image, name, guest / name, form, form).id
        boots["os_command_line"] = "console=ttyS0 quiet mitigations=off"
    for name in IMAGES:
        _upload(image, name, disk, "qcow2", "bare", **boots)


def _upload(image: Any, name: str, file: Path, disk: str, container: str, **properties: str) -> Any:
    return image.create_image(
        name=name,
        filename=str(file),
        disk_format=disk,
        container_format=container,
        visibility="public",
        wait=True,
        **properties,
    )
