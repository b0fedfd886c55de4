"""What an ingress rule may say: read from people's words, and refused in words that say what to write. Pure."""

import re
from typing import get_args

from netaddr import AddrFormatError, IPNetwork

from controlplane.errors import Invalid
from provisioners.contract import Ingress, IngressProtocol

PROTOCOLS: dict[str, IngressProtocol] = {name: name for name in get_args(IngressProtocol)}
WITH_PORTS = ("tcp", "udp")
_OF_VERSION = {4: "icmp", 6: "ipv6-icmp"}
_LAST_PORT = 65535


def read(protocol: str, ports: str | None, source: str) -> Ingress:
    """Return what is let in: `ports` is one or a range (`443`, `8000-8080`), None for all; `source` a network in CIDR
    form. Raises Invalid."""
    known = PROTOCOLS.get(protocol)
    if known is None:
        raise Invalid(field="protocol", reason=f"{protocol!r} is none of {', '.join(PROTOCOLS)}")
    network = _network(source)
    if known in _OF_VERSION.values() and known != _OF_VERSION[network.version]:
        reason = f"{network} is of IPv{network.version}, and {known} is not: take {_OF_VERSION[network.version]}"
        raise Invalid(field="protocol", reason=reason)
    if ports and known not in WITH_PORTS:
        raise Invalid(field="ports", reason=f"{known} has no ports: leave them out, or take {' or '.join(WITH_PORTS)}")
    return Ingress(known, str(network), *(_ports(ports) if ports else ()))


def _network(source: str) -> IPNetwork:
    try:
        network = IPNetwork(source.strip())
    except (AddrFormatError, ValueError) as error:
        raise Invalid(field="source", reason=f"{source!r} is no network: write one like 10.1.0.0/16") from error
    if "/" not in source:
        raise Invalid(field="source", reason=f"{source!r} has no length: for this one address, write {network}")
    if network.ip != network.network:
        reason = f"{source!r} names a host in a network: write {network.cidr}, or {IPNetwork(network.ip)}"
        raise Invalid(field="source", reason=reason)
    return network


def _ports(ports: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", ports.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= _LAST_PORT:
        reason = f"{ports!r} is no port and no range: write one like 443 or 8000-8080, of 1 to {_LAST_PORT}"
        raise Invalid(field="ports", reason=reason)
    return first, last
