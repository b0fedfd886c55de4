"""What an ingress rule may say, and what is said of one that may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPNetwork

from controlplane.errors import Invalid
from controlplane.ingress import read
from provisioners.contract import Ingress


@pytest.mark.parametrize(
    ("said", "meant", "written"),
    [
        (("tcp", "443", "10.1.0.0/16"), Ingress("tcp", "10.1.0.0/16", 443, 443), "tcp/443 10.1.0.0/16"),
        (("udp", "8000-8080", "FD20:0::/32"), Ingress("udp", "fd20::/32", 8000, 8080), "udp/8000-8080 fd20::/32"),
        (("tcp", None, "0.0.0.0/0"), Ingress("tcp", "0.0.0.0/0"), "tcp 0.0.0.0/0"),
        (("icmp", "", "10.0.0.0/255.0.0.0"), Ingress("icmp", "10.0.0.0/8"), "icmp 10.0.0.0/8"),
        (("ipv6-icmp", None, "::/0"), Ingress("ipv6-icmp", "::/0"), "ipv6-icmp ::/0"),
        (("tcp", " 1-65535 ", " 10.1.2.3/32 "), Ingress("tcp", "10.1.2.3/32", 1, 65535), "tcp/1-65535 10.1.2.3/32"),
    ],
)
def test_a_rule_is_read_and_written(said: tuple[str, str | None, str], meant: Ingress, written: str) -> None:
    rule = read(*said)
    assert (rule, str(rule)) == (meant, written)


@pytest.mark.parametrize("ports", ["0", "65536", "99999", "22-", "-22", "80-22", "22,80", "ssh", "٢٢", "1-70000"])
def test_what_is_no_port_and_no_range_is_refused_with_an_example(ports: str) -> None:
    with pytest.raises(Invalid, match=r"ports: .* write one like 443 or 8000-8080, of 1 to 65535"):
        read("tcp", ports, "10.0.0.0/8")


@pytest.mark.parametrize(("protocol", "source"), [("icmp", "10.0.0.0/8"), ("ipv6-icmp", "fd00::/8")])
def test_ports_with_a_protocol_that_has_none_are_refused(protocol: str, source: str) -> None:
    with pytest.raises(Invalid, match=f"ports: {protocol} has no ports: leave them out, or take tcp or udp"):
        read(protocol, "8", source)


@pytest.mark.parametrize(
    ("protocol", "source", "other"), [("icmp", "fd00::/8", "ipv6-icmp"), ("ipv6-icmp", "10.0.0.0/8", "icmp")]
)
def test_icmp_of_the_other_family_than_its_source_is_refused(protocol: str, source: str, other: str) -> None:
    with pytest.raises(Invalid, match=f"protocol: .* {protocol} is not: take {other}$"):
        read(protocol, None, source)


@pytest.mark.parametrize("source", ["", "10.0.0.0/33", "everywhere", "10.1.0.0/16/8", "10.0.0.0-10.0.0.9", "10.\0/8"])
def test_a_source_that_is_no_network_is_refused_with_an_example(source: str) -> None:
    with pytest.raises(Invalid, match=r"source: .* is no network: write one like 10.1.0.0/16"):
        read("tcp", "22", source)


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("10.1.2.3", "for this one address, write 10.1.2.3/32"),
        ("fd00::1", "for this one address, write fd00::1/128"),
        ("10.1.2.3/16", "write 10.1.0.0/16, or 10.1.2.3/32"),
    ],
)
def test_an_address_in_place_of_a_network_is_refused_with_what_it_may_mean(source: str, advice: str) -> None:
    with pytest.raises(Invalid, match=advice):
        read("tcp", "22", source)


def test_a_protocol_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(Invalid, match="'sctp' is none of icmp, ipv6-icmp, tcp, udp"):
        read("sctp", None, "10.0.0.0/8")


@given(st.text(max_size=30), st.text(max_size=12), st.sampled_from(["icmp", "ipv6-icmp", "tcp", "udp"]))
def test_whatever_is_written_is_read_as_a_network_or_refused(source: str, ports: str, protocol: str) -> None:
    try:
        rule = read(protocol, ports, source)
    except Invalid:
        return
    assert str(IPNetwork(rule.source).cidr) == rule.source
