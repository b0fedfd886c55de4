"""What a gateway's files and answers are taken to say, without a gateway."""

import io
import json
import tarfile
from dataclasses import replace

import pytest

from provisioners.contract import Rejected, Tunnel, TunnelGroup
from provisioners.ocserv_files import checked, group_file, in_force, read_archive, read_group, read_pairs, read_tunnels

GROUP = TunnelGroup("dsj", "10.129.0.0/16", ("10.50.1.0/24", "10.50.2.0/24"), 28800, 1800, 10000, 8000)
PAIRS = {("10.129.0.0/16", "10.50.1.0/24"), ("10.129.0.0/16", "10.50.2.0/24")}


def test_a_group_is_told_in_bytes_a_second_from_the_gateways_side() -> None:
    assert group_file(GROUP) == (
        "ipv4-network = 10.129.0.0/16\nroute = 10.50.1.0/24\nroute = 10.50.2.0/24\n"
        "session-timeout = 28800\nidle-timeout = 1800\ntx-data-per-sec = 1250000\nrx-data-per-sec = 1000000\n"
    )


@pytest.mark.parametrize("group", [GROUP, replace(GROUP, networks=()), replace(GROUP, up_kbit=None, down_kbit=8)])
def test_a_group_is_read_as_it_was_written(group: TunnelGroup) -> None:
    assert read_group("dsj", group_file(group)) == group


def test_a_group_that_reaches_nothing_does_not_take_all_of_a_clients_traffic() -> None:
    assert "route = " in group_file(replace(GROUP, networks=()))


@pytest.mark.parametrize("text", ["", "route = 0.0.0.0/0\n", group_file(GROUP) + "dns = 10.1.1.1\n", "\0\n= =\n"])
def test_a_file_that_says_anything_else_is_a_group_without_addresses(text: str) -> None:
    assert read_group("dsj", text) == TunnelGroup("dsj", "", (), 0, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "../dsj"}, "cannot have a group named"),
        ({"name": ".hidden"}, "cannot have a group named"),
        ({"cidr": "10.129.0.1/16"}, "10.129.0.1/16 is not an IPv4 network"),
        ({"cidr": "fd00::/64"}, "is not an IPv4 network"),
        ({"networks": ("10.0.0.0/8\nroute = 0.0.0.0/0",)}, "is not an IPv4 network"),
        ({"networks": ("10.50.1.7",)}, "is not an IPv4 network"),
        ({"up_kbit": 7}, "under 8 kbit/s"),
    ],
)
def test_what_a_gateway_would_take_for_something_else_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(Rejected, match=r"gateway\.group: (?s:.)*" + why):
        checked([replace(GROUP, **change)])


def test_groups_that_share_a_name_or_addresses_are_refused() -> None:
    with pytest.raises(Rejected, match="one name"):
        checked([GROUP, replace(GROUP, cidr="10.130.0.0/16")])
    with pytest.raises(Rejected, match="groups dsj and wjw share addresses"):
        checked([replace(GROUP, name="wjw", cidr="10.129.7.0/24"), GROUP])


def test_networks_that_touch_are_let_through_as_one() -> None:
    halves = replace(GROUP, networks=("10.50.0.0/25", "10.50.0.128/25", "10.50.0.7/32"))
    assert in_force({"dsj": group_file(halves)}, {("10.129.0.0/16", "10.50.0.0/24")}) == {halves}


def test_a_network_that_the_firewall_lost_is_not_in_force() -> None:
    assert in_force({"dsj": group_file(GROUP)}, {("10.129.0.0/16", "10.50.1.0/24")}) == {
        replace(GROUP, networks=("10.50.1.0/24",))
    }


def test_a_route_that_the_file_lost_is_not_in_force_and_the_firewalls_share_is_seen() -> None:
    shorter = replace(GROUP, networks=("10.50.1.0/24",))
    beside = TunnelGroup("", "10.129.0.0/16", ("10.50.2.0/24",), 0, 0)
    assert in_force({"dsj": group_file(shorter)}, PAIRS) == {shorter, beside}


def _listing(elements: list[object], policy: str = "drop") -> bytes:
    chains = {"spoofed": ["drop"], "gateway": ["drop"], "forward": ["accept", "accept", "accept", "counter"]}
    items: list[object] = [{"set": {"name": "allowed", "elem": elements}}]
    items += [{"chain": {"name": name, "hook": "any", "policy": policy}} for name in chains]
    items += [{"rule": {"chain": name, "expr": [{"match": {}}, {v: None}]}} for name, vs in chains.items() for v in vs]
    return json.dumps({"nftables": items}).encode()


def test_the_firewalls_elements_are_read_in_each_of_their_forms() -> None:
    clients = {"prefix": {"addr": "10.129.0.0", "len": 16}}
    elements = [
        {"concat": [clients, "10.50.1.7"]},
        {"elem": {"val": {"concat": [clients, {"range": ["10.50.2.1", "10.50.2.9"]}]}, "comment": "by hand"}},
    ]
    assert read_pairs(_listing(elements)) == {
        ("10.129.0.0/16", "10.50.1.7/32"),
        ("10.129.0.0/16", "10.50.2.1-10.50.2.9"),
    }


def test_a_firewall_that_lets_the_rest_through_holds_nothing_back() -> None:
    assert read_pairs(_listing([], "drop")) == frozenset()
    assert read_pairs(_listing([], "accept")) is None


def test_a_group_of_a_range_that_somebody_let_through_by_hand_is_read() -> None:
    by_hand = {("10.129.0.0/16", "10.50.2.1-10.50.2.9")}
    beside = TunnelGroup("", "10.129.0.0/16", ("10.50.2.1-10.50.2.9",), 0, 0)
    assert in_force({"dsj": group_file(GROUP)}, by_hand) == {replace(GROUP, networks=()), beside}


def test_files_are_unpacked_by_their_names_and_never_written() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in (("./dsj", b"route = \xff\n"), ("./../up", b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("./link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert read_archive(packed.getvalue()) == {"dsj": "route = \ufffd\n", "../up": "x", "link": ""}


def _user(**changes: object) -> dict[str, object]:
    return {
        "ID": 13666,
        "Username": "zhang",
        "Groupname": "dsj",
        "State": "connected",
        "Remote IP": "10.99.1.2",
        "IPv4": "10.129.12.44",
        "RX": "300224",
        "TX": "3732",
        "Connected at": "2026-11-26 08:56",
        "Full session": "dbydJbnAwk+LNLxuYhCVS9cdvQo=",
        **changes,
    }


def test_a_session_is_known_by_its_own_id_and_ended_by_its_number() -> None:
    assert list(read_tunnels(json.dumps([_user(), _user(State="pre-auth")]).encode())) == [
        (
            "13666",
            Tunnel(
                "zhang",
                "dsj",
                "dbydJbnAwk+LNLxuYhCVS9cdvQo=",
                1795683360.0,
                "10.99.1.2",
                "10.129.12.44",
                bytes_in=300224,
                bytes_out=3732,
            ),
        )
    ]


def test_no_group_and_no_count_yet_are_nothing() -> None:
    user = _user(Groupname="(none)", TX="325.0 KB/sec", raw_connected_at=1795683377)
    ((_, tunnel),) = read_tunnels(json.dumps([user]).encode())
    assert (tunnel.group, tunnel.bytes_out, tunnel.since) == ("", 0, 1795683377)


def test_no_sessions_are_an_empty_list_in_either_form() -> None:
    assert list(read_tunnels(b"[\n]\n")) == list(read_tunnels(b"")) == []
