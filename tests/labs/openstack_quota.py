"""Limits of the ledger as quota of the cloud, and what happens where somebody changed it over there."""

from provisioners.openstack_tenants import PORTS_A_VM, PORTS_BESIDES
from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, LIMITS, POOL, an_ask, beside, gone, settled
from tests.labs.openstack_story import Lab


def a_quota_follows(lab: Lab) -> None:
    """A limit changes here, a quota changes there, and there is a quota that we know nothing of."""
    seen = cloud()
    with beside(lab) as steppe:
        with lab.report.check("a department's first VM brings a project with the ledger's limits as its quota"):
            vm = settled(steppe, steppe.made("/vms", **an_ask("quota-01")).body["id"])
            assert _novas(seen) == {"instances": LIMITS["vm"], "cores": LIMITS["vcpu"], "ram": LIMITS["memory_mib"]}
            assert (
                seen.region.network.get_quota(seen.project(DEPARTMENT).id).ports
                == PORTS_A_VM * LIMITS["vm"] + PORTS_BESIDES
            )
            assert _cinders(seen) == {"gigabytes": LIMITS["disk_gib"], "volumes": -1, "per_volume_gigabytes": -1}
        with lab.report.check("a limit that changes in the ledger changes in Nova, Neutron and Cinder"):
            steppe.command("quota", "set", DEPARTMENT, "vm=5", "vcpu=none", "disk_gib=20")
            until(lambda: _novas(seen)["instances"] == 5, "Nova's quota to follow", 60)
            assert _novas(seen)["cores"] == -1
            until(lambda: _cinders(seen)["gigabytes"] == 20, "Cinder's quota to follow", 60)
            assert seen.region.network.get_quota(seen.project(DEPARTMENT).id).ports == PORTS_A_VM * 5 + PORTS_BESIDES
        with lab.report.check("a quota that was changed in Nova is found as drift and set right"):
            _behind_novas_back(seen, instances=99)
            drift(steppe)
            assert _last_finding(steppe)["outcome"] == "repaired", _last_finding(steppe)
            assert _novas(seen)["instances"] == 5
        with lab.report.check("and one that was changed in Cinder as well"):
            _behind_cinders_back(seen, gigabytes=1)
            drift(steppe)
            assert _last_finding(steppe)["outcome"] == "repaired", _last_finding(steppe)
            assert _cinders(seen)["gigabytes"] == 20
        with lab.report.check("where the pool only reports, it stays until somebody decides"):
            steppe.command("pool", "update", POOL, "--drift", "report")
            _behind_novas_back(seen, instances=1)
            assert len(drift(steppe)) == 1
            assert _last_finding(steppe)["differences"] == {"vm": {"wanted": 5, "observed": 1}}
        with lab.report.check("over quota in Nova, though not in ours, is a fault that says so"):
            other = steppe.made("/vms", **an_ask("quota-02")).body["id"]
            fault = settled(steppe, other, "faulted")["fault"]
            assert fault["code"] == "openstack.over_quota", fault
            assert "instances" in fault["detail"], fault
        with lab.report.check("once the finding is repaired, a retry builds it"):
            steppe.ask("POST", f"/drifts/{_last_finding(steppe)['id']}/repair")
            until(lambda: _novas(seen)["instances"] == 5, "Nova's quota to be repaired", 60)
            steppe.made(f"/vms/{other}/retry")
            settled(steppe, other)
        with lab.report.check("over quota in Cinder alone is such a fault as well, and a retry builds the rest"):
            third = _over_cinders_quota(steppe, seen)
        for one in (vm["id"], other, third):
            steppe.ask("DELETE", f"/vms/{one}")
            gone(steppe, one)
            seen.nothing_of(one)


def _novas(seen: Cloud) -> dict[str, int]:
    quota = seen.region.compute.get_quota_set(seen.project(DEPARTMENT).id)
    return {name: quota[name] for name in ("instances", "cores", "ram")}


def _behind_novas_back(seen: Cloud, **quota: int) -> None:
    seen.region.compute.update_quota_set(seen.project(DEPARTMENT).id, **quota)


def _over_cinders_quota(steppe: Steppe, seen: Cloud) -> str:
    _behind_cinders_back(seen, gigabytes=1)
    vm = str(steppe.made("/vms", **an_ask("quota-03", data_disks=[1, 1])).body["id"])
    fault = settled(steppe, vm, "faulted")["fault"]
    assert fault["code"] == "openstack.over_quota", fault
    assert "gigabytes" in fault["detail"], fault
    _behind_cinders_back(seen, gigabytes=20)
    steppe.made(f"/vms/{vm}/retry")
    seen.one(settled(steppe, vm))
    return vm


def _cinders(seen: Cloud) -> dict[str, int]:
    quota = seen.region.block_storage.get_quota_set(seen.project(DEPARTMENT).id)
    return {name: quota[name] for name in ("gigabytes", "volumes", "per_volume_gigabytes")}


def _behind_cinders_back(seen: Cloud, **quota: int) -> None:
    seen.region.block_storage.update_quota_set(seen.project(DEPARTMENT).id, **quota)


def _last_finding(steppe: Steppe) -> dict[str, object]:
    found: list[dict[str, object]] = steppe.call("GET", "/drifts?kind=quota&sort=-first_seen").body["items"]
    return found[0]
