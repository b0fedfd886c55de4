"""The data of the model centre is typed by hand, so a slip in one file shows only when another is loaded beside it.

These tests hold the files against the newspapers' figures and against each other, before any database sees them.
"""

import re
from collections import Counter, defaultdict
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from controlplane import ipam
from controlplane.placement import UNLIMITED, Candidate, Need, choose_pools
from quotas.amounts import effective_capacity, total

DATA = Path(__file__).resolve().parents[2] / "controlplane/centre/data/inner-mongolia"
CLASSES = ("vm", "vcpu", "memory_mib", "disk_gib")
CODE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
COUNTIES = {
    "呼和浩特市": 9,
    "包头市": 9,
    "乌海市": 3,
    "赤峰市": 12,
    "通辽市": 8,
    "鄂尔多斯市": 9,
    "呼伦贝尔市": 14,
    "巴彦淖尔市": 7,
    "乌兰察布市": 11,
    "兴安盟": 6,
    "锡林郭勒盟": 12,
    "阿拉善盟": 3,
}
NAMED = {
    "env-monitoring": "env-protection",
    "golden-tax-3": "state-tax",
    "golden-tax-3-local": "local-tax",
    "digital-court": "high-court",
    "golden-shield": "public-security",
    "police-archive": "public-security",
    "push-bao": "wuhai-gov",
    "hohhot-approval": "hohhot-gov",
    "wuhai-livelihood": "wuhai-gov",
    "ordos-5a": "ordos-gov",
    "chifeng-12349": "chifeng-gov",
    "gov-websites": "general-office",
    "online-tax": "state-tax",
}
"""The systems that the articles name, and whose they are; the local half of golden-tax-3 has a code of ours."""

Row = dict[str, Any]


@cache
def read(name: str) -> Any:
    return yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def rows(name: str, key: str = "code") -> dict[str, Row]:
    """Return the rows of a file, or of one of the catalogue's two lists, by their code."""
    listed = read("catalogue")[name] if name in {"flavors", "images"} else read(name)
    found = {row[key]: row for row in listed}
    assert len(found) == len(listed), f"{name}: a {key} is there twice"
    return found


def vms() -> dict[str, Row]:
    return rows("vms", "name")


def size(vm: Row) -> dict[str, int]:
    flavor = rows("flavors")[vm["flavor"]]
    return {"vm": 1} | {c: flavor[c] for c in CLASSES[1:]}


def system_of(vm: Row) -> Row:
    return rows("systems")[vm["system"]]


def demand(chosen: list[Row]) -> dict[str, int]:
    return dict.fromkeys(CLASSES, 0) | total(size(vm) for vm in chosen)


def demand_by_department() -> dict[str, dict[str, int]]:
    owned = defaultdict(list)
    for vm in vms().values():
        owned[system_of(vm)["department"]].append(vm)
    return {department: demand(held) for department, held in owned.items()}


def limits(pool: Row) -> dict[str, int | None]:
    """Return what a pool can give of each class; None where nothing limits it."""
    return {
        name: effective_capacity(c["total"], c["reserved"], Decimal(str(c["ratio"]))) if c else None
        for name, c in pool["capacity"].items()
    }


def free(pool: Row) -> dict[str, int]:
    """Return the same as placement takes it."""
    return {name: UNLIMITED if limit is None else limit for name, limit in limits(pool).items()}


def block(subnet: Row) -> ipam.Block:
    return ipam.Block(subnet["cidr"], subnet["gateway"], (*subnet["reserved"], *subnet["excluded"]))


def test_the_sites_are_one_region_twelve_prefectures_and_103_counties() -> None:
    assert Counter(site["level"] for site in rows("sites").values()) == {"region": 1, "prefecture": 12, "county": 103}
    assert rows("sites")["nm"]["level"] == "region"


def test_every_prefecture_has_as_many_counties_as_the_facts_say() -> None:
    sites = rows("sites")
    counted = Counter(sites[site["parent"]]["name"] for site in sites.values() if site["level"] == "county")
    assert counted == COUNTIES


def test_every_site_hangs_below_one_of_the_next_higher_level_and_stands_after_it() -> None:
    above = {"region": None, "prefecture": "region", "county": "prefecture"}
    seen: dict[str | None, str | None] = {None: None}
    for site in read("sites"):
        assert seen[site["parent"]] == above[site["level"]], site["code"]
        seen[site["code"]] = site["level"]


def test_110_departments_are_of_the_region_and_the_rest_are_governments_of_prefectures_that_own_systems() -> None:
    departments = rows("departments")
    others = {code: d["site"] for code, d in departments.items() if d["site"] != "nm"}
    assert len(departments) - len(others) == 110
    assert others == {"hohhot-gov": "hohhot", "wuhai-gov": "wuhai", "chifeng-gov": "chifeng", "ordos-gov": "ordos"}
    assert others.keys() <= {system["department"] for system in rows("systems").values()}


