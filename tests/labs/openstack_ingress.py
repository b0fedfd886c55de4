"""What a department lets in: rules in its project's default security group, ours alone made, repaired and removed."""

from typing import Any

from provisioners.openstack_catalogue import OURS
from tests.chaos.oracle import drift
from tests.chaos.steppe import Steppe
from tests.cli.processes import until
from tests.labs.openstack_look import Cloud, cloud
from tests.labs.openstack_steppe import DEPARTMENT, POOL, an_ask, beside, gone, settled
from tests.labs.openstack_story import Lab

_OF_THE_POOL = {("icmp", None, "0.0.0.0/0"), ("tcp", 22, "10.0.0.0/8")}
_WEB, _NAMES = ("tcp", 443, "10.0.0.0/8"), ("udp", 53, "fd00::/8")
_BY_HAND = ("tcp", 8080, "192.0.2.0/24")


def a_department_lets_in(lab: Lab) -> None:
    """Rules are asked for and taken back here, removed and made there; a stranger's is left alone."""
    seen = cloud()
    with beside(lab) as steppe:
        with lab.report.check("a department's first VM brings what the pool and the department let in, labelled"):
            _added(steppe, _WEB)
            vm = settled(steppe, steppe.made("/vms", **an_ask("ingress-01")).body["id"])
            assert _rules(seen, OURS).keys() == {*_OF_THE_POOL, _WEB}, _rules(seen, OURS)
            assert {rule.project_id for rule in _rules(seen, OURS).values()} == {seen.project(DEPARTMENT).id}
        with lab.report.check("a rule that is asked for appears, of IPv6 too, and one that is taken back goes"):
            names = _added(steppe, _NAMES)
            until(lambda: _NAMES in _rules(seen, OURS), "the rule to appear", 60)
            assert steppe.ask("DELETE", f"/ingress-rules/{names}").status == 200
            until(lambda: _NAMES not in _rules(seen), "the rule to go", 60)
            assert _WEB in _rules(seen, OURS)
        with lab.report.check("one that was deleted behind our back is found and comes back"):
            seen.region.network.delete_security_group_rule(_rules(seen)[_WEB].id)
            drift(steppe)
            finding = _last_finding(steppe)
            assert finding["outcome"] == "repaired", finding
            assert finding["differences"] == {"ingress": {"wanted": ["tcp/443 10.0.0.0/8"], "observed": []}}
            assert _WEB in _rules(seen, OURS)
        with lab.report.check("a stranger's rule is no finding, stays, and serves where a department wants the same"):
            theirs = _by_hand(seen)
            assert not drift(steppe)
            same = _added(steppe, _BY_HAND)
            assert not drift(steppe)
            assert steppe.ask("DELETE", f"/ingress-rules/{same}").status == 200
            assert not drift(steppe)
            assert _rules(seen)[_BY_HAND].id == theirs
        with lab.report.check("a sweep that finds nothing writes nothing"):
            before = {rule.id for rule in _rules(seen).values()}
            assert not drift(steppe)
            assert {rule.id for rule in _rules(seen).values()} == before
        with lab.report.check("where the pool only reports, a rule that is missing waits for somebody"):
            steppe.command("pool", "update", POOL, "--drift", "report")
            seen.region.network.delete_security_group_rule(_rules(seen)[_WEB].id)
            assert len(drift(steppe)) == 1
            steppe.ask("POST", f"/drifts/{_last_finding(steppe)['id']}/repair")
            until(lambda: _WEB in _rules(seen, OURS), "the rule to be repaired", 60)
        seen.region.network.delete_security_group_rule(theirs)
        steppe.ask("DELETE", f"/vms/{vm['id']}")
        gone(steppe, vm["id"])
        seen.nothing_of(vm["id"])


def _added(steppe: Steppe, rule: tuple[str, int, str]) -> str:
    protocol, port, source = rule
    of = {"department": DEPARTMENT, "protocol": protocol, "ports": str(port), "source": source}
    return str(steppe.made("/ingress-rules", **of).body["id"])


def _group(seen: Cloud) -> Any:
    [group] = seen.region.network.security_groups(project_id=seen.project(DEPARTMENT).id, name="default")
    return group


def _rules(seen: Cloud, description: str | None = None) -> dict[tuple[str, int | None, str], Any]:
    """Return what is let in from addresses, with its rule; with this description alone where one is given."""
    listed = seen.region.network.security_group_rules(security_group_id=_group(seen).id, direction="ingress")
    return {
        (rule.protocol, rule.port_range_min, rule.remote_ip_prefix): rule
        for rule in listed
        if not rule.remote_group_id and description in {None, rule.description}
    }


def _by_hand(seen: Cloud) -> str:
    protocol, port, source = _BY_HAND
    of = {"protocol": protocol, "port_range_min": port, "port_range_max": port, "remote_ip_prefix": source}
    group = _group(seen).id
    made = seen.region.network.create_security_group_rule(security_group_id=group, direction="ingress", **of)
    return str(made.id)


def _last_finding(steppe: Steppe) -> dict[str, Any]:
    found: list[dict[str, Any]] = steppe.call("GET", "/drifts?kind=quota&sort=-first_seen").body["items"]
    return found[0]
