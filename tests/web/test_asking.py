"""Asking for machines, and for other sizes and limits: what it takes is told first, by the code that then does it."""

import pytest

from controlplane.db import transaction
from controlplane.models import Resource
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Visitors

ASK = {
    "department": "environment",
    "system": "monitoring",
    "name": "web-01",
    "count": "1",
    "flavor": "small",
    "image": "debian-12",
    "subnet4": "business",
}


def count(http: Callers) -> int:
    with transaction(http.sessions) as session:
        return session.query(Resource).count()


def test_the_form_offers_what_there_is_to_choose(visit: Visitors) -> None:
    page = visit("manager").get("/vms/new")
    assert page.all("//input[@name='department']/@value") == ["environment"]
    assert page.all("//select[@name='system']/option/@value") == ["", "monitoring"]
    assert page.all("//select[@name='flavor']/option/@value") == ["small", ""]
    assert page.all("//select[@name='subnet4']/option/@value") == ["", "business"]
    assert page.all("//select[@name='subnet6']/option/@value") == ["", "business6"]


def test_a_departments_own_subnet_is_offered_last_and_says_whose_it_is(http: Callers, visit: Visitors) -> None:
    own = {"code": "a-lab", "name": "lab", "site": "nm", "cidr": "10.7.0.0/24", "network": "lab"}
    assert http.admin.post("/subnets", {**own, "department": "environment"}).status_code == 201
    offered = "//select[@name='subnet4']/option"
    page = visit("manager").get("/vms/new")
    assert page.all(f"{offered}/@value") == ["", "business", "a-lab"]
    assert page.all(f"{offered}[@selected]/@value") == ["business"]
    assert page.texts(offered)[-1] == "lab · 10.7.0.0/24 · only Environment"
    assert visit("admin", "zh").get("/vms/new").texts(offered)[-1] == "lab · 10.7.0.0/24 · 仅限环境保护厅"


def test_an_administrator_names_the_department_and_gets_its_systems(visit: Visitors) -> None:
    browser = visit("admin", "zh")
    assert browser.get("/vms/new").all("//select[@name='system']/option/@value") == [""]
    page = browser.get("/vms/new?department=环境保护厅 (environment)&system=monitoring")
    assert page.all("//select[@name='system']/option/@value") == ["", "monitoring"]
    assert page.all("//select[@name='system']/option[@selected]/@value") == ["monitoring"]


