"""Who is refused, and what is written down of it."""

import time
from datetime import UTC, datetime, timedelta

import psycopg

from tests.labs.vpn_story import OURS, Lab, side_by_side

INJECTION = "x'; UPDATE vpn_accounts SET scheme = NULL, hash = NULL; --"
_LEASE_SECONDS = 12


def each_refusal_has_its_reason(lab: Lab) -> None:
    """Everybody who may not come in tries to."""
    check = lab.report.check
    ends = datetime.now(UTC) + timedelta(seconds=_LEASE_SECONDS)
    lab.give(OURS, "qian.wei", "sun.li")
    lab.ask(OURS, ["zhou.jie"], lease_until=ends.isoformat())
    lab.hand_out(OURS)
    lab.ask(OURS, ["no.word"])
    lab.order(OURS, "sun.li", "suspend")
    before = _decides(lab)
    first, leased = lab.client("qian.wei"), lab.client("zhou.jie")
    lab.ends["zhou.jie"] = ends
    with lab.at_the_end([first]):
        with check("whoever has the right password comes in, and so does who has a lease of some seconds"):
            assert first.is_in() and leased.is_in(), first.said() + leased.said()
        with check("each refusal has its reason, and is one"):
            time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() + 0.5))
            tries = [("qian.wei", "wrong"), ("qian.wei", None), ("nobody.here", "any"), ("sun.li", None)]
            tries += [("zhou.jie", None), ("no.word", "any"), (INJECTION, "any")]
            came_in = side_by_side(lambda one: lab.client(one[0], "crowd", one[1]).is_in(60), tries)
            assert not any(came_in), came_in
            found = lab.logins("qian.wei")
            assert sorted(found) == ["accepted", "too_many_sessions", "wrong_password"], found
            reasons = {name: lab.logins(name) for name in ("sun.li", "zhou.jie", "no.word")}
            assert reasons == {
                "sun.li": ["suspended"], "zhou.jie": ["expired", "accepted"], "no.word": ["no_password"],
            }, reasons  # fmt: skip
        with check("who is no account is known to the centre as unknown, and to no department"):
            unknown = [one["username"] for one in lab.call(None, "GET", "/vpn-logins", reason="unknown")["items"]]
            assert "nobody.here" in unknown and len(unknown) == 2, unknown
            assert lab.logins("nobody.here") == []
        with check("a user name that is SQL changed nothing that decides who comes in"):
            assert _decides(lab) == before


def _decides(lab: Lab) -> list[tuple[str, ...]]:
    with psycopg.connect(lab.url) as connection:
        return list(connection.execute("SELECT username, scheme, hash FROM vpn_accounts ORDER BY username"))
