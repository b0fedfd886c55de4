"""How long it takes from a click to a tunnel's end, and that nobody comes back who may not."""

import statistics
from collections.abc import Callable
from functools import partial

from tests.labs.vpn_story import OURS, THEIRS, Lab, seconds, side_by_side
from tests.labs.waiting import until

_TIMES, _MANY, _GOAL = 10, 20, 2.0
End = Callable[[Lab, str], None]


def a_click_ends_a_tunnel(lab: Lab) -> None:
    """Each way to end a tunnel, ten times; and a whole department's at once."""
    for way, end in _WAYS.items():
        _one_way(lab, way, end)
    _fewer_tunnels(lab)
    _a_whole_department(lab)


def _one_way(lab: Lab, way: str, end: End) -> None:
    names = [f"{way}-{number}" for number in range(_TIMES)]
    lab.give(OURS, *names)
    old = dict(lab.passwords)
    clients = lab.come_in(names)
    with lab.at_the_end(clients):
        with lab.report.check(f"{way}: the tunnel is gone in less than {_GOAL:g} s after the click, the median of ten"):
            took = [seconds(partial(end, lab, name), partial(_is_gone, lab, name)) for name in names]
            _figure(lab, way, took)
            assert statistics.median(took) < _GOAL
        with lab.report.check(f"{way}: each client is sent away, and its end is told"):
            assert all(client.gives_up() for client in clients)
            for name in names:
                lab.told(name, ended=True)
        back = side_by_side(lambda name: lab.client(name, password=old[name]), names)
        with lab.at_the_end(back):
            came = [client.is_in(60) for client in back]
            if way == "disconnect":
                with lab.report.check("disconnect: whoever was sent away may come in again"):
                    assert all(came)
            else:
                with lab.report.check(f"{way}: who comes with the same words again is refused"):
                    assert not any(came)
                    lab.report.figure(
                        f"{way}, tries afterwards", ", ".join(sorted({lab.logins(n, None)[0] for n in names}))
                    )


def _fewer_tunnels(lab: Lab) -> None:
    names = [f"fewer-{number}" for number in range(_TIMES)]
    lab.give(OURS, *names, max_sessions=2)
    clients = lab.come_in(names) + lab.come_in(names)
    with lab.at_the_end(clients):
        with lab.report.check("fewer tunnels: the newer one is gone in less than 2 s, the median of ten"):
            took = []
            for name in names:
                order = partial(lab.order, OURS, name, "resize", {"max_sessions": 1})
                took.append(seconds(order, lambda name=name: lab.site.up().count(name) == 1))
            _figure(lab, "fewer tunnels", took)
            assert statistics.median(took) < _GOAL
        with lab.report.check("fewer tunnels: the first stays, and a second one is refused"):
            assert [client.has_ended() for client in clients[:_TIMES]] == [False] * _TIMES
            assert all(client.gives_up() for client in clients[_TIMES:])
            refused = lab.try_to_come_in(names)
            assert all(client.has_ended() for client in refused)
            assert {lab.logins(name)[0] for name in names} == {"too_many_sessions"}


def _a_whole_department(lab: Lab) -> None:
    names = [f"many-{number}" for number in range(_MANY)]
    lab.give(THEIRS, *names)
    clients = lab.come_in(names)
    with lab.at_the_end(clients):
        with lab.report.check(f"a whole department with {_MANY} tunnels is suspended by one click"):
            order = partial(lab.call, THEIRS, "POST", "/vpn-accounts/bulk/suspend", {})
            took = seconds(order, lambda: not set(names) & set(lab.site.up()))
            lab.report.figure(f"a department with {_MANY} tunnels suspended", f"all gone after {took:.2f} s")
            assert took < _GOAL
        with lab.report.check("a suspended department: nobody of it comes back, and its accounts stand as suspended"):
            assert all(client.gives_up() for client in clients)
            assert all(client.has_ended() for client in lab.try_to_come_in(names))
            for name in names:
                lab.settled(THEIRS, name, "stopped")


def _is_gone(lab: Lab, username: str) -> bool:
    return username not in lab.site.up()


def _figure(lab: Lab, way: str, took: list[float]) -> None:
    told = f"median {statistics.median(took):.2f} s, worst {max(took):.2f} s of {len(took)}"
    lab.report.figure(f"{way}: click to gone", told)


def _revoke(lab: Lab, username: str) -> None:
    lab.call(OURS, "DELETE", f"/vpn-accounts/{lab.accounts[username]}")


def _suspend(lab: Lab, username: str) -> None:
    lab.order(OURS, username, "suspend")


def _new_password(lab: Lab, username: str) -> None:
    lab.hand_out(OURS, username)


def _disconnect(lab: Lab, username: str) -> None:
    [session] = until("the tunnel to be told of", lambda: lab.sessions(username=username, up="true"), 10)
    lab.call(OURS, "POST", f"/vpn-sessions/{session['id']}/disconnect")


_WAYS: dict[str, End] = {
    "revoke": _revoke, "suspend": _suspend, "new-password": _new_password, "disconnect": _disconnect,
}  # fmt: skip
