"""What a gateway's files and answers say, and what they are to say: pure.

A group is in force where both its file, which ocserv reads as a session begins, and the firewall's set have it. What
is in one of them alone is seen by this; so is whatever lets through more than was asked for.
"""

import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from ipaddress import IPv4Network, collapse_addresses
from itertools import pairwise
from typing import Any

from provisioners.contract import Rejected, Tunnel, TunnelGroup

Pair = tuple[str, str]
"""Addresses of clients, and those that they reach; CIDRs."""

OPEN = TunnelGroup("", "0.0.0.0/0", ("0.0.0.0/0",), 0, 0)
"""What is in force where the firewall's rules are not: everybody reaches everything."""

# Without any route a client sends all that it has into the tunnel. RFC 5737: nobody is there.
_NOWHERE = "192.0.2.0/24"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# ocserv counts bytes, and drops what is less than a thousand of them: no limit at all would be left.
_BYTES_A_KBIT, _LEAST_KBIT = 125, 8
# What each chain's rules come to, in the order of the playbooks' forward.nft.j2.
_CHAINS: Mapping[str, tuple[str, ...]] = {
    "spoofed": ("drop",),
    "gateway": ("drop",),
    "forward": ("accept", "accept", "accept", "counter"),
}


def group_file(group: TunnelGroup) -> str:
    """Return what ocserv is told of a group. From where it stands, what a client sends is `rx`."""
    rates = (("tx-data-per-sec", group.down_kbit), ("rx-data-per-sec", group.up_kbit))
    lines = [
        ("ipv4-network", group.cidr),
        *(("route", network) for network in group.networks or (_NOWHERE,)),
        ("session-timeout", group.session_seconds),
        ("idle-timeout", group.idle_seconds),
        *((key, kbit * _BYTES_A_KBIT) for key, kbit in rates if kbit is not None),
    ]
    return "".join(f"{key} = {value}\n" for key, value in lines)


