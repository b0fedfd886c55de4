"""The ports of machines in Neutron: one a card, with the addresses that the ledger chose.

A port is named after its machine and card, so a repeat finds it; an address can be taken once only, so of two that ask
for it at once one is told.
"""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from provisioners import openstack_networks as networks
from provisioners.contract import MachineSpec, Nic, Rejected, Unreachable
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Conflict, Document, Link

_FIELDS = ("id", "name", "device_id", "project_id", "description")
_AGAIN = "Steppe had it built once more at generation "
_CARDS = 2
_AT_ONCE = 40
"""Machines whose ports are asked for in one call: their names must fit into an address line."""


def port_name(machine: UUID, card: int) -> str:
    """Return the name of a machine's port."""
    return f"steppe-{machine}-{card}"


def machine_of(port: Mapping[str, str]) -> UUID | None:
    """Return whose port it is; None for one that is not ours."""
    name = port["name"]
    if not name.startswith("steppe-"):
        return None
    try:
        return UUID(name[7:43])
    except ValueError:
        return None


def cards(nics: Iterable[Nic]) -> list[list[Nic]]:
    """Return addresses by the card that they are on: those of one MAC share one."""
    found: dict[str, list[Nic]] = {}
    for nic in nics:
        found.setdefault(nic.mac, []).append(nic)
    return list(found.values())


def of(link: Link, machines: Collection[UUID]) -> list[Document]:
    """Return the ports of some machines."""
    wanted = sorted(machines)
    found: list[Document] = []
    for start in range(0, len(wanted), _AT_ONCE):
        names = [port_name(machine, card) for machine in wanted[start : start + _AT_ONCE] for card in range(_CARDS)]
        found += link.every("network", "/ports", "ports", name=names, fields=_FIELDS)
    return found


def every(link: Link) -> list[Document]:
    """Return every port of the region that is a machine's of ours."""
    return [port for port in link.every("network", "/ports", "ports", fields=_FIELDS) if machine_of(port)]


def ensure(link: Link, catalogue: Catalogue, spec: MachineSpec, project: str) -> list[str]:
    """Return the ids of a machine's ports, one a card; what is missing is made. Raises Rejected."""
    return [_port(link, catalogue, spec, project, card) for card in range(len(cards(spec.nics)))]


def note_attempt(link: Link, machine: UUID, generation: int) -> bool:
    """Note on a machine's ports, which outlive its server, that it is built once more at a generation; tell False where
    that was so already, or where there is no port to note it on."""
    noted, found = f"{_AGAIN}{generation}", of(link, [machine])
    if not found or any(port.get("description") == noted for port in found):
        return False
    for port in found:
        link.tell("network", "PUT", f"/ports/{port['id']}", {"port": {"description": noted}})
    return True


def delete(link: Link, ports: Iterable[Mapping[str, str]]) -> None:
    """Remove ports; one that is gone already is no error."""
    for port in ports:
        link.tell("network", "DELETE", f"/ports/{port['id']}")


def _port(link: Link, catalogue: Catalogue, spec: MachineSpec, project: str, card: int) -> str:
    nics = cards(spec.nics)[card]
    places = [networks.place(link, catalogue, nic, project) for nic in nics]
    body = {
        "name": port_name(spec.id, card),
        "project_id": project,
        "network_id": places[0].network,
        "mac_address": nics[0].mac,
        "fixed_ips": [
            {"subnet_id": place.subnet, "ip_address": nic.address} for place, nic in zip(places, nics, strict=True)
        ],
    }
    try:
        made = link.tell("network", "POST", "/ports", {"port": body})
    except Conflict as conflict:
        known = next((p for p in of(link, [spec.id]) if p["name"] == body["name"]), None)
        if known:
            return str(known["id"])
        raise _taken(link, nics[0], places[0].network, conflict) from conflict
    except Rejected:
        catalogue.forget()
        raise
    if made is None:
        catalogue.forget()
        if nics[0].own:
            raise Unreachable(f"the network of {nics[0].address} has just gone; looking again")
        raise Rejected("openstack.no_network", f"the network of {nics[0].address} is gone")
    return str(made["port"]["id"])


def _taken(link: Link, nic: Nic, network: str, conflict: Conflict) -> Rejected:
    if conflict.kind == "OverQuota":
        return Rejected("openstack.over_quota", str(conflict))
    holds = f"ip_address={nic.address}"
    found = link.few("network", "/ports", "ports", fixed_ips=holds, network_id=network, fields=_FIELDS)
    holder = f"; port {found[0]['id']} of project {found[0]['project_id']} has it" if found else ""
    return Rejected("openstack.address_taken", f"{nic.address} cannot be taken: {conflict}{holder}")
