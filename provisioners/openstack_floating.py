"""Floating addresses of machines: each a floating IP of the external network, with the address that the ledger chose.

Neutron leads one to a port, and keeps it when the port goes. So it is made after the port and removed before it. It is
found by its description, and counted as a machine's only in the machine's own project: whoever has a project can
describe what is in it as he likes. Nobody is asked about machines whose server does not say that it has one.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from netaddr import valid_ipv4

from provisioners import openstack_ports as ports
from provisioners import openstack_servers as servers
from provisioners.contract import Floating, MachineSpec, Nic, Rejected, Unreachable
from provisioners.openstack_catalogue import Catalogue
from provisioners.openstack_link import Conflict, Document, Link
from provisioners.openstack_servers import Server

_AT_ONCE = 40
"""Machines whose floating IPs are asked for in one call: their descriptions must fit into an address line."""
_PATH, _KEY = "/floatingips", "floatingips"
_TAKEN = frozenset({"IpAddressAlreadyAllocated", "IpAddressInUse"})
"""What Neutron says of an address that any port has, as a router's way out."""


def on(link: Link, there: Iterable[Server]) -> dict[str, str]:
    """Return the floating addresses that lead to servers, by Nova's id: of those servers that say that they have one.
    It is one call for all of them, and none where none of them says so."""
    noted = {server["id"]: server for server in there if _notes(server)}
    if not noted:
        return {}
    tags = sorted(servers.tag_of(servers.id_of(server)) for server in noted.values())
    # Of many, asking for all that there are is one call as well.
    some = {"description": tags} if len(tags) <= _AT_ONCE else {}
    found = {}
    for one in link.every("network", _PATH, _KEY, **some):
        server = noted.get((one.get("port_details") or {}).get("device_id", ""))
        if server and _is_of(one, servers.id_of(server), server["tenant_id"]):
            found[server["id"]] = str(one["floating_ip_address"])
    return found


def ensure(link: Link, catalogue: Catalogue, spec: MachineSpec, project: str, made: Mapping[int, str]) -> None:
    """Let the floating address of a spec lead to the machine, and no other of ours. `made` are the ids of its ports by
    card. Raises Rejected, Unreachable."""
    kept = None
    for one in _of(link, spec.id, project):
        if one["floating_ip_address"] == spec.floating_address and kept is None:
            kept = one
        else:
            _delete(link, [one])
    if spec.floating:
        _lead(link, catalogue, spec.floating, kept, _whereto(spec, project, made))


def change(link: Link, catalogue: Catalogue, spec: MachineSpec, server: Server) -> None:
    """Do so for a machine whose server is there, and note it on that. Raises Rejected, Unreachable."""
    here = [port for port in ports.of(link, [spec.id]) if port["project_id"] == server["tenant_id"]]
    ids = {str(port["name"]): str(port["id"]) for port in here}
    names = {card: ports.port_name(spec.id, card) for card in range(len(ports.cards(spec.nics)))}
    if spec.floating:
        _note(link, server, spec.floating.address)
    made = {card: ids[name] for card, name in names.items() if name in ids}
    ensure(link, catalogue, spec, server["tenant_id"], made)
    if not spec.floating:
        _note(link, server, "")


def remove(link: Link, machine: UUID, project: str) -> None:
    """Remove what a machine has of floating IPs in its project."""
    _delete(link, _of(link, machine, project))


def remove_loose(link: Link, project: str) -> None:
    """Remove those of ours in a project that lead nowhere: what is left of a machine whose port others deleted."""
    _delete(link, [one for one in link.every("network", _PATH, _KEY, project_id=project) if _is_loose(one)])


def _of(link: Link, machine: UUID, project: str) -> list[Document]:
    """Return a machine's floating IPs in its project, whatever they lead to."""
    listed = link.few("network", _PATH, _KEY, description=servers.tag_of(machine), project_id=project)
    return [one for one in listed if _is_of(one, machine, project)]


def _delete(link: Link, floating: Iterable[Document]) -> None:
    for one in floating:
        link.tell("network", "DELETE", f"{_PATH}/{one['id']}")


def _note(link: Link, server: Server, address: str) -> None:
    label = servers.label_of(server)
    if label and label.floating != address:
        written = {"metadata": servers.noted(address)}
        link.tell("compute", "POST", f"/servers/{server['id']}/metadata", written)


