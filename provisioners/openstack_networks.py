"""Networks that are a department's own: each made in its project with the first address on it, linked by one router.

Neutron knows no unique names. Ours carry a description, by which they are looked for before one is made. Where two
workers make one at the same moment, each looks again before it uses any and deletes all but one: Neutron deletes
nothing that has ports, so one is left whoever is faster, and whose was deleted looks anew.
"""

from typing import Any, Literal

from netaddr import IPAddress, IPNetwork, valid_ipv4, valid_ipv6

from provisioners.contract import Nic, OwnNetwork, Rejected, Unreachable
from provisioners.openstack_catalogue import OURS, Catalogue, Place
from provisioners.openstack_link import Conflict, Document, Link

Made = Literal["network", "router"]

ROUTER = "steppe"
INTERFACES = frozenset(
    ("network:router_interface", "network:router_interface_distributed", "network:ha_router_replicated_interface")
)
"""What Neutron calls the ports by which routers of each kind are on a network."""
_DHCP_OF_IPV6 = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}


def place(link: Link, catalogue: Catalogue, nic: Nic, project: str) -> Place:
    """Return where the region has an address of a machine in `project`; what is missing of a department's own network
    is made. Raises Rejected, Unreachable."""
    if nic.own is None:
        return catalogue.place(nic, project)
    try:
        return _own_place(link, catalogue, nic, nic.own, project)
    except Unreachable:
        # What was known of it may be what another worker has just deleted.
        catalogue.forget()
        raise


def _own_place(link: Link, catalogue: Catalogue, nic: Nic, own: OwnNetwork, project: str) -> Place:
    owner = catalogue.project(own.department)
    network = catalogue.kept(f"own network {owner} {nic.network}", lambda: _network(link, owner, nic.network))
    key = f"own subnet {network} {block_of(nic)} {nic.dns}"
    subnet = catalogue.kept(key, lambda: _subnet(link, catalogue, nic, own, (network, owner)))
    if project != owner:
        catalogue.kept(f"shared {network} {project}", lambda: _shared(link, network, owner, project))
    return Place(network, subnet)


def block_of(nic: Nic) -> str:
    """Return the range of the subnet that an address is of."""
    return str(IPNetwork(f"{nic.address}/{nic.prefix}").cidr)


def ours(link: Link, kind: Made, **wanted: str) -> list[Document]:
    """Return the networks or routers that we made and that are so."""
    found = link.every("network", f"/{kind}s", f"{kind}s", description=OURS, **wanted)
    return [one for one in found if one.get("description") == OURS]


def told(link: Link, method: str, path: str, body: Document) -> Document:
    """Send an order to Neutron. Raises Rejected, also over a quota; Unreachable where what it is about has gone."""
    try:
        answer = link.tell("network", method, path, body)
    except Conflict as conflict:
        if conflict.kind == "OverQuota":
            raise Rejected("openstack.over_quota", str(conflict)) from conflict
        raise
    if answer is None:
        raise Unreachable(f"what {method} {path} is about has just gone; looking again")
    return answer


def _network(link: Link, owner: str, name: str) -> str:
    wanted = {"name": name, "project_id": owner}
    found = ours(link, "network", **wanted)
    if not found:
        told(link, "POST", "/networks", {"network": {**wanted, "description": OURS}})
        found = ours(link, "network", **wanted)
    return str(_settled(link, "network", found)["id"])


def _settled(link: Link, kind: Made, found: list[Document]) -> Document:
    """Return the one of several that is used, or else the oldest, once the others are deleted. Raises Unreachable."""
    if not found:
        raise Unreachable(f"the {kind} that was just made has gone; looking again")
    if len(found) == 1:
        return found[0]
    kept, *others = sorted(found, key=lambda one: (not _is_used(link, kind, one), one["created_at"], one["id"]))
    for other in others:
        link.tell("network", "DELETE", f"/{kind}s/{other['id']}")
    return kept


def _is_used(link: Link, kind: Made, one: Document) -> bool:
    of = {"network": "network_id", "router": "device_id"}[kind]
    ports = link.few("network", "/ports", "ports", **{of: one["id"]}, fields=("id", "device_owner"))
    return any(is_users(port) or port["device_owner"] in INTERFACES for port in ports)


def is_users(port: Document) -> bool:
    """Tell whether a port is no network service's."""
    return not port["device_owner"].startswith("network:")


