"""The small centre of the libvirt lab: one department, one image, one subnet, and a pool for each hypervisor."""

import json
from pathlib import Path
from typing import Any

from tests.labs.hypervisors import CIDR, HOST_ADDRESS, NETWORK, Hypervisor
from tests.labs.steppe_process import Steppe

SMALL = {"vcpu": 1, "memory_mib": 512, "disk_gib": 3}
LARGER = {"vcpu": 2, "memory_mib": 640, "disk_gib": 4}


def set_up(steppe: Steppe, hypervisors: list[Hypervisor], image: Path, virt_type: str) -> None:
    """Make all that an ask needs, by the commands that an administrator uses."""
    run = steppe.command
    run("site", "create", "nm", "--name", "自治区", "--name-en", "Region", "--level", "region")
    run("department", "create", "lab", "--name", "实验室", "--name-en", "Laboratory", "--site", "nm")
    run("quota", "set", "lab", "vm=8", "vcpu=16", "memory_mib=16384", "disk_gib=64")
    contact = ("--contact-name", "李强", "--contact-phone", "1", "--contact-email", "li@lab.example")
    run(
        *("system", "create", "proof", "--department", "lab", "--name", "实证", "--name-en", "Proof"),
        *("--mlps-level", "2", *contact),
    )
    source = ("--source", str(image))
    run("image", "create", "debian", "--name", "Debian 12", "--os", "Debian", "--min-disk-gib", "2", *source)
    run(
        *("subnet", "create", "lab", "--name", "实验", "--site", "nm", "--cidr", CIDR),
        *("--gateway", HOST_ADDRESS, "--network", NETWORK, "--reserved", "10.98.0.2-10.98.0.9"),
    )
    for hypervisor in hypervisors:
        connection = {"uri": hypervisor.uri, "virt_type": virt_type, "shutdown_seconds": 45}
        room = ("vm=none", "vcpu=8", "memory_mib=8192", "disk_gib=64")
        run(
            *("pool", "create", hypervisor.name, "--name", hypervisor.name, "--site", "nm", "--mlps-level", "2"),
            *("--connection", json.dumps(connection)),
            *(word for one in room for word in ("--capacity", one)),
        )


def an_ask(name: str, key: str, **more: Any) -> dict[str, Any]:
    """Return the body of an ask for a VM."""
    plain = {"name": name, "department": "lab", "system": "proof", "image": "debian", "subnets": ["lab"]}
    return {**plain, **SMALL, "ssh_keys": [key], **more}
