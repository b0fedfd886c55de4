"""What departments let in, as rules of their projects' default security groups: ours come and go, others' stay."""

from pathlib import Path
from typing import Any

import pytest

from provisioners.contract import Astray, Ingress, IngressProtocol, Rejected, Unreachable
from provisioners.openstack_catalogue import OURS
from provisioners.openstack_driver import OpenStackDriver, connect
from provisioners.openstack_link import IngressForAll
from tests.drivers.openstack_double import NETWORK, PROJECT, Double
from tests.drivers.test_openstack_refusals import neutron, ordered

GROUPS, RULES = f"{NETWORK}/security-groups", f"{NETWORK}/security-group-rules"
LIMITS = {"vm": 5, "vcpu": None, "memory_mib": 4096}
SSH, PING = Ingress("tcp", "10.0.0.0/8", 22, 22), Ingress("icmp", "0.0.0.0/0")
ALL = {"ingress": [{"protocol": "icmp"}, {"protocol": "tcp", "ports": "22", "source": "10.0.0.0/8"}]}


def a_rule(id_: str, said: Ingress, description: str = OURS, **changes: Any) -> dict[str, Any]:
    """Return a rule as Neutron shows it."""
    shown = {
        "id": id_,
        "security_group_id": "default-group",
        "description": description,
        "ethertype": "IPv6" if ":" in said.source else "IPv4",
        "protocol": said.protocol,
        "port_range_min": said.first,
        "port_range_max": said.last,
        "remote_ip_prefix": said.source,
        "remote_group_id": None,
    }
    return shown | changes


def there(region: Double, *rules: dict[str, Any]) -> None:
    region.answers("GET", RULES, body={"security_group_rules": list(rules)})


def made(region: Double) -> list[dict[str, Any]]:
    """Return all rules that were asked for."""
    return [rule for request in region.asked("POST", RULES) for rule in request.body["security_group_rules"]]


def let_in(driver: OpenStackDriver, *rules: Ingress) -> None:
    driver.set_tenant("dsj", LIMITS, rules)


@pytest.fixture
def quotas(region: Double) -> Double:
    """The region, where limits and rules can be written."""
    for path in (f"/compute/v2.1/os-quota-sets/{PROJECT}", f"{NETWORK}/quotas/{PROJECT}"):
        region.answers("PUT", path, body={})
    region.answers("PUT", f"/volume/v3/os-quota-sets/{PROJECT}", body={})
    region.answers("POST", RULES, 201, {"security_group_rules": []})
    return region


def test_what_is_missing_is_made_by_one_call_in_the_projects_default_group_and_labelled(
    quotas: Double, driver: OpenStackDriver
) -> None:
    let_in(driver, SSH, Ingress("ipv6-icmp", "fd00::/8"), Ingress("udp", "fd00::/8", 8000, 8080))
    [request] = quotas.asked("POST", RULES)
    first, second, third = request.body["security_group_rules"]
    assert {rule["security_group_id"] for rule in (first, second, third)} == {"default-group"}
    assert {(rule["project_id"], rule["description"]) for rule in (first, second, third)} == {(PROJECT, OURS)}
    assert (first["protocol"], first["ethertype"], first["port_range_min"]) == ("ipv6-icmp", "IPv6", None)
    assert (second["protocol"], second["remote_ip_prefix"], second["ethertype"]) == ("tcp", "10.0.0.0/8", "IPv4")
    assert (third["port_range_min"], third["port_range_max"], third["direction"]) == (8000, 8080, "ingress")


def test_neutrons_quota_of_rules_is_lifted(quotas: Double, driver: OpenStackDriver) -> None:
    let_in(driver)
    [request] = quotas.asked("PUT", f"{NETWORK}/quotas/{PROJECT}")
    assert request.body["quota"]["security_group_rule"] == -1


def test_what_is_there_is_neither_made_again_nor_removed(quotas: Double, driver: OpenStackDriver) -> None:
    there(quotas, a_rule("ours", SSH), a_rule("theirs", PING, "by hand"))
    let_in(driver, SSH, PING)
    assert not [one for one in ordered(quotas) if "security-group" in one]


def test_a_rule_of_ours_that_nobody_wants_goes_and_a_strangers_stays(quotas: Double, driver: OpenStackDriver) -> None:
    of_a_group = a_rule("group", SSH, remote_ip_prefix=None, remote_group_id="default-group")
    there(quotas, a_rule("ours", SSH), a_rule("theirs", PING, ""), of_a_group)
    quotas.answers("DELETE", f"{RULES}/ours", 204)
    let_in(driver)
    assert [one for one in ordered(quotas) if "security-group" in one] == [f"DELETE {RULES}/ours"]


def test_a_rule_that_has_just_gone_is_no_error(quotas: Double, driver: OpenStackDriver) -> None:
    there(quotas, a_rule("ours", SSH))
    quotas.answers("DELETE", f"{RULES}/ours", 404, neutron("SecurityGroupRuleNotFound", "gone"))
    let_in(driver)