def read_group(name: str, text: str) -> TunnelGroup:
    """Return the group of a file. One that says anything that `group_file` does not is a group without addresses."""
    said = defaultdict(list)
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        said[key].append(value)
    try:
        group = TunnelGroup(
            name,
            said["ipv4-network"][0],
            tuple(said["route"] if said["route"] != [_NOWHERE] else ()),
            int(said["session-timeout"][0]),
            int(said["idle-timeout"][0]),
            *(int(said[key][0]) // _BYTES_A_KBIT if said[key] else None for key in _RATES),
        )
        networks_of(group)
    except (IndexError, ValueError):
        return TunnelGroup(name, "", (), 0, 0)
    return group if group_file(group) == text else TunnelGroup(name, "", (), 0, 0)


_RATES = ("tx-data-per-sec", "rx-data-per-sec")


def networks_of(group: TunnelGroup) -> frozenset[Pair]:
    """Return what the firewall must let through for a group, as few pairs as it takes. Raises ValueError."""
    reached = collapse_addresses(IPv4Network(network) for network in group.networks)
    return frozenset((str(IPv4Network(group.cidr)), str(network)) for network in reached)


def checked(groups: Collection[TunnelGroup]) -> list[TunnelGroup]:
    """Return the groups by name. Raises Rejected for what ocserv or the firewall would take for something else."""
    for group in groups:
        if not _NAME.fullmatch(group.name):
            raise Rejected("gateway.group", f"a gateway cannot have a group named {group.name!r}")
        for cidr in (group.cidr, *group.networks):
            if not _is_plain(cidr):
                raise Rejected("gateway.group", f"group {group.name}: {cidr} is not an IPv4 network that it can have")
        slow = [kbit for kbit in (group.down_kbit, group.up_kbit) if kbit is not None and kbit < _LEAST_KBIT]
        if slow:
            raise Rejected("gateway.group", f"group {group.name}: no rate can be under {_LEAST_KBIT} kbit/s")
    if len({group.name for group in groups}) < len(groups):
        raise Rejected("gateway.group", "two groups have one name")
    for one, other in pairwise(sorted(groups, key=lambda group: IPv4Network(group.cidr))):
        if IPv4Network(one.cidr).overlaps(IPv4Network(other.cidr)):
            raise Rejected("gateway.group", f"groups {one.name} and {other.name} share addresses of tunnels")
    return sorted(groups, key=lambda group: group.name)


def _is_plain(cidr: str) -> bool:
    try:
        return str(IPv4Network(cidr)) == cidr != _NOWHERE
    except ValueError:
        return False


def read_archive(archive: bytes) -> dict[str, str]:
    """Return the texts of the files right in an archive's folder, by name. Raises tarfile.TarError."""
    texts = {}
    with tarfile.open(fileobj=BytesIO(archive), mode="r:") as opened:
        for member in opened:
            if not member.isdir():
                content = opened.extractfile(member) if member.isfile() else None
                texts[member.name.removeprefix("./")] = content.read().decode(errors="replace") if content else ""
    return texts


def read_pairs(listing: bytes) -> frozenset[Pair] | None:
    """Return what the firewall lets through, of `nft -j list table`. None where it does not hold the rest back."""
    items: list[dict[str, Any]] = json.loads(listing)["nftables"]
    chains = {item["chain"]["name"]: item["chain"] for item in items if "chain" in item}
    rules = defaultdict(list)
    for rule in (item["rule"] for item in items if "rule" in item):
        rules[rule["chain"]].append(next(iter(rule["expr"][-1])))
    held = all("hook" in chains.get(name, ()) and tuple(rules[name]) == come for name, come in _CHAINS.items())
    if not held or chains["forward"]["policy"] != "drop":
        return None
    elements = [element for item in items if "set" in item for element in item["set"].get("elem", ())]
    return frozenset(_pair(element) for element in elements)


def _pair(element: dict[str, Any]) -> Pair:
    clients, reached = element.get("elem", {}).get("val", element)["concat"]
    return _cidr(clients), _cidr(reached)


def _cidr(said: Any) -> str:
    if isinstance(said, dict) and "prefix" in said:
        return f"{said['prefix']['addr']}/{said['prefix']['len']}"
    return "-".join(said["range"]) if isinstance(said, dict) else f"{said}/32"


def in_force(files: Mapping[str, str], pairs: Collection[Pair] | None) -> frozenset[TunnelGroup]:
    """Return the groups as they are in force; those without a name are what the firewall lets through beside them."""
    if pairs is None:
        return frozenset({OPEN, *(_reaching(read_group(name, text), ()) for name, text in files.items())})
    groups = [read_group(name, text) for name, text in files.items()]
    asked = {pair for group in groups if group.cidr for pair in networks_of(group)}
    beside = defaultdict(list)
    for clients, reached in sorted(set(pairs) - asked):
        beside[clients].append(reached)
    return frozenset(
        {
            *(_reaching(group, pairs) for group in groups),
            *(TunnelGroup("", clients, tuple(reached), 0, 0) for clients, reached in beside.items()),
        }
    )


def _reaching(group: TunnelGroup, pairs: Collection[Pair]) -> TunnelGroup:
    """Return a group with those of its networks that the firewall lets it reach."""
    if not group.networks or networks_of(group) <= set(pairs):
        return group
    let = [IPv4Network(reached) for clients, reached in pairs if clients == group.cidr and "-" not in reached]
    reached = tuple(n for n in group.networks if any(IPv4Network(n).subnet_of(network) for network in let))
    return TunnelGroup(
        group.name, group.cidr, reached, group.session_seconds, group.idle_seconds, group.down_kbit, group.up_kbit
    )


def read_tunnels(listing: bytes) -> Iterator[tuple[str, Tunnel]]:
    """Yield each session that is up, of `occtl -j show users`, with the number by which ocserv ends it now.

    That number is a process's and comes again one day. The session's own id does not; RADIUS is told the same one.
    Whoever connects again with a session that is still valid has another number and the same id.
    """
    for user in json.loads(listing.decode(errors="replace") or "[]", strict=False):
        if user["State"] == "connected":
            yield (
                str(user["ID"]),
                Tunnel(
                    username=user["Username"],
                    group="" if user["Groupname"] == "(none)" else user["Groupname"],
                    session=user["Full session"],
                    since=_since(user),
                    client=user["Remote IP"],
                    address=user.get("IPv4", ""),
                    bytes_in=_count(user.get("RX")),
                    bytes_out=_count(user.get("TX")),
                ),
            )


def _since(user: Mapping[str, Any]) -> float:
    """Return when a session came up; ocserv before 1.2 tells it to the minute."""
    if "raw_connected_at" in user:
        return float(user["raw_connected_at"])
    return datetime.strptime(user["Connected at"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()


def _count(said: Any) -> int:
    """Return a count of bytes; under the same key ocserv also tells a limit, in words, where it has no count yet."""
    return int(said) if str(said).isdecimal() else 0
