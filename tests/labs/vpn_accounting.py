"""What is written down of a tunnel: bytes, addresses, the end and its cause."""

import time

import psycopg

from tests.labs.vpn_site import SERVERS
from tests.labs.vpn_story import OURS, Lab, seconds
from tests.labs.waiting import until

_MIB = 1024 * 1024
_UP, _DOWN = 30 * _MIB, 20 * _MIB
_INTERIM = 75


def what_was_sent_is_accounted_for(lab: Lab) -> None:
    """Somebody sends and gets megabytes, and leaves; others are cut off."""
    check, name = lab.report.check, "he.jun"
    lab.give(OURS, name, "feng.lin", "deng.hui")
    # Over UDP a busy machine loses some, which is sent anew and counts anew.
    client = lab.client(name, "home", dtls=False)
    with lab.at_the_end([client]):
        with check("a tunnel is told of as soon as it is up, by the very id that the gateway has for it"):
            assert client.is_in(), client.said()
            told = lab.told(name)
            [tunnel] = [one for one in lab.site.driver().tunnels() if one.username == name]
            assert _ids(lab, name) == [tunnel.session], (_ids(lab, name), tunnel.session)
            assert told["client"] == tunnel.client
        assert lab.connects("home", SERVERS[OURS], _UP, _DOWN)
        with check("within a minute its bytes and its address are told, within 10 % of what was sent"):
            until("an interim update", lambda: lab.told(name)["bytes_in"] >= _UP, _INTERIM, 1)
            told = lab.told(name)
            assert told["address"] == client.address
            _agrees(told)
        with check("what came after is told with its end, and that its user has ended it"):
            assert lab.connects("home", SERVERS[OURS], _UP, 0)
            client.leave()
            ended = lab.told(name, ended=True)
            _agrees(ended, up=2 * _UP)
            assert ended["cause"] == "User-Request", ended["cause"]
            sent, got = (f"{ended[key] / _MIB:.1f} MiB" for key in ("bytes_in", "bytes_out"))
            up, down = 2 * _UP // _MIB, _DOWN // _MIB
            lab.report.figure("accounted for", f"{sent} in for {up} MiB sent, {got} out for {down} MiB got")
    _other_ends(lab)


def _other_ends(lab: Lab) -> None:
    gone, stopped = lab.come_in(["feng.lin", "deng.hui"])
    with lab.at_the_end([gone, stopped]):
        with lab.report.check("a tunnel that Steppe ends is told of as that"):
            lab.order(OURS, "deng.hui", "suspend")
            assert lab.told("deng.hui", ended=True)["cause"] == "Admin-Reset"
        with lab.report.check("a client that vanishes without a word leaves no tunnel that stays open"):
            began = time.monotonic()
            took = seconds(gone.vanish, lambda: "feng.lin" not in lab.site.up(), 150)
            ended = lab.told("feng.lin", ended=True, seconds=400)
            late = f"{time.monotonic() - began:.0f} s as {ended['cause']}"
            lab.report.figure("a client that vanished", f"gone at the gateway after {took:.1f} s, told after {late}")


def _agrees(told: dict[str, int], up: int = _UP, down: int = _DOWN) -> None:
    for key, sent in (("bytes_in", up), ("bytes_out", down)):
        assert sent <= told[key] <= 1.1 * sent, f"{key}: {told[key]} for {sent}"


def _ids(lab: Lab, username: str) -> list[str]:
    with psycopg.connect(lab.url) as connection:
        rows = connection.execute("SELECT session_id FROM vpn_sessions WHERE username = %s", [username])
        return [session for (session,) in rows]