@pytest.mark.parametrize(
    "shown",
    [
        a_rule("x", PING, "by hand", remote_ip_prefix=None),
        a_rule("x", PING, "by hand", protocol="1"),
        a_rule("x", PING, "by hand", protocol="ICMP"),
    ],
    ids=["anywhere", "number", "capitals"],
)
def test_an_equal_rule_counts_as_there_however_a_stranger_has_written_it(
    region: Double, driver: OpenStackDriver, shown: dict[str, Any]
) -> None:
    there(region, shown)
    assert driver.astray({"dsj": [PING]}) == {"dsj": Astray()}


def test_an_equal_rule_that_another_was_faster_to_make_counts_as_there(quotas: Double, driver: OpenStackDriver) -> None:
    exists = neutron("SecurityGroupRuleExists", "Security group rule already exists. Rule id is x.")
    quotas.answers("POST", RULES, 409, exists, times=2)
    let_in(driver, SSH, PING)
    asked = [[rule["protocol"] for rule in r.body["security_group_rules"]] for r in quotas.asked("POST", RULES)]
    assert asked == [["icmp", "tcp"], ["icmp"], ["tcp"]]


def test_a_conflict_of_another_kind_is_told(quotas: Double, driver: OpenStackDriver) -> None:
    quotas.answers("POST", RULES, 409, neutron("OverQuota", "Quota exceeded"), times=1)
    with pytest.raises(Rejected, match="Quota exceeded") as refusal:
        let_in(driver, SSH)
    assert refusal.value.code == "openstack.over_quota"
    quotas.answers("POST", RULES, 409, neutron("InUse", "later"))
    with pytest.raises(Unreachable, match="later"):
        let_in(driver, SSH)


def test_what_the_pool_lets_in_for_all_is_wanted_besides(quotas: Double) -> None:
    driver = connect(quotas.way_in(**ALL), Path())
    there(quotas, a_rule("ours", SSH))
    own = Ingress("tcp", "10.0.0.0/8", 443, 443)
    assert driver.astray({"dsj": [own]}) == {"dsj": Astray(frozenset({PING, own}))}
    let_in(driver, own, SSH)
    assert [(rule["protocol"], rule["port_range_min"]) for rule in made(quotas)] == [("icmp", None), ("tcp", 443)]
    driver.close()


def test_what_is_astray_is_found_by_one_list_of_groups_and_one_of_rules_for_all_projects(
    region: Double, driver: OpenStackDriver
) -> None:
    projects = {f"d{number}": f"p{number}" for number in range(40)}
    named = [{"id": id_, "name": name} for name, id_ in projects.items()]
    region.answers("GET", "/identity/v3/projects", body={"projects": named})
    groups = [{"id": f"group-{id_}", "project_id": id_} for id_ in projects.values()]
    region.answers("GET", GROUPS, body={"security_groups": groups})
    there(
        region,
        a_rule("a", SSH, security_group_id="group-p1"),
        a_rule("b", PING, security_group_id="group-p2"),
        a_rule("c", SSH, "by hand", security_group_id="group-p3"),
        a_rule("d", SSH, security_group_id="some-other-group"),
    )
    found = driver.astray({**{code: [SSH] for code in projects}, "unknown": [SSH]})
    assert found.keys() == projects.keys()
    assert (found["d0"], found["d1"]) == (Astray(frozenset({SSH})), Astray())
    assert (found["d2"], found["d3"]) == (Astray(frozenset({SSH}), frozenset({PING})), Astray())
    assert (len(region.asked("GET", GROUPS)), len(region.asked("GET", RULES))) == (1, 1)
    assert ordered(region) == []


def test_a_project_whose_default_group_neutron_has_not_made_yet_is_tried_again(
    quotas: Double, driver: OpenStackDriver
) -> None:
    quotas.answers("GET", GROUPS, body={"security_groups": []})
    assert driver.astray({"dsj": [SSH]}) == {"dsj": Astray(frozenset({SSH}))}
    with pytest.raises(Unreachable, match="no default security group"):
        let_in(driver, SSH)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"protocol": "tcp", "source": "everywhere"}, "no network in CIDR form"),
        ({"protocol": "tcp", "ports": "0"}, "0 is no port and no range of 1 to 65535"),
        ({"protocol": "udp", "ports": "90-80"}, "90-80 is no port and no range"),
        ({"protocol": "tcp", "ports": "99999"}, "99999 is no port"),
        ({"protocol": "icmp", "ports": "8"}, "icmp has no ports"),
        ({"protocol": "icmp", "source": "fd00::/8"}, "icmp is not of IPv6"),
        ({"protocol": "ipv6-icmp", "source": "10.0.0.0/8"}, "ipv6-icmp is not of IPv4"),
    ],
)
def test_ingress_of_a_connection_that_no_cloud_would_take_is_refused(
    region: Double, rule: dict[str, str], said: str
) -> None:
    with pytest.raises(Rejected, match=said) as refusal:
        connect(region.way_in(ingress=[rule]), Path())
    assert refusal.value.code == "openstack.bad_connection"


@pytest.mark.parametrize(("protocol", "everywhere"), [("tcp", "0.0.0.0/0"), ("ipv6-icmp", "::/0")])
def test_ingress_of_a_connection_is_from_everywhere_where_it_does_not_say(
    protocol: IngressProtocol, everywhere: str
) -> None:
    assert IngressForAll(protocol=protocol).rule.source == everywhere
