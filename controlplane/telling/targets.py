"""Where webhooks may go: the guard against having Steppe call its own host or what only that host can reach (SSRF).

A name is resolved once. What it resolves to is judged, and that very address is connected to: a name that says
something else the next moment gains nothing. Networks of the government are private ones, so those are allowed.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from controlplane.errors import ForbiddenTarget, NoWebhookUrl

LONGEST_URL = 2000
_MOST_TRIED = 3
"""Of the addresses that a name has: one that has hundreds, none of which answers, must not hold up the others."""
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

_REFUSED: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/128", "::1/128", "fe80::/10", "fec0::/10", "ff00::/8"),
        # Where clouds tell a machine its secrets, beside 169.254.169.254.
        *("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::254/128"),
    )
)
_CARRIES_IPV4 = tuple(ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))


@dataclass(frozen=True, slots=True)
class Allowed:
    """Networks and names of hosts that are allowed and no others; with neither, all but what is refused. A name that
    is allowed may still not lead to an address that is refused, unless its network is allowed too."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, setting: str) -> "Allowed":
        """Return what a setting says: networks and names of hosts, separated by commas."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for part in (part.strip().lower() for part in setting.split(",") if part.strip()):
            try:
                networks.append(ip_network(part, strict=False))
            except ValueError:
                hosts.add(part.rstrip("."))
        return cls(tuple(networks), frozenset(hosts))


@dataclass(frozen=True, slots=True)
class Target:
    """A place that may be called: `host` is its name, `addresses` are what the name resolved to, all of them judged;
    `path` is path and query."""

    secure: bool
    host: str
    port: int
    addresses: tuple[str, ...]
    path: str


def parsed(url: str) -> tuple[bool, str, int, str]:
    """Return (secure, host, port, path and query) of a URL. Raises NoWebhookUrl."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NoWebhookUrl from None
    secure = parts.scheme == "https"
    plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>^`{|}')
    whole = parts.scheme in {"http", "https"} and host and port != 0
    if not (whole and plain and not set(parts.netloc) & set("@%") and not parts.fragment and len(url) <= LONGEST_URL):
        raise NoWebhookUrl
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return secure, str(host), port or (443 if secure else 80), path


def check_literal(url: str, allowed: Allowed) -> None:
    """Refuse a URL that can be seen to lead nowhere good without asking any name server.

    Raises NoWebhookUrl, ForbiddenTarget.
    """
    _, host, port, _ = parsed(url)
    name = host.rstrip(".")
    if allowed.networks == () and (name == "localhost" or name.endswith(".localhost")):
        raise ForbiddenTarget(host=host)
    try:
        # It knows every spelling of an address that a resolver would take: 2130706433, 0x7f.1 and the like.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    _judge(host, [str(info[4][0]) for info in found], allowed)


def target(url: str, allowed: Allowed, resolver: Resolver) -> Target:
    """Return where a URL leads, after one question to the name server. Raises NoWebhookUrl, ForbiddenTarget, OSError
    where the name is not known."""
    secure, host, port, path = parsed(url)
    addresses = list(dict.fromkeys(resolver(host, port)))
    _judge(host, addresses, allowed)
    return Target(secure, host, port, tuple(addresses[:_MOST_TRIED]), path)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, the best first. Raises OSError."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except UnicodeError as error:
        raise OSError(f"{host}: no name of a host") from error


def _judge(host: str, addresses: Sequence[str], allowed: Allowed) -> None:
    if not addresses or not all(_may(host, ip_address(address.partition("%")[0]), allowed) for address in addresses):
        raise ForbiddenTarget(host=host)


def _may(host: str, address: Address, allowed: Allowed) -> bool:
    meant = _meant(address)
    if any(_within(one, network) for network in allowed.networks for one in (address, meant)):
        return True
    restricted = bool(allowed.networks or allowed.hosts)
    if restricted and host.rstrip(".") not in allowed.hosts:
        return False
    return not any(_within(meant, network) for network in _REFUSED)


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.is_unspecified or address.is_loopback:
        return address
    carried = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if carried is None and any(address in network for network in _CARRIES_IPV4):
        carried = IPv4Address(int(address) & 0xFFFFFFFF)
    return carried or address


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
