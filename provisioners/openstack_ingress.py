"""What is let in to departments' machines: rules in the default security group of each project.

Those that we make are told by their description, and go once nobody wants them; those of others stay, and one of them
that lets in what we want serves as well. The group has what Neutron gives each: all of the group reach each other, and
everything may go out.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from netaddr import IPNetwork

from provisioners.contract import Astray, Ingress, IngressProtocol, Unreachable
from provisioners.openstack_catalogue import OURS
from provisioners.openstack_link import Conflict, Document, Link
from provisioners.openstack_networks import told

_EXISTS = "SecurityGroupRuleExists"
_FIELDS = (
    *("id", "security_group_id", "description", "ethertype", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_group_id", "remote_address_group_id"),
)
_ANYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
_PROTOCOLS: Mapping[str, IngressProtocol] = {
    **{name: name for name in get_args(IngressProtocol)},
    **{"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp"},
}
"""Neutron keeps a protocol by the name or the number by which it was told of it."""


def astray(link: Link, projects: Mapping[str, str], wanted: Mapping[str, frozenset[Ingress]]) -> dict[str, Astray]:
    """Return in what departments' ingress is not what is `wanted`, by code; `projects` are ids by code. Two lists,
    however many departments there are."""
    groups = link.every("network", "/security-groups", "security_groups", name="default", fields=("id", "project_id"))
    of_project = {group["project_id"]: str(group["id"]) for group in groups}
    by_group: dict[str, list[Document]] = {}
    for rule in _rules(link):
        by_group.setdefault(rule["security_group_id"], []).append(rule)
    there = {code: by_group.get(of_project.get(projects[code], ""), []) for code in wanted}
    return {
        code: Astray(_missing(there[code], rules), frozenset(_left(there[code], rules)))
        for code, rules in wanted.items()
    }


def let_in(link: Link, project: str, wanted: frozenset[Ingress]) -> None:
    """Let the rules of ours in a project be those that are wanted. Raises Rejected, Unreachable."""
    group = _default_group(link, project)
    there = list(_rules(link, security_group_id=group))
    _make(link, [_body(project, group, rule) for rule in sorted(_missing(there, wanted), key=str)])
    for gone in _left(there, wanted).values():
        link.tell("network", "DELETE", f"/security-group-rules/{gone}")


def _rules(link: Link, **of: str) -> Iterable[Document]:
    return link.every(
        "network", "/security-group-rules", "security_group_rules", direction="ingress", fields=_FIELDS, **of
    )


def _missing(there: Iterable[Document], wanted: frozenset[Ingress]) -> frozenset[Ingress]:
    return wanted - {_read(rule) for rule in there}


def _left(there: Iterable[Document], wanted: frozenset[Ingress]) -> dict[Ingress, str]:
    """Return the rules of ours that nobody wants, with their ids."""
    ours = {_read(rule): str(rule["id"]) for rule in there if rule["description"] == OURS}
    return {rule: id_ for rule, id_ in ours.items() if rule is not None and rule not in wanted}


def _read(rule: Document) -> Ingress | None:
    """Return what a rule lets in; None where it says something that we never do."""
    protocol = _PROTOCOLS.get(str(rule["protocol"]).lower())
    if protocol is None or rule["remote_group_id"] or rule.get("remote_address_group_id"):
        return None
    source = IPNetwork(rule["remote_ip_prefix"] or _ANYWHERE[rule["ethertype"]])
    return Ingress(protocol, str(source.cidr), rule["port_range_min"], rule["port_range_max"])


def _make(link: Link, bodies: list[Document]) -> None:
    """Make rules by one call. Neutron makes none where one is there already: then each by a call of its own."""
    if not bodies:
        return
    try:
        told(link, "POST", "/security-group-rules", {"security_group_rules": bodies})
    except Conflict as conflict:
        if conflict.kind != _EXISTS:
            raise
        if len(bodies) > 1:
            for body in bodies:
                _make(link, [body])


def _body(project: str, group: str, rule: Ingress) -> Document:
    # Without its project it were ours, and would count against our own quota.
    return {
        "project_id": project,
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": f"IPv{IPNetwork(rule.source).version}",
        "protocol": rule.protocol,
        "remote_ip_prefix": rule.source,
        "port_range_min": rule.first,
        "port_range_max": rule.last,
        "description": OURS,
    }


def _default_group(link: Link, project: str) -> str:
    """Return a project's default security group, which Neutron makes when it is first looked at."""
    for group in link.few("network", "/security-groups", "security_groups", project_id=project, name="default"):
        return str(group["id"])
    raise Unreachable("Neutron has no default security group for a project yet")