def _whereto(spec: MachineSpec, project: str, made: Mapping[int, str]) -> Document:
    """Return what a floating IP of a machine is to say besides its address. Raises Rejected."""
    for card, nics in enumerate(ports.cards(spec.nics)):
        inside = _first_ipv4(nics)
        if inside is None:
            continue
        port = made.get(card)
        if port is None:
            raise Rejected("openstack.no_port", f"the port of {inside} is gone: nothing can lead to {spec.name}")
        where = {"port_id": port, "fixed_ip_address": inside}
        return {**where, "project_id": project, "description": servers.tag_of(spec.id)}
    raise Rejected("openstack.no_port", f"{spec.name} has no IPv4 address that a floating one could lead to")


def _first_ipv4(nics: Sequence[Nic]) -> str | None:
    return next((nic.address for nic in nics if valid_ipv4(nic.address)), None)


def _lead(link: Link, catalogue: Catalogue, floating: Floating, kept: Document | None, where: Document) -> None:
    leads = {name: where[name] for name in ("port_id", "fixed_ip_address")}
    if kept and leads.items() <= kept.items():
        return
    try:
        path = f"{_PATH}/{kept['id']}" if kept else _PATH
        answer = _told(link, "PUT", path, leads) if kept else _made(link, catalogue, floating, where)
    except Conflict as conflict:
        if conflict.kind != "FloatingIPPortAlreadyAssociated":
            raise
        raise Rejected("openstack.other_floating", f"somebody else gave it a floating IP: {conflict}") from conflict
    if answer is None:
        raise _nowhere(link, catalogue, floating, where, path)


def _made(link: Link, catalogue: Catalogue, floating: Floating, where: Document) -> Document | None:
    body = {
        "floating_network_id": catalogue.outside(floating.network),
        "floating_ip_address": floating.address,
        **where,
    }
    try:
        return _told(link, "POST", _PATH, body)
    except Conflict as conflict:
        held = link.few("network", _PATH, _KEY, floating_ip_address=floating.address)
        held = [one for one in held if one["floating_network_id"] == body["floating_network_id"]]
        if conflict.kind == "OverQuota":
            _lift_quota(link, where["project_id"])
        elif any(_is_same(one, where) for one in held):
            raise Unreachable(f"{floating.address} was just made by another worker; looking again") from conflict
        elif held and _is_loose(held[0]) and catalogue.acts_in(held[0]["project_id"]):
            # The ledger gives out no address that is anybody's: it leads nowhere and was left behind.
            _delete(link, held[:1])
        elif held:
            holder = f"floating IP {held[0]['id']} of project {held[0]['project_id']} has it"
            detail = f"{floating.address} cannot be taken: {conflict}; {holder}"
            raise Rejected("openstack.address_taken", detail) from conflict
        elif conflict.kind in _TAKEN:
            detail = f"{floating.address} cannot be taken: {conflict}; a port of {floating.network} has it"
            raise Rejected("openstack.address_taken", detail) from conflict
        else:
            raise
    return _told(link, "POST", _PATH, body)


def _nowhere(link: Link, catalogue: Catalogue, floating: Floating, where: Document, path: str) -> Exception:
    """Return what it means that Neutron found nothing where a floating IP was to lead, or no floating IP."""
    catalogue.forget()
    # Where the external network itself has gone, this says so.
    catalogue.outside(floating.network)
    gone = [one for one in (path, f"/ports/{where['port_id']}") if one != _PATH and link.ask("network", one) is None]
    if gone:
        return Unreachable(f"{gone[0]} has just gone; looking again")
    detail = f"no router leads from {floating.network} to {where['fixed_ip_address']}, so {floating.address} cannot"
    return Rejected("openstack.not_routed", detail)


def _told(link: Link, method: str, path: str, body: Document) -> Document | None:
    return link.tell("network", method, path, {"floatingip": body})


def _lift_quota(link: Link, project: str) -> None:
    """A project that is older than floating addresses has Neutron's own quota of them."""
    link.tell("network", "PUT", f"/quotas/{project}", {"quota": {"floatingip": -1}})


def _notes(server: Server) -> bool:
    label = servers.label_of(server)
    return label is not None and bool(label.floating)


def _is_of(one: Document, machine: UUID, project: str) -> bool:
    return bool(one["description"] == servers.tag_of(machine) and one["project_id"] == project)


def _is_same(one: Document, where: Document) -> bool:
    return all(one[name] == where[name] for name in ("description", "project_id"))


def _is_loose(one: Document) -> bool:
    return one["port_id"] is None and servers.machine_by_tag(one["description"]) is not None
