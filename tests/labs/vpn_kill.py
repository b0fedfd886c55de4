"""The gateway is killed with many tunnels: what stays in the record, and for how long it keeps people out."""

import time

from tests.labs.vpn_site import GATEWAY
from tests.labs.vpn_story import OURS, Lab
from tests.labs.waiting import until

_MANY, _ASKED = 60, 15.0


def the_gateway_dies(lab: Lab) -> None:
    """Sixty people are in when it dies; it comes back, one of them is refused, and all come in again."""
    check = lab.report.check
    names = [f"late-{number:02}" for number in range(_MANY)]
    lab.give(OURS, *names)
    with check(f"{_MANY} tunnels are up and told of"):
        clients = lab.come_in(names)
        assert set(names) <= set(lab.site.up())
        assert len(_open(lab)) == _MANY
    with lab.at_the_end(clients):
        lab.site.kill()
        began = time.monotonic()
        lab.site.start()
        lab.report.figure("the gateway answers again after", f"{time.monotonic() - began:.1f} s")
        with check("a gateway that came back after it was killed has no tunnel, and its clients give up"):
            assert lab.site.up() == []
            assert all(client.gives_up(90) for client in clients)
            lab.report.figure("the last client gave up after", f"{time.monotonic() - began:.1f} s")
    told = len(_open(lab))
    lab.report.figure("open in the record before the gateway is looked at", f"{told} of {_MANY}")
    if told:
        with check("until it is looked at, for three minutes at most, the record keeps out who has one tunnel alone"):
            [early] = lab.try_to_come_in([str(_open(lab)[0]["username"])])
            assert early.has_ended() and lab.logins(early.username)[0] == "too_many_sessions"
    with check(
        f"within {_ASKED:g} s of that every tunnel that died is closed, unasked, as of when it was last told of"
    ):
        began = time.monotonic()
        until("the record to be closed", lambda: not _open(lab), _ASKED)
        lab.report.figure("from a refusal to a record without dead tunnels", f"{time.monotonic() - began:.1f} s")
    again = lab.try_to_come_in(names)
    with lab.at_the_end(again), check("and all of them come in again at once"):
        assert not any(client.has_ended() for client in again)


def _open(lab: Lab) -> list[dict[str, object]]:
    found = lab.sessions(gateway=GATEWAY, up="true")
    return [one for one in found if str(one["username"]).startswith("late-")]