def test_the_impact_tells_quota_place_and_address_and_takes_nothing(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    browser.get("/vms/new")
    page = browser.post("/vms/new/impact", {**ASK, "count": "3"})
    assert page.texts("//*[@class='impact-move']") == [
        "0 → 3 / 100VMs",
        "0 → 6 / 400cores",
        "0 → 12 / 1,024GiB",
        "0 → 150 / 100,000GiB",
    ]
    assert page.texts("//tbody//th") == ["web-01-01", "web-01-02", "web-01-03"]
    assert page.texts("//tbody/tr[1]/td") == ["10.1.0.2", "hv-01"]
    assert count(http) == 0
    assert http.ours.get("/departments/environment/quota").json["classes"][3]["used"] == 0


def test_where_it_would_go_is_told_to_the_centres_people_alone(visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    assert browser.post("/vms/new/impact", ASK).texts("//tbody/tr[1]/td") == ["10.1.0.2"]


@pytest.mark.parametrize(("language", "words"), [("en", "is short of"), ("zh", "缺少")])
def test_a_refusal_is_told_before_with_its_numbers(http: Callers, visit: Visitors, language: str, words: str) -> None:
    http.admin.put("/departments/environment/quota", {"limits": {"vcpu": 1, "memory_mib": 2048}})
    browser = visit("manager", language)
    browser.get("/vms/new")
    page = browser.post("/vms/new/impact", ASK)
    assert words in page.text("//*[contains(@class, 'impact-bad')]")
    short = dict(zip(page.texts("//tbody/tr/td[1]"), page.texts("//tbody/tr/td[6]"), strict=True))
    assert set(short.values()) == {"1cores" if language == "en" else "1核", "2GiB"}
    refused = browser.post("/vms/new", ASK)
    assert refused.status == 409 and words in refused.text("//*[contains(@class, 'impact-bad')]")
    assert refused.all("//input[@name='name']/@value") == ["web-01"], "what was typed stays"


def test_what_is_still_missing_is_said_and_no_fault(visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    page = browser.post("/vms/new/impact", {**ASK, "name": "", "system": ""})
    assert page.text("//*[@class='impact-state']") == "Still to fill in: System, Name"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Web 01"),
        ("count", "0"),
        ("count", "101"),
        ("ssh_keys", "ssh-ed25519 AAAA\nnonsense"),
        ("lease_until", "soon"),
        ("anti_affinity", "A B"),
        ("flavor", "gone"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_field_that_is_wrong_is_told_at_the_field(
    http: Callers, visit: Visitors, field: str, value: str, language: str
) -> None:
    browser = visit("manager", language)
    browser.get("/vms/new")
    page = browser.post("/vms/new", {**ASK, field: value})
    assert page.status == 422
    assert page.all(f"//*[@name='{field}']/@aria-invalid") == ["true"]
    assert page.texts(f"//*[@id='error-{field}']") != [""]
    assert count(http) == 0


def test_an_image_that_needs_more_disk_says_how_much(visit: Visitors) -> None:
    browser = visit("manager")
    browser.get("/vms/new")
    page = browser.post("/vms/new", {**ASK, "flavor": "", "vcpu": "1", "memory_gib": "1", "disk_gib": "5"})
    assert page.texts("//*[@id='error-image']") == ["This image needs a disk of at least 10 GiB."]


def test_one_leads_to_its_page_and_many_to_the_list_of_them(http: Callers, visit: Visitors) -> None:
    browser = visit("colleague")
    browser.get("/vms/new")
    more = {"ssh_keys": "ssh-ed25519 AAAA me\n", "lease_until": "2030-12-31", "anti_affinity": "web", "user_data": "#!"}
    one = browser.post("/vms/new", {**ASK, **more})
    assert browser.get(one.location).texts("//h1") == ["web-01"]
    machine = http.ours.get(one.location).json
    assert machine["ssh_keys"] == ["ssh-ed25519 AAAA me"]
    assert machine["lease_until"] == "2030-12-31T15:59:59Z", "the end of that day at the site"
    browser.get("/vms/new")
    many = browser.post("/vms/new", {**ASK, "name": "db", "count": "2", "subnet6": "business6"})
    assert many.location.startswith("/vms?request=")
    assert browser.get(many.location).texts("//tbody//th") == ["db-01", "db-02"]


def test_the_preview_button_serves_where_there_is_no_script(http: Callers, visit: Visitors) -> None:
    browser = visit("admin")
    browser.get("/vms/new")
    page = browser.post("/vms/new", {**ASK, "preview": "1"})
    assert page.status == 200 and count(http) == 0
    assert page.texts("//*[@id='impact']//tbody//th") == ["web-01"]
    assert page.all("//select[@name='system']/option[@selected]/@value") == ["monitoring"]


def test_who_may_not_ask_gets_no_form(visit: Visitors) -> None:
    browser = visit("auditor")
    assert browser.get("/vms/new").status == 403
    browser.get("/")
    assert browser.post("/vms/new", ASK).status == 403
    assert browser.post("/vms/new/impact", ASK).status == 403


def test_a_size_is_changed_after_its_impact_was_told(http: Callers, visit: Visitors) -> None:
    ident = str(http.ours.post("/vms", vm()).json["id"])
    http.work(ident)
    browser = visit("manager")
    page = browser.get(f"/vms/{ident}/resize")
    assert page.all("//select[@name='flavor']/option[@selected]/@value") == ["small"]
    size = {"flavor": "", "vcpu": "4", "memory_gib": "8", "disk_gib": "60"}
    told = browser.post(f"/vms/{ident}/resize/impact", size).texts("//*[@class='impact-move']")
    assert told[1:] == ["2 → 4 / 400cores", "4 → 8 / 1,024GiB", "50 → 60 / 100,000GiB"]
    assert browser.post(f"/vms/{ident}/resize", {**size, "preview": "1"}).status == 200
    assert http.ours.get(f"/vms/{ident}").json["size"]["vcpu"] == 2
    smaller = browser.post(f"/vms/{ident}/resize", {**size, "disk_gib": "20"})
    assert smaller.status == 422 and "cannot shrink" in smaller.text("//*[@id='error-disk_gib']")
    assert browser.post(f"/vms/{ident}/resize", size).location == f"/vms/{ident}"
    has = {"vcpu": 4, "memory_mib": 8192, "disk_gib": 60, "data_disks": []}
    assert http.ours.get(f"/vms/{ident}").json["size"] == has
    refused = browser.post(f"/vms/{ident}/resize", size)
    assert refused.status == 409 and "Changing" in refused.text("//*[contains(@class, 'impact-bad')]")


def test_a_rebuild_is_ordered_only_once_it_is_understood(http: Callers, visit: Visitors) -> None:
    ident = str(http.ours.post("/vms", vm()).json["id"])
    http.work(ident)
    browser = visit("manager")
    assert "50GiB" in browser.get(f"/vms/{ident}/rebuild").text("//*[@class='fault-head']")
    assert browser.post(f"/vms/{ident}/rebuild", {"image": "debian-12"}).status == 422
    assert http.ours.get(f"/vms/{ident}").json["state"] == "running"
    assert browser.post(f"/vms/{ident}/rebuild", {"image": "debian-12", "understood": "1"}).status == 302
    assert http.ours.get(f"/vms/{ident}").json["state"] == "changing"


def test_limits_are_set_after_their_impact_was_told(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms", vm())
    browser = visit("admin")
    ref = http.admin.get("/departments/environment").json["id"]
    page = browser.get(f"/departments/{ref}/quota")
    assert page.all("//input[@name='memory_mib']/@value") == ["1024"], "in GiB"
    limits = {"vm": "10", "vcpu": "1", "memory_mib": "16", "disk_gib": "", "disk_gib_unlimited": "1"}
    told = browser.post(f"/departments/{ref}/quota/impact", limits)
    assert told.texts("//tbody/tr/td[1]") == ["100 → 10VMs", "400 → 1cores", "1,024 → 16GiB", "100,000 → No limit"]
    assert told.texts("//*[contains(@class, 'short')]") == ["-1cores"]
    assert browser.post(f"/departments/{ref}/quota", {**limits, "preview": "1"}).status == 200
    assert {c["limit"] for c in http.ours.get("/departments/environment/quota").json["classes"]} >= {400}
    wrong = browser.post(f"/departments/{ref}/quota", {**limits, "vcpu": "-1"})
    assert wrong.status == 422 and wrong.all("//input[@name='vcpu']/@aria-invalid")
    assert browser.post(f"/departments/{ref}/quota", limits).location == f"/departments/{ref}"
    now = {c["class"]: c["limit"] for c in http.ours.get("/departments/environment/quota").json["classes"]}
    assert now == {"vm": 10, "vcpu": 1, "memory_mib": 16384, "disk_gib": None}
    assert visit("manager").get(f"/departments/{ref}/quota").status == 403


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_of_a_department_shows_its_quota_systems_machines_and_history(
    http: Callers, visit: Visitors, language: str
) -> None:
    http.ours.post("/vms", vm())
    ref = http.admin.get("/departments/environment").json["id"]
    browser = visit("admin", language)
    page = browser.get(f"/departments/{ref}")
    assert page.texts("//h1") == [{"zh": "环境保护厅", "en": "Environment"}[language]]
    assert len(page.all("//*[@class='gauge gauge-calm']")) == 4
    assert {"web-01", {"zh": "监控", "en": "Monitoring"}[language]} <= set(page.texts("//tbody//th"))
    history = browser.get(f"/departments/{ref}?tab=history").texts("//tbody/tr/td[3]")
    assert history == ({"zh": ["设定限额", "登记"], "en": ["Limits set", "Registered"]}[language])
    assert visit("stranger", language).get(f"/departments/{ref}").status == 404


def test_the_page_of_a_system_shows_its_owner_level_and_machines(http: Callers, visit: Visitors) -> None:
    http.ours.post("/vms", vm())
    ref = http.ours.get("/systems").json["items"][0]["id"]
    page = visit("manager").get(f"/systems/{ref}")
    assert page.texts("//h1") == ["Monitoring"]
    assert {"Level 2", "王芳"} <= set(page.texts("//dd"))
    assert page.texts("//tbody//th") == ["web-01"]
    assert visit("stranger").get(f"/systems/{ref}").status == 404


def test_the_usage_of_a_machine_is_told_in_hours_of_each_class(http: Callers, visit: Visitors) -> None:
    ident = str(http.ours.post("/vms", vm()).json["id"])
    page = visit("manager").get(f"/vms/{ident}?tab=usage")
    assert page.texts("//tbody//th") == ["Virtual machines", "vCPU", "Memory", "Disk"]
    assert page.texts("//tbody/tr/td[1]") == ["1VMs", "2cores", "4GiB", "50GiB"]
    assert all(text.endswith("·h") for text in page.texts("//tbody/tr/td[2]"))