def test_478_systems_belong_to_57_departments() -> None:
    owners = {system["department"] for system in rows("systems").values()}
    assert (len(rows("systems")), len(owners)) == (478, 57)
    assert owners <= rows("departments").keys()


def test_292_vms_belong_to_37_departments() -> None:
    assert (len(vms()), len(demand_by_department())) == (292, 37)


@pytest.mark.parametrize(("code", "owner"), NAMED.items())
def test_a_system_that_the_articles_name_has_its_owner_and_at_least_two_vms(code: str, owner: str) -> None:
    assert rows("systems")[code]["department"] == owner
    assert sum(vm["system"] == code for vm in vms().values()) >= 2


@pytest.mark.parametrize("name", ["sites", "departments", "systems", "pools", "subnets", "flavors", "images"])
def test_codes_are_unique_short_slugs_and_names_are_unique(name: str) -> None:
    assert [code for code in rows(name) if not CODE.fullmatch(code)] == []
    listed = [row["name"] for row in rows(name).values()]
    assert [n for n, times in Counter(listed).items() if times > 1 or not n.strip()] == []


@pytest.mark.parametrize("name", ["sites", "departments", "systems", "pools"])
def test_whatever_people_read_has_an_english_name_in_ascii(name: str) -> None:
    assert [code for code, row in rows(name).items() if not (row["name_en"] and row["name_en"].isascii())] == []


@pytest.mark.parametrize("name", ["departments", "pools", "subnets"])
def test_every_site_that_is_named_exists(name: str) -> None:
    assert {row["site"] for row in rows(name).values()} <= rows("sites").keys()


def test_vms_name_systems_flavors_images_and_subnets_that_exist() -> None:
    every = list(vms().values())
    assert {vm["system"] for vm in every} <= rows("systems").keys()
    assert {vm["flavor"] for vm in every} <= rows("flavors").keys()
    assert {vm["image"] for vm in every} <= rows("images").keys()
    assert set(chain.from_iterable(vm["subnets"] for vm in every)) <= rows("subnets").keys()


def test_vm_names_are_slugs_that_begin_with_their_system() -> None:
    wrong = [n for n, vm in vms().items() if not (CODE.fullmatch(n) and n.startswith(vm["system"] + "-"))]
    assert wrong == []


def test_levels_are_mostly_two_a_good_share_three_few_one_and_very_few_four() -> None:
    counted = Counter(system["mlps_level"] for system in rows("systems").values())
    assert counted.keys() == {1, 2, 3, 4}
    assert counted[2] > counted[3] > counted[1] > counted[4]


def test_no_contact_can_be_reached_for_real_and_no_two_share_a_number() -> None:
    contacts = [system["contact"] for system in rows("systems").values()]
    assert [c for c in contacts if not re.fullmatch(r"04\d\d-0000\d{3}", c["phone"])] == []
    assert [c for c in contacts if not re.fullmatch(r"[a-z.]+@nm\.example", c["email"])] == []
    people = {(c["name"], c["phone"], c["email"]) for c in contacts}
    assert len({phone for _, phone, _ in people}) == len({email for *_, email in people}) == len(people)


def test_every_flavor_has_room_for_the_images_that_its_vms_start_from() -> None:
    tight = [n for n, vm in vms().items() if size(vm)["disk_gib"] < rows("images")[vm["image"]]["min_disk_gib"]]
    assert tight == []


def test_quotas_exceed_what_a_department_holds_and_one_that_owns_no_system_gets_next_to_nothing() -> None:
    held, owners = demand_by_department(), {system["department"] for system in rows("systems").values()}
    for code, department in rows("departments").items():
        quotas = department["quotas"]
        assert quotas.keys() - {"vpn_account"} == set(CLASSES), code
        if code in held:
            assert all(quotas[c] > held[code][c] for c in CLASSES), code
        elif code not in owners:
            assert quotas["vm"] <= 1, code


def test_the_vpn_accounts_are_as_many_as_the_newspaper_says_and_fit_quotas_gateways_and_blocks() -> None:
    vpn = yaml.safe_load((DATA / "vpn.yaml").read_text(encoding="utf-8"))
    groups, quotas = vpn["groups"], rows("departments")
    assert (sum(g["accounts"] for g in groups), len({g["department"] for g in groups})) == (23_785, 35)
    for group in groups:
        assert quotas[group["department"]]["quotas"]["vpn_account"] >= group["accounts"], group
        assert 2 ** (32 - group["prefix"]) * 3 >= group["accounts"], group
    for gateway in vpn["gateways"]:
        carried = sum(g["accounts"] for g in groups if g["gateway"] == gateway["code"])
        assert carried <= gateway["seats"] * gateway["ratio"], gateway


