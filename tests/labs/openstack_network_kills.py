"""A worker that is killed while it makes, or takes down, a network of a department's own: one of each is there in the
end, or nothing."""

from itertools import count

from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.chaos.traps import Point
from tests.cli.processes import until
from tests.labs.openstack_content import EXTERNAL_NETWORK
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_networks import OWNER, departments, linked, own_names, router, subnet
from tests.labs.openstack_steppe import POOL, an_ask, beside, connection, ends_of, gone, killed_at, settled
from tests.labs.openstack_story import Lab

MAKING = (
    "network POST networks",
    "network POST subnets",
    "network POST routers",
    "network PUT routers",
    "network POST ports",
)
TAKING_DOWN = (
    "network PUT routers",
    "network DELETE routers",
    "network DELETE subnets",
    "network DELETE networks",
)
_GONE_SECONDS = 240.0


def a_worker_is_killed_over_a_network(lab: Lab) -> None:
    """At both ends of each call that makes or removes anything of it; each time with a network of its own."""
    seen = cloud()
    with beside(lab) as steppe:
        way_in = {**connection(lab), "external_network": EXTERNAL_NETWORK}
        assert steppe.ask("PATCH", f"/pools/{POOL}", {"connection": way_in}).status == 200
        departments(steppe)
        numbers = count(1)
        for point in ends_of(MAKING):
            with lab.report.check(f"a first VM on an own network: the worker is killed {point.phase} {point.step}"):
                _made(steppe, seen, next(numbers), point)
        for point in ends_of(TAKING_DOWN):
            with lab.report.check(f"an own network goes: the worker is killed {point.phase} {point.step}"):
                _taken_down(steppe, seen, next(numbers), point)
        with lab.report.check("after all of this the ledger verifies and nothing differs"):
            steppe.command("ledger", "verify")
            found = drift(steppe)
            assert not found, found
    lab.report.figure("kills over networks", str(next(numbers) - 1))


def _made(steppe: Steppe, seen: Cloud, number: int, point: Point) -> None:
    code = _subnet(steppe, number)
    vm = killed_at(steppe, point, lambda: _ask(steppe, code))
    found = settled(steppe, vm)
    seen.one(found)
    assert own_names(seen) == [code]
    assert linked(seen, router(seen)) == {f"10.40.{number}.1"}
    _deleted(steppe, seen, vm)
    _remove_subnet(steppe, code)
    _nothing_is_left(seen)


def _taken_down(steppe: Steppe, seen: Cloud, number: int, point: Point) -> None:
    code = _subnet(steppe, number)
    vm = _ask(steppe, code)
    settled(steppe, vm)
    _deleted(steppe, seen, vm)
    killed_at(steppe, point, lambda: _remove_subnet(steppe, code))
    _nothing_is_left(seen)


def _subnet(steppe: Steppe, number: int) -> str:
    code = f"cut-{number:02}"
    subnet(steppe, code, f"10.40.{number}.0/24", f"10.40.{number}.1")
    return code


def _ask(steppe: Steppe, code: str) -> str:
    return str(steppe.made("/vms", **an_ask(f"on-{code}", OWNER, subnets=[code])).body["id"])


def _deleted(steppe: Steppe, seen: Cloud, vm: str) -> None:
    steppe.ask("DELETE", f"/vms/{vm}")
    gone(steppe, vm)
    seen.nothing_of(vm)


def _remove_subnet(steppe: Steppe, code: str) -> None:
    assert steppe.ask("DELETE", f"/subnets/{code}").status == 200


def _nothing_is_left(seen: Cloud) -> None:
    def none() -> bool:
        return not own_names(seen) and not list(seen.region.network.routers())

    until(none, "network and router to be gone", _GONE_SECONDS)
