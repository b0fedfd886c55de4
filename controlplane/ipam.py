"""Which addresses a subnet can give, and the lowest ones that are free. Pure; netaddr does the arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from netaddr import AddrFormatError, IPAddress, IPNetwork, IPRange, IPSet, valid_ipv4, valid_ipv6

KEPT_BY_ITS_NETWORK = 3
"""As many DHCP servers as a network has at most."""
_LEAST_OF_ONES_OWN = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A subnet's addresses. `kept` names what is never given out: each entry is `a`, `a-b` or a CIDR."""

    cidr: str
    gateway: str | None = None
    kept: tuple[str, ...] = ()


class BadBlock(ValueError):
    """What was written is no address, range or network, or lies outside the subnet."""


@lru_cache(maxsize=1024)
def usable(block: Block) -> tuple[tuple[int, int], ...]:
    """Return the ranges (first, last), both inclusive, as integers in ascending order. Raises BadBlock.

    Left out: the network address (IPv6: the subnet-router anycast) and IPv4's broadcast address, the gateway, `kept`.
    A link of one or two addresses (/31, /32, /127, /128) has neither. Sources: RFC 3021, RFC 6164.
    """
    network = _network(block.cidr)
    kept = IPSet()
    if block.gateway:
        kept.add(_inside(network, block.gateway))
    for entry in block.kept:
        kept.add(_inside(network, entry))
    if network.size > 2:
        kept.add(IPAddress(network.first, network.version))
    if network.version == 4 and network.size > 2:
        kept.add(IPAddress(network.last, 4))
    free = IPSet(network) - kept
    return tuple((int(r.first), int(r.last)) for r in free.iter_ipranges())


def of_its_network(cidr: str, gateway: str | None) -> tuple[str, str]:
    """Return the first and the last of the addresses that a network of a department's own keeps for itself, for its
    DHCP servers: the highest ones, or those below the gateway where it is among them. Raises BadBlock."""
    network = _network(cidr)
    if network.size < _LEAST_OF_ONES_OWN:
        raise BadBlock(f"{cidr} is too small: a department's own network needs {_LEAST_OF_ONES_OWN} addresses")
    last = int(network.last) - (network.version == 4)
    way_out = int(_inside(network, gateway).first) if gateway else 0
    if last - KEPT_BY_ITS_NETWORK < way_out <= last:
        last = way_out - 1
    first = last - KEPT_BY_ITS_NETWORK + 1
    return str(IPAddress(first, network.version)), str(IPAddress(last, network.version))


def size(block: Block) -> int:
    """Return how many addresses the subnet can give in all."""
    return sum(last - first + 1 for first, last in usable(block))


def can_give(block: Block, address: str) -> bool:
    """Tell whether `address` is one that the subnet may give; what is no address is none."""
    try:
        plain = IPAddress(address)
    except (AddrFormatError, ValueError):
        return False
    same_family = int(plain.version) == version(block.cidr)
    return same_family and any(first <= int(plain) <= last for first, last in usable(block))


def is_address(text: str) -> bool:
    """Tell whether `text` is an address of either family, written out."""
    return bool(valid_ipv4(text) or valid_ipv6(text))


def lowest_free(
    block: Block, taken: Iterable[str], count: int, start: str | None = None, end: str | None = None
) -> list[str]:
    """Return up to `count` of the lowest usable addresses from `start` to `end`, both inclusive, not in `taken`."""
    family = version(block.cidr)
    occupied = {int(IPAddress(address)) for address in taken}
    floor = int(IPAddress(start)) if start else 0
    ceiling = int(IPAddress(end)) if end else None
    found: list[str] = []
    for first, last in usable(block):
        candidate = max(first, floor)
        stop = last if ceiling is None else min(last, ceiling)
        while candidate <= stop and len(found) < count:
            if candidate not in occupied:
                found.append(str(IPAddress(candidate, family)))
            candidate += 1
    return found


def successor(address: str) -> str:
    """Return the address after `address`."""
    return str(IPAddress(address) + 1)


@lru_cache(maxsize=1024)
def prefix_length(cidr: str) -> int:
    """Return the prefix length of a subnet."""
    return int(IPNetwork(cidr).prefixlen)


@lru_cache(maxsize=1024)
def version(cidr: str) -> int:
    """Return 4 or 6. Raises BadBlock."""
    return int(_network(cidr).version)


def overlap(cidr: str, others: Sequence[str]) -> str | None:
    """Return the first of `others` that shares an address with `cidr`, or None."""
    network = _network(cidr)
    for other in others:
        known = IPNetwork(other)
        if known.version == network.version and (known in network or network in known):
            return other
    return None


def _network(cidr: str) -> IPNetwork:
    try:
        network = IPNetwork(cidr)
    except (AddrFormatError, ValueError) as error:
        raise BadBlock(f"{cidr!r} is no network in CIDR form") from error
    if "/" not in cidr:
        raise BadBlock(f"{cidr!r} is no network in CIDR form")
    if network.ip != network.network:
        raise BadBlock(f"{cidr!r} names a host; the network is {network.cidr}")
    return network


def _inside(network: IPNetwork, entry: str) -> IPRange:
    try:
        if "/" in entry:
            inner = IPNetwork(entry)
            found = IPRange(IPAddress(inner.first, inner.version), IPAddress(inner.last, inner.version))
        else:
            first, dash, last = entry.partition("-")
            found = IPRange(first.strip(), (last if dash else first).strip())
    except (AddrFormatError, ValueError) as error:
        raise BadBlock(f"{entry!r} is no address, range a-b or network") from error
    if found not in network:
        raise BadBlock(f"{entry!r} lies outside {network}")
    return found
