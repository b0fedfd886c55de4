"""What a new machine is told at its first boot: a NoCloud seed.

An image carries no names, keys or addresses; cloud-init in it reads them from a small disk labelled `cidata`. The keys
of the asker go into the meta-data and never into the user-data, because cloud-init installs keys from both: so the
user-data is handed over byte for byte, whatever format it has, and cannot clash with ours.
"""

import re
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import yaml
from pycdlib import PyCdlib

from provisioners.contract import MachineSpec, Nic

LABEL = "cidata"
# The C one is eight times as fast; not every build of PyYAML has it.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
# Spelt out, because older cloud-inits do not know the word `default`.
_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def hostname(spec: MachineSpec) -> str:
    """Return what the guest calls itself. It is ASCII: a machine that is named in Chinese is called after its id."""
    plain = re.sub(r"[^a-z0-9-]+", "-", spec.name.lower()).strip("-")[:63].rstrip("-")
    return plain or f"vm-{spec.id.hex[-8:]}"


def seed_files(spec: MachineSpec) -> dict[str, bytes]:
    """Return the seed's files by name: meta-data, user-data and, where the machine has addresses, network-config."""
    meta = {
        "instance-id": str(spec.id),
        "local-hostname": hostname(spec),
        "public-keys": list(spec.ssh_keys),
    }
    user_data = spec.user_data if spec.user_data is not None else "#cloud-config\n{}\n"
    files = {"meta-data": _yaml(meta), "user-data": user_data.encode("utf-8", "surrogatepass")}
    if spec.nics:
        files["network-config"] = _yaml(_network(spec.nics))
    return files


def seed_iso(spec: MachineSpec) -> bytes:
    """Return the seed as an ISO 9660 image with Joliet and Rock Ridge names."""
    iso = PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    try:
        for name, content in seed_files(spec).items():
            plain = name.upper().replace("-", "_")
            iso.add_fp(BytesIO(content), len(content), f"/{plain}.;1", rr_name=name, joliet_path=f"/{name}")
        image = BytesIO()
        iso.write_fp(image)
    finally:
        iso.close()
    return image.getvalue()


def _network(nics: Iterable[Nic]) -> dict[str, Any]:
    """Addresses that share a card (its MAC) become one interface; `set-name` because only netplan matches without."""
    cards: dict[str, list[Nic]] = {}
    for nic in nics:
        cards.setdefault(nic.mac, []).append(nic)
    return {
        "version": 2,
        "ethernets": {f"eth{number}": _card(f"eth{number}", mine) for number, mine in enumerate(cards.values())},
    }


def _card(name: str, nics: list[Nic]) -> dict[str, Any]:
    card: dict[str, Any] = {
        "match": {"macaddress": nics[0].mac},
        "set-name": name,
        "dhcp4": False,
        "dhcp6": False,
        "addresses": [f"{nic.address}/{nic.prefix}" for nic in nics],
    }
    if routes := [{"to": _ANYWHERE[_family(nic.gateway)], "via": nic.gateway} for nic in nics if nic.gateway]:
        card["routes"] = routes
    if dns := list(dict.fromkeys(server for nic in nics for server in nic.dns)):
        card["nameservers"] = {"addresses": dns}
    return card


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def _yaml(content: dict[str, Any]) -> bytes:
    text: str = yaml.dump(content, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=1_000_000)
    return text.encode()
