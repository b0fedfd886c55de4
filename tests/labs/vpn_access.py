"""Accounts by the API, passwords out of the encrypted file, and what a tunnel leads to."""

from ipaddress import ip_address, ip_network

from tests.labs.vpn_site import SERVERS
from tests.labs.vpn_story import OURS, THEIRS, Lab
from tests.tunnels import reaches


def a_department_comes_in(lab: Lab) -> None:
    """Two departments ask for accounts; somebody of each comes in."""
    check, home, cafe = lab.report.check, lab.site.at("home"), lab.site.at("cafe")
    blocks = {g["department"]: g["cidr"] for d in (OURS, THEIRS) for g in lab.call(d, "GET", "/vpn-groups")["items"]
              if g["gateway"] == "vpn-1"}  # fmt: skip
    with check("a department's accounts are carried, and their passwords are in the encrypted file alone"):
        lab.give(OURS, "wang.fang", "li.na")
        lab.give(THEIRS, "zhao.lei")
    one, other = lab.client("wang.fang", "home"), lab.client("zhao.lei", "cafe")
    with lab.at_the_end([one, other]):
        with check("each comes in with an address of the own department's block"):
            assert one.is_in() and other.is_in(), one.said() + other.said()
            for client, department in ((one, OURS), (other, THEIRS)):
                assert ip_address(client.address) in ip_network(blocks[department]), client.address
        with check("the own department's network answers, by ping and by TCP"):
            assert reaches(home, SERVERS[OURS]) and lab.connects("home", SERVERS[OURS])
            assert reaches(cafe, SERVERS[THEIRS]) and lab.connects("cafe", SERVERS[THEIRS])
        with check("the other department's does not, by ping nor by TCP, nor does the gateway itself"):
            assert not reaches(home, SERVERS[THEIRS]) and not lab.connects("home", SERVERS[THEIRS])
            assert not reaches(cafe, SERVERS[OURS]) and not lab.connects("cafe", SERVERS[OURS])
            assert not reaches(home, "10.50.1.1")
        with check("the address of somebody of the other department lets nobody in there"):
            assert not reaches(home, SERVERS[THEIRS], source=other.address)
            assert reaches(cafe, SERVERS[THEIRS])
        with check("the gateway names each tunnel with its department's group"):
            groups = {tunnel.username: tunnel.group for tunnel in lab.site.driver().tunnels()}
            assert groups == {"wang.fang": OURS, "zhao.lei": THEIRS}, groups