def _subnet(link: Link, catalogue: Catalogue, nic: Nic, own: OwnNetwork, where: tuple[str, str]) -> str:
    """Return the id of the subnet of a network that has an address, made and linked with the department's others where
    it was not. `where` is the network and the project."""
    network, owner = where
    found = _in_network(link, network, block_of(nic))
    if found is None:
        try:
            told(link, "POST", "/subnets", {"subnet": _subnet_body(nic, own, network, owner)})
        except (Rejected, Conflict):
            # Ranges of one network never overlap: another worker was faster, or it is refused for good.
            if _in_network(link, network, block_of(nic)) is None:
                raise
        found = _in_network(link, network, block_of(nic))
    if found is None:
        raise Unreachable(f"the subnet {block_of(nic)} that was just made has gone; looking again")
    dns = _name_servers(nic)
    if found["dns_nameservers"] != dns:
        told(link, "PUT", f"/subnets/{found['id']}", {"subnet": {"dns_nameservers": dns}})
    if nic.gateway:
        router = catalogue.kept(f"router {owner}", lambda: _router(link, catalogue, owner))
        _link(link, router, found)
    return str(found["id"])


def _in_network(link: Link, network: str, block: str) -> Document | None:
    found = link.few("network", "/subnets", "subnets", network_id=network)
    return next((subnet for subnet in found if IPNetwork(subnet["cidr"]) == IPNetwork(block)), None)


def _subnet_body(nic: Nic, own: OwnNetwork, network: str, owner: str) -> Document:
    version = IPAddress(nic.address).version
    body: dict[str, Any] = {
        "name": nic.network,
        "description": OURS,
        "project_id": owner,
        "network_id": network,
        "ip_version": version,
        "cidr": block_of(nic),
        "gateway_ip": nic.gateway,
        "enable_dhcp": True,
        # What Neutron chooses by itself; addresses of machines are asked for one by one, outside of it.
        "allocation_pools": [{"start": own.first, "end": own.last}],
        "dns_nameservers": _name_servers(nic),
    }
    return body | (_DHCP_OF_IPV6 if version == 6 else {})


def _name_servers(nic: Nic) -> list[str]:
    """Return the name servers that Neutron takes for a subnet: those of its own family. Records of old may hold what is
    no address."""
    valid = {4: valid_ipv4, 6: valid_ipv6}[IPAddress(nic.address).version]
    return [server for server in nic.dns if valid(server)]


def _router(link: Link, catalogue: Catalogue, owner: str) -> str:
    wanted = {"name": ROUTER, "project_id": owner}
    outside = catalogue.external_network()
    way_out = {"external_gateway_info": {"network_id": outside}} if outside else {}
    found = ours(link, "router", **wanted)
    if not found:
        told(link, "POST", "/routers", {"router": {**wanted, "description": OURS, **way_out}})
        found = ours(link, "router", **wanted)
    router = _settled(link, "router", found)
    if outside and not router.get("external_gateway_info"):
        told(link, "PUT", f"/routers/{router['id']}", {"router": way_out})
    return str(router["id"])


def _link(link: Link, router: str, subnet: Document) -> None:
    if _is_linked(link, router, subnet):
        return
    try:
        told(link, "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]})
    except (Rejected, Conflict) as refusal:
        if _is_linked(link, router, subnet):
            return
        if isinstance(refusal, Conflict) and refusal.kind.startswith("Ip"):
            detail = f"the gateway {subnet['gateway_ip']} of {subnet['name']} cannot be taken: {refusal}"
            raise Rejected("openstack.address_taken", detail) from refusal
        raise


def _is_linked(link: Link, router: str, subnet: Document) -> bool:
    on = {"device_id": router, "fixed_ips": f"subnet_id={subnet['id']}", "fields": ("id", "device_owner")}
    return any(p["device_owner"] in INTERFACES for p in link.few("network", "/ports", "ports", **on))


def _shared(link: Link, network: str, owner: str, project: str) -> bool:
    """Let another project, of a department below, have ports on a network; return whether that is new."""
    body = {
        "object_type": "network",
        "object_id": network,
        "action": "access_as_shared",
        "target_tenant": project,
        "project_id": owner,
    }
    try:
        told(link, "POST", "/rbac-policies", {"rbac_policy": body})
    except Conflict:
        return False
    return True
