"""Fifty servers at once, by Steppe and by a plain loop of openstacksdk with as many parallel calls.

What Nova does is the same for both, and most of it; what is measured is what each needs besides.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.chaos.cloud_calls import COUNTS
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_catalogue import FIRST_ADMIN, connect
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, SMALL, an_ask, beside
from tests.labs.openstack_story import Lab

SERVERS, PARALLEL = 50, 8
MOST = 1.2
_SECONDS = 900.0


def fifty_at_once(lab: Lab) -> None:
    """Both ways, one after the other, in one cloud that holds nothing else; the plain loop first, on a warm cloud."""
    seen = cloud()
    plain = _plain(seen)
    lab.report.figure(f"{SERVERS} servers ACTIVE, plain loop", f"{plain[0]:.1f} s, {plain[1] / SERVERS:.1f} calls each")
    calls = lab.folder / "calls"
    with beside(lab, STEPPE_JOB_THREADS=str(PARALLEL), STEPPE_POOL_CALLS=str(PARALLEL), **{COUNTS: str(calls)}) as ours:
        with lab.report.check(f"{SERVERS} servers of one request are ACTIVE, each with its address"):
            seconds, vms = _asked(ours)
            for vm in vms:
                assert seen.one(vm).status == "ACTIVE"
        counted = Counter(calls.read_text().splitlines())
        each = sum(counted.values()) / SERVERS
        lab.report.figure(
            f"{SERVERS} servers ACTIVE, Steppe", f"{seconds:.1f} s, {each:.1f} calls each: {dict(counted)}"
        )
        ratio = seconds / plain[0]
        lab.report.figure("ratio of Steppe to the plain loop", f"{ratio:.2f}")
        with lab.report.check(f"that takes Steppe at most {MOST} times as long as the plain loop"):
            assert ratio <= MOST, ratio
        with lab.report.check("and all of them are deleted whole"):
            ours.made("/vms/bulk/delete", ids=[vm["id"] for vm in vms])
            until(lambda: not seen.servers() and not seen.ports(), "all to be gone", _SECONDS)


def _asked(steppe: Steppe) -> tuple[float, list[dict[str, Any]]]:
    asks = [an_ask(f"race-{number:02}") for number in range(SERVERS)]
    for ask in asks:
        ask.pop("department")
    began = time.monotonic()
    made = steppe.made("/vms/bulk", department=DEPARTMENT, vms=asks).body["vms"]

    def all_run() -> list[dict[str, Any]] | None:
        found = steppe.call("GET", "/vms?limit=500").body["items"]
        assert all(vm["state"] != "faulted" for vm in found)
        return found if all(vm["state"] == "running" for vm in found) else None

    found = until(all_run, "all to run", _SECONDS)
    assert {vm["id"] for vm in found} == {vm["id"] for vm in made}
    return time.monotonic() - began, found


def _plain(seen: Cloud) -> tuple[float, int]:
    """Return the seconds and the calls that the plain loop takes, and leave nothing."""
    region = connect(FIRST_ADMIN)
    calls = _counting(region)
    region.compute.update_quota_set(region.current_project_id, instances=SERVERS, cores=SERVERS, ram=SERVERS * 1024)
    flavor = region.compute.create_flavor(name="race", vcpus=SMALL["vcpu"], ram=SMALL["memory_mib"], disk=1)
    image, network = region.image.find_image(IMAGES[0]), region.network.find_network("gov")
    calls.clear()

    def one(number: int) -> Any:
        made = region.compute.create_server(
            name=f"plain-{number:02}",
            flavor_id=flavor.id,
            image_id=image.id,
            networks=[{"uuid": network.id, "fixed_ip": f"10.20.0.{100 + number}"}],
        )
        return region.compute.wait_for_server(made, wait=_SECONDS)

    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        made = list(pool.map(one, range(SERVERS)))
    seconds, counted = time.monotonic() - began, len(calls)
    for server in made:
        region.compute.delete_server(server)
    until(lambda: not seen.servers() and not seen.ports(), "the plain loop's servers to be gone", _SECONDS)
    region.compute.delete_flavor(flavor)
    return seconds, counted


def _counting(region: Any) -> list[str]:
    calls: list[str] = []
    send = region.session.request

    def counted(url: str, method: str, **how: Any) -> Any:
        calls.append(method)
        return send(url, method, **how)

    region.session.request = counted
    return calls
