"""What others have made in the region: found in one sweep, and taken over into departments."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from controlplane.reconcile.compare import compare
from provisioners.openstack_driver import connect
from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_content import IMAGES
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import POOL, SMALL, beside, connection
from tests.labs.openstack_story import Lab

PROJECTS, EACH = 20, 10
_BUILD_SECONDS = 2400.0
_ADOPTED_SECONDS = 600.0


def what_others_made_is_taken_over(lab: Lab) -> None:
    """Two hundred servers in twenty projects that were there before Steppe."""
    seen = cloud()
    names = [f"office-{number:02}" for number in range(1, PROJECTS + 1)]
    _make(seen, names)
    with beside(lab, STEPPE_JOB_THREADS="8", STEPPE_POOL_CALLS="8") as steppe:
        for name in names:
            _department(steppe, name)
        with lab.report.check(
            "a driver discovers all of them, each with the department that its project is named after"
        ):
            _discovered(lab, names)
        with lab.report.check("one sweep makes a finding of each"):
            began = time.monotonic()
            drift(steppe)
            lab.report.figure(f"a sweep over {PROJECTS * EACH} strangers", f"{time.monotonic() - began:.1f} s")
            found = _findings(steppe)
            assert len(found) == PROJECTS * EACH, len(found)
        with lab.report.check("each is adopted into the department that was guessed"):
            began = time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda finding: _adopt(steppe, finding), found))
            until(lambda: _all_run(steppe), "all to be looked at", _ADOPTED_SECONDS)
            lab.report.figure(f"{len(found)} adoptions, each labelled in Nova", f"{time.monotonic() - began:.0f} s")
        with lab.report.check("the ledger is equal to what Nova uses, in all and by department"):
            assert _ledger(steppe) == seen.used(), (_ledger(steppe), seen.used())
            _departments_are_equal(steppe, seen, names)
        with lab.report.check("nothing differs any more, and the ledger verifies"):
            left = drift(steppe)
            assert not left, left[:3]
            steppe.command("ledger", "verify")
    _clear(seen, names)


def _make(seen: Cloud, names: list[str]) -> None:
    region = seen.region
    flavor = region.compute.create_flavor(name="office", vcpus=SMALL["vcpu"], ram=SMALL["memory_mib"], disk=1)
    image = region.image.find_image(IMAGES[0])
    domain = region.identity.find_domain("steppe")
    for name in names:
        project = region.identity.create_project(name=name, domain_id=domain.id)
        role = region.identity.find_role("member")
        region.identity.assign_project_role_to_user(project, region.current_user_id, role)
        there = region.connect_as_project({"id": project.id})
        body = {
            **{"name": f"{name}-srv", "flavorRef": flavor.id, "imageRef": image.id, "networks": "none"},
            **{"min_count": EACH, "max_count": EACH},
        }
        answer = there.compute.post("/servers", json={"server": body}, microversion="2.90")
        assert answer.status_code == 202, answer.text
    until(lambda: _statuses(seen)["ACTIVE"] == PROJECTS * EACH, "all to be ACTIVE", _BUILD_SECONDS)


def _statuses(seen: Cloud) -> Counter[str]:
    time.sleep(1)
    return Counter(server.status for server in seen.servers())


def _department(steppe: Steppe, name: str) -> None:
    contact = {"name": "王芳", "phone": "1", "email": "wang@nm.example"}
    limits = {"vm": 20, "vcpu": 20, "memory_mib": 20 * 128, "disk_gib": 20}
    steppe.made("/departments", code=name, name=name, name_en=name, site="nm", limits=limits)
    steppe.made("/systems", department=name, code="proof", name="实证", name_en="Proof", mlps_level=2, contact=contact)


def _discovered(lab: Lab, names: list[str]) -> None:
    driver = connect(connection(lab), lab.folder)
    began = time.monotonic()
    machines = driver.discover()
    seconds, calls = time.monotonic() - began, sum(driver.link.calls.values())
    driver.close()
    assert Counter(machine.department for machine in machines) == dict.fromkeys(names, EACH)
    assert len(compare([], {machine.id: machine for machine in machines}).seen) == PROJECTS * EACH
    lab.report.figure(f"{len(machines)} servers discovered by", f"{calls} calls in {seconds:.1f} s")


def _findings(steppe: Steppe) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = steppe.call("GET", "/drifts?open=true&kind=unknown&limit=500").body["items"]
    return found


def _adopt(steppe: Steppe, finding: dict[str, Any]) -> None:
    guess = finding["differences"]["department"]["observed"]
    body = {"department": guess, "system": "proof", "name": finding["name"]}
    answer = steppe.ask("POST", f"/drifts/{finding['id']}/adopt", body)
    assert answer.status == 202, answer.body


def _all_run(steppe: Steppe) -> bool:
    found = steppe.call("GET", "/vms?limit=500").body["items"]
    faulted = [vm for vm in found if vm["state"] == "faulted"]
    assert not faulted, faulted[0]["fault"]
    return len(found) == PROJECTS * EACH and all(vm["state"] == "running" for vm in found)


def _ledger(steppe: Steppe) -> dict[str, int]:
    classes = steppe.call("GET", f"/pools/{POOL}").body["classes"]
    return {c["class"]: c["used"] for c in classes if c["class"] != "vm"}


def _departments_are_equal(steppe: Steppe, seen: Cloud, names: list[str]) -> None:
    for name in names:
        novas = seen.region.compute.get_quota_set(seen.project(name).id, usage=True).usage
        classes = steppe.call("GET", f"/departments/{name}/quota").body["classes"]
        used = {c["class"]: c["used"] for c in classes}
        ours = {"instances": used["vm"], "cores": used["vcpu"], "ram": used["memory_mib"]}
        assert {key: novas[key] for key in ours} == ours, (name, novas, ours)


def _clear(seen: Cloud, names: list[str]) -> None:
    for server in seen.servers():
        seen.region.compute.delete_server(server)
    until(lambda: not seen.servers(), "all servers to be gone", _BUILD_SECONDS)
    for name in names:
        seen.region.identity.delete_project(seen.project(name))
    seen.region.compute.delete_flavor(seen.region.compute.find_flavor("office"))
