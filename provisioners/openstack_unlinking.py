"""Taking down networks that are a department's own: from the router, then the router, the subnet, the network.

What somebody else has put on one keeps it, and is said; nothing that is not ours is removed.
"""

from collections.abc import Callable, Mapping

from netaddr import IPNetwork

from provisioners.contract import Rejected
from provisioners.openstack_catalogue import OURS
from provisioners.openstack_link import Conflict, Document, Link
from provisioners.openstack_networks import INTERFACES, is_users, ours

Ranges = frozenset[tuple[str, str]]

_PORT = ("id", "device_id", "device_owner", "project_id")


def found(link: Link, projects: Mapping[str, str]) -> dict[str, Ranges]:
    """Return the own networks of departments (project ids by code): the name of each with the ranges that it has, ""
    where it has none."""
    networks = {network["id"]: network for network in ours(link, "network")}
    subnets = link.every("network", "/subnets", "subnets", description=OURS) if networks else ()
    ranges: dict[str, list[str]] = {}
    for subnet in subnets:
        ranges.setdefault(subnet["network_id"], []).append(str(IPNetwork(subnet["cidr"])))
    there: dict[str, set[tuple[str, str]]] = {}
    for id_, network in networks.items():
        there.setdefault(network["project_id"], set()).update((network["name"], r) for r in ranges.get(id_, ("",)))
    return {code: frozenset(there.get(project, ())) for code, project in projects.items()}


def remove(link: Link, project: str, name: str, block: str) -> None:
    """Remove one range of a department's own network, with the network if it was the last one, and the router if that
    has no other network. Raises Rejected where somebody else uses it."""
    for network in ours(link, "network", name=name, project_id=project):
        _remove(link, project, network, lambda subnet: bool(block) and IPNetwork(subnet["cidr"]) == IPNetwork(block))


def remove_all(link: Link, project: str) -> None:
    """Remove every network of ours in a project, and the router. Raises Rejected where somebody else uses one."""
    for network in ours(link, "network", project_id=project):
        _remove(link, project, network, lambda _subnet: True)
    _remove_routers(link, project)


def _remove(link: Link, project: str, network: Document, goes: Callable[[Document], bool]) -> None:
    subnets = link.few("network", "/subnets", "subnets", network_id=network["id"])
    going = [subnet for subnet in subnets if goes(subnet)]
    for subnet in going:
        _unlink(link, project, network, subnet)
    # The router before what it linked: while that is there it is found again, and so is what a dead worker has left.
    _remove_routers(link, project)
    for subnet in going:
        _tell(link, "DELETE", f"/subnets/{subnet['id']}")
    if len(going) == len(subnets):
        _tell(link, "DELETE", f"/networks/{network['id']}")


def _unlink(link: Link, project: str, network: Document, subnet: Document) -> None:
    on = link.few("network", "/ports", "ports", fixed_ips=f"subnet_id={subnet['id']}", fields=_PORT)
    routers = {router["id"] for router in ours(link, "router", project_id=project)}
    linking = [port for port in on if port["device_owner"] in INTERFACES]
    others = [port for port in on if is_users(port)] + [port for port in linking if port["device_id"] not in routers]
    if others:
        port = others[0]
        detail = f"network {network['name']} still has port {port['id']} of project {port['project_id']}"
        raise Rejected("openstack.project_in_use", detail)
    for router in {port["device_id"] for port in linking}:
        _tell(link, "PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": subnet["id"]})


def _remove_routers(link: Link, project: str) -> None:
    for router in ours(link, "router", project_id=project):
        ports = link.few("network", "/ports", "ports", device_id=router["id"], fields=_PORT)
        if not any(port["device_owner"] in INTERFACES for port in ports):
            _tell(link, "DELETE", f"/routers/{router['id']}")


def _tell(link: Link, method: str, path: str, body: Document | None = None) -> None:
    """Order that something go. Raises Rejected where Neutron says that it is in use, by what no list of ports shows."""
    try:
        link.tell("network", method, path, body)
    except Conflict as conflict:
        raise Rejected("openstack.project_in_use", str(conflict)) from conflict