def test_the_pools_can_keep_every_quota_at_once() -> None:
    promised = total(department["quotas"] for department in rows("departments").values())
    for resource_class in CLASSES[1:]:
        assert promised[resource_class] <= sum(limits(p)[resource_class] or 0 for p in rows("pools").values())


def test_a_pool_is_as_large_as_its_node() -> None:
    for code, pool in rows("pools").items():
        totals = {c: pool["capacity"][c]["total"] for c in ("vcpu", "memory_mib")}
        assert totals == {"vcpu": pool["node"]["cpus"], "memory_mib": pool["node"]["memory_mib"]}, code
        assert pool["capacity"].keys() == set(CLASSES), code


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_pools_of_a_level_and_above_hold_all_vms_of_that_level_and_above(level: int) -> None:
    asked = demand([vm for vm in vms().values() if system_of(vm)["mlps_level"] >= level])
    fit = [limits(pool) for pool in rows("pools").values() if pool["mlps_level"] >= level]
    for resource_class in CLASSES[1:]:
        assert asked[resource_class] < sum(limit[resource_class] or 0 for limit in fit)


def test_the_scarcest_class_is_between_60_and_70_percent_full() -> None:
    asked = demand(list(vms().values()))
    shares = [asked[c] / sum(limits(p)[c] or 0 for p in rows("pools").values()) for c in CLASSES[1:]]
    assert 0.6 <= max(shares) <= 0.7


def test_placement_finds_a_pool_of_its_own_level_for_every_vm() -> None:
    pools = [
        Candidate(UUID(int=n), code, None, pool["mlps_level"], True, free(pool), free(pool))  # type: ignore[arg-type]
        for n, (code, pool) in enumerate(rows("pools").items())
    ]
    needs = [Need(n, size(v), system_of(v)["mlps_level"], None, v.get("anti_affinity")) for n, v in vms().items()]
    chosen = choose_pools(pools, needs)
    assert [need.name for need, pool in zip(needs, chosen, strict=True) if pool.mlps_level != need.mlps_level] == []


def test_databases_of_a_system_that_has_several_are_kept_apart() -> None:
    several = Counter(vm["system"] for name, vm in vms().items() if "-db-" in name)
    for name, vm in vms().items():
        apart = "-db-" in name and several[vm["system"]] > 1
        assert vm.get("anti_affinity") == (f"{vm['system']}-db" if apart else None), name


def test_an_anti_affinity_group_is_of_one_department_and_no_larger_than_the_pools_that_may_take_it() -> None:
    groups = defaultdict(list)
    for vm in vms().values():
        if "anti_affinity" in vm:
            groups[vm["anti_affinity"]].append(system_of(vm))
    for group, members in groups.items():
        assert len({system["department"] for system in members}) == 1, group
        highest = max(system["mlps_level"] for system in members)
        assert len(members) <= sum(pool["mlps_level"] >= highest for pool in rows("pools").values()), group


def test_a_vm_has_one_ipv4_subnet_of_the_region_first_and_at_most_one_ipv6_subnet_after_it() -> None:
    subnets = rows("subnets")
    for name, vm in vms().items():
        assert [ipam.version(subnets[code]["cidr"]) for code in vm["subnets"]] in ([4], [4, 6]), name
        assert subnets[vm["subnets"][0]]["site"] == "nm", name


def test_subnets_are_private_do_not_overlap_and_have_addresses_for_all_their_vms() -> None:
    asked = Counter(chain.from_iterable(vm["subnets"] for vm in vms().values()))
    subnets = list(rows("subnets").values())
    for n, subnet in enumerate(subnets):
        assert subnet["cidr"].startswith(("10.", "fd")), subnet["code"]
        assert ipam.overlap(subnet["cidr"], [other["cidr"] for other in subnets[n + 1 :]]) is None, subnet["code"]
        assert asked[subnet["code"]] * 1.3 < ipam.size(block(subnet)), subnet["code"]
    assert {ipam.version(s["cidr"]) for s in subnets} == {4, 6}


def test_systems_of_level_four_have_a_subnet_of_their_own() -> None:
    levels = {system_of(vm)["mlps_level"] for vm in vms().values() if "nm-level4-v4" in vm["subnets"]}
    at_four = {vm["subnets"][0] for vm in vms().values() if system_of(vm)["mlps_level"] == 4}
    assert (levels, at_four) == ({4}, {"nm-level4-v4"})


def test_the_totals_are_those_of_a_believable_centre() -> None:
    asked = demand(list(vms().values()))
    assert 1_200 <= asked["vcpu"] <= 1_600
    assert 3 <= asked["memory_mib"] / 1024**2 <= 4
    assert 40 <= asked["disk_gib"] / 1024 <= 60


@pytest.mark.parametrize("path", sorted(DATA.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_says_on_its_first_line_where_it_comes_from(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# Source: facts of two newspaper articles")
