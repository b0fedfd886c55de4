"""Which addresses a subnet gives, and in which order: checked by hand for each rule and against brute force."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.ipam import (
    BadBlock,
    Block,
    lowest_free,
    of_its_network,
    overlap,
    prefix_length,
    size,
    successor,
    usable,
    version,
)

MANY = 10_000


def given_out(cidr: str, gateway: str | None = None, *kept: str) -> list[str]:
    return lowest_free(Block(cidr, gateway, kept), (), MANY)


@pytest.mark.parametrize(
    ("cidr", "addresses"),
    [
        ("10.0.0.0/29", [f"10.0.0.{n}" for n in range(1, 7)]),
        ("10.0.0.0/30", ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.8/31", ["10.0.0.8", "10.0.0.9"]),
        ("10.0.0.9/32", ["10.0.0.9"]),
        ("fd00::/126", ["fd00::1", "fd00::2", "fd00::3"]),
        ("fd00::8/127", ["fd00::8", "fd00::9"]),
        ("fd00::9/128", ["fd00::9"]),
    ],
)
def test_network_and_broadcast_addresses_are_left_out_where_there_are_any(cidr: str, addresses: list[str]) -> None:
    assert given_out(cidr) == addresses
    assert size(Block(cidr)) == len(addresses)


@pytest.mark.parametrize("gateway", ["10.0.0.1", "10.0.0.3", "10.0.0.6"])
def test_the_gateway_is_never_given_wherever_it_is(gateway: str) -> None:
    assert given_out("10.0.0.0/29", gateway) == [f"10.0.0.{n}" for n in range(1, 7) if f"10.0.0.{n}" != gateway]


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (["10.0.0.3"], [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        (["10.0.0.3-10.0.0.9"], [1, 2, 10, 11, 12, 13, 14]),
        ([" 10.0.0.3 - 10.0.0.9 "], [1, 2, 10, 11, 12, 13, 14]),
        (["10.0.0.4/30"], [1, 2, 3, 8, 9, 10, 11, 12, 13, 14]),
        (["10.0.0.3-10.0.0.3"], [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        (["10.0.0.1-10.0.0.6", "10.0.0.5-10.0.0.9", "10.0.0.9", "10.0.0.12/31"], [10, 11, 14]),
        (["10.0.0.0", "10.0.0.15"], list(range(1, 15))),
        (["10.0.0.0/28"], []),
    ],
)
def test_what_is_kept_is_never_given_whichever_way_it_is_written(kept: list[str], left: list[int]) -> None:
    assert given_out("10.0.0.0/28", None, *kept) == [f"10.0.0.{n}" for n in left]
    assert size(Block("10.0.0.0/28", None, tuple(kept))) == len(left)


def test_ranges_of_ipv6_are_kept_too() -> None:
    block = Block("fd00::/64", "fd00::1", ("fd00::2-fd00::ff", "fd00::100/120"))
    assert lowest_free(block, ["fd00::200", "fd00::202"], 3) == ["fd00::201", "fd00::203", "fd00::204"]
    assert size(block) == 2**64 - 512


def test_a_large_subnet_is_no_more_work_than_a_small_one() -> None:
    last = int(ip_address("fd00:" + ":".join(["ffff"] * 7)))
    assert usable(Block("fd00::/16")) == ((int(ip_address("fd00::1")), last),)


def test_taken_addresses_are_recognized_however_they_are_written() -> None:
    assert lowest_free(Block("fd00::/64"), ["fd00:0:0:0:0:0:0:1", "FD00::2"], 1) == ["fd00::3"]


def test_a_search_keeps_within_its_ends_both_included() -> None:
    block = Block("10.0.0.0/24")
    assert lowest_free(block, ["10.0.0.6"], 9, "10.0.0.5", "10.0.0.8") == ["10.0.0.5", "10.0.0.7", "10.0.0.8"]
    assert lowest_free(block, (), 2, "10.0.0.253") == ["10.0.0.253", "10.0.0.254"]
    assert lowest_free(block, (), 2, "10.0.1.0") == []


small = st.integers(0, 31)


@dataclass(frozen=True)
class Search:
    """A small subnet and a search in it; addresses are told by their number in the subnet."""

    prefix: int
    sixth: bool
    gateway: int | None
    ranges: list[tuple[int, int]]
    taken: set[int]
    count: int
    start: int | None
    end: int | None


searches = st.builds(
    Search,
    prefix=st.integers(27, 32),
    sixth=st.booleans(),
    gateway=st.one_of(st.none(), small),
    ranges=st.lists(st.tuples(small, small), max_size=3),
    taken=st.sets(small),
    count=st.integers(0, 40),
    start=st.one_of(st.none(), small),
    end=st.one_of(st.none(), small),
)


@given(searches)
def test_the_lowest_free_addresses_are_those_that_counting_finds(search: Search) -> None:
    network = ip_network(f"fd00::/{search.prefix + 96}" if search.sixth else f"10.0.0.0/{search.prefix}")
    everything = list(network)

    def at(number: int) -> str:
        return str(everything[number % len(everything)])

    kept = tuple("-".join(sorted((at(a), at(b)), key=ip_address)) for a, b in search.ranges)
    block = Block(str(network), None if search.gateway is None else at(search.gateway), kept)
    left_out = {ip_address(a) for a in (*(at(n) for n in search.taken), *([block.gateway] if block.gateway else []))}
    for entry in kept:
        first, last = (ip_address(a) for a in entry.split("-"))
        left_out |= {a for a in everything if first <= a <= last}
    if len(everything) > 2:
        left_out |= {everything[0]} if search.sixth else {everything[0], everything[-1]}
    first_wanted = None if search.start is None else at(search.start)
    last_wanted = None if search.end is None else at(search.end)
    expected = [
        str(a)
        for a in everything
        if a not in left_out
        and (first_wanted is None or a >= ip_address(first_wanted))
        and (last_wanted is None or a <= ip_address(last_wanted))
    ]
    assert (
        lowest_free(block, (at(n) for n in search.taken), search.count, first_wanted, last_wanted)
        == expected[: search.count]
    )


@pytest.mark.parametrize(
    "cidr",
    ["", "10", "10.0.0.0", "fd00::1", "10.0.0/24", "10.0.0.0/33", "fd00::/129", "10.0.0.256/24", "x/24", "10.0.0.0/x"],
)
def test_what_is_no_network_is_refused_and_quoted(cidr: str) -> None:
    with pytest.raises(BadBlock) as refused:
        usable(Block(cidr))
    assert str(refused.value) == f"{cidr!r} is no network in CIDR form"


def test_a_network_with_a_hosts_address_is_refused_and_the_network_is_named() -> None:
    with pytest.raises(BadBlock) as refused:
        usable(Block("10.0.0.77/24"))
    assert str(refused.value) == "'10.0.0.77/24' names a host; the network is 10.0.0.0/24"


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "x",
        "10.0.0",
        "10.0.0.1-",
        "-10.0.0.1",
        "10.0.0.9-10.0.0.3",
        "10.0.0.1-fd00::1",
        "10.0.0.1/33",
        "10.0.0.1-2-3",
    ],
)
def test_what_is_no_address_range_or_network_is_refused_and_quoted(entry: str) -> None:
    with pytest.raises(BadBlock) as refused:
        usable(Block("10.0.0.0/24", None, (entry,)))
    assert str(refused.value) == f"{entry!r} is no address, range a-b or network"


@pytest.mark.parametrize(
    "entry", ["10.0.1.0", "10.0.0.250-10.0.1.3", "10.0.0.0/23", "9.255.255.255-10.0.0.1", "fd00::1"]
)
def test_what_lies_outside_the_subnet_is_refused_and_quoted(entry: str) -> None:
    with pytest.raises(BadBlock) as refused:
        usable(Block("10.0.0.0/24", None, (entry,)))
    assert str(refused.value) == f"{entry!r} lies outside 10.0.0.0/24"


def test_a_gateway_outside_the_subnet_is_refused() -> None:
    with pytest.raises(BadBlock, match=r"'10\.0\.1\.1' lies outside"):
        usable(Block("10.0.0.0/24", "10.0.1.1"))


@pytest.mark.parametrize(
    ("cidr", "clash"),
    [
        ("10.1.0.0/24", "10.1.0.0/16"),
        ("10.0.0.0/8", "10.1.0.0/16"),
        ("10.2.0.0/24", "10.2.0.0/24"),
        ("10.3.0.0/24", None),
        ("10.2.1.0/24", None),
        ("fd00::/48", "fd00:0:0:1::/64"),
        ("fd01::/64", None),
        ("::/0", "fd00:0:0:1::/64"),
    ],
)
def test_subnets_that_share_an_address_overlap_and_the_first_is_named(cidr: str, clash: str | None) -> None:
    assert overlap(cidr, ["10.1.0.0/16", "10.2.0.0/24", "fd00:0:0:1::/64"]) == clash


def test_the_successor_of_an_address_is_the_next_one_over_any_boundary() -> None:
    assert (successor("10.0.0.255"), successor("fd00::ffff")) == ("10.0.1.0", "fd00::1:0")


def test_a_networks_family_and_prefix_are_told() -> None:
    assert [(version(c), prefix_length(c)) for c in ("10.0.0.0/24", "fd00::/64")] == [(4, 24), (6, 64)]


@pytest.mark.parametrize(
    ("cidr", "gateway", "kept"),
    [
        ("10.0.0.0/24", "10.0.0.1", ("10.0.0.252", "10.0.0.254")),
        ("10.0.0.0/24", None, ("10.0.0.252", "10.0.0.254")),
        ("10.0.0.0/24", "10.0.0.254", ("10.0.0.251", "10.0.0.253")),
        ("10.0.0.0/24", "10.0.0.252", ("10.0.0.249", "10.0.0.251")),
        ("10.0.0.0/24", "10.0.0.251", ("10.0.0.252", "10.0.0.254")),
        ("10.0.0.0/29", "10.0.0.4", ("10.0.0.1", "10.0.0.3")),
        ("fd00::/64", "fd00::1", ("fd00::ffff:ffff:ffff:fffd", "fd00::ffff:ffff:ffff:ffff")),
    ],
)
def test_a_network_of_ones_own_keeps_the_highest_addresses_beside_the_gateway(
    cidr: str, gateway: str | None, kept: tuple[str, str]
) -> None:
    assert of_its_network(cidr, gateway) == kept


@pytest.mark.parametrize("cidr", ["10.0.0.0/30", "fd00::/126"])
def test_a_range_without_room_for_what_its_network_keeps_is_no_network_of_ones_own(cidr: str) -> None:
    with pytest.raises(BadBlock, match="too small"):
        of_its_network(cidr, None)
