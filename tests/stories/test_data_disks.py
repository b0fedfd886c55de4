"""Data disks of a VM: asked for, counted to the GiB, added and grown, and never taken away."""

from typing import Any

import pytest

from controlplane.db import Sessions, transaction
from controlplane.errors import OverQuota
from quotas.verify import verify
from tests import factories
from tests.callers import Callers
from tests.factories import ask, given, vm

SIZE = {"vcpu": 2, "memory_mib": 4096, "disk_gib": 50}


def disk_used(http: Callers) -> int:
    classes = http.ours.get("/departments/environment/quota").json["classes"]
    return next(int(c["used"]) for c in classes if c["class"] == "disk_gib")


@pytest.fixture
def made(http: Callers) -> str:
    """The id of a VM of 50 GiB that has data disks of 100 and 30 GiB."""
    made = str(http.ours.post("/vms", vm(data_disks=[100, 30])).json["id"])
    assert http.work(made) == "settled"
    return made


def test_an_ask_for_data_disks_takes_the_sum_of_all_disks(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        [resource] = ask(session, vm(data_disks=[100, 30]))
        assert resource.wanted["data_disks"] == [100, 30]
        assert resource.demand == {"vm": 1, "vcpu": 2, "memory_mib": 4096, "disk_gib": 180}
        assert list(verify(session)) == []


@pytest.mark.parametrize(("data_disks", "short_by"), [([100, 50], 0), ([100, 51], 1)])
def test_data_disks_are_held_against_the_quota_to_the_gib(
    sessions: Sessions, data_disks: list[int], short_by: int
) -> None:
    given(sessions, limits={**factories.ROOMY, "disk_gib": 200})
    with transaction(sessions) as session:
        if not short_by:
            ask(session, vm(data_disks=data_disks))
            return
        with pytest.raises(OverQuota) as refused:
            ask(session, vm(data_disks=data_disks))
    assert [(s["class"], s["short_by"]) for s in refused.value.numbers()["shortages"]] == [("disk_gib", short_by)]


def test_data_disks_come_back_as_they_were_sent(http: Callers) -> None:
    asked = http.ours.post("/vms", vm(data_disks=[100, 30]))
    assert asked.status_code == 202
    read = http.ours.get(f"/vms/{asked.json['id']}").json
    assert asked.json == read
    assert (read["data_disks"], read["size"]) == ([100, 30], {**SIZE, "data_disks": [100, 30]})


def test_a_vm_without_data_disks_says_so_in_its_size_alone(http: Callers) -> None:
    read = http.ours.post("/vms", vm()).json
    assert "data_disks" not in read
    assert read["size"] == {**SIZE, "data_disks": []}


def test_many_vms_have_data_disks_each(http: Callers) -> None:
    asked = http.ours.post("/vms/bulk", {"vms": [vm("a", data_disks=[10]), vm("b"), vm("c", data_disks=[20, 5])]})
    assert [made["size"]["data_disks"] for made in asked.json["vms"]] == [[10], [], [20, 5]]
    assert disk_used(http) == 3 * 50 + 35


@pytest.mark.parametrize("data_disks", [[0], [65537], [10] * 9, ["x"], None, 10])
def test_what_is_no_list_of_sizes_is_refused(http: Callers, data_disks: Any) -> None:
    refused = http.ours.post("/vms", vm(data_disks=data_disks))
    assert (refused.status_code, refused.json["code"]) == (422, "invalid")
    assert refused.json["problems"][0]["field"].startswith("data_disks")


def test_a_dry_run_shows_data_disks_and_what_would_be_left(http: Callers) -> None:
    would = http.ours.post("/vms?dry_run=true", vm(data_disks=[100, 30])).json
    assert would["size"]["data_disks"] == [100, 30]
    assert {c["class"]: c["used"] for c in would["quota_after"]}["disk_gib"] == 180
    assert disk_used(http) == 0


def test_a_resize_adds_a_data_disk_and_grows_one(http: Callers, made: str) -> None:
    changed = http.ours.post(f"/vms/{made}/resize", {"flavor": "small", "data_disks": [100, 40, 5]})
    assert (changed.status_code, changed.json["data_disks"]) == (202, [100, 40, 5])
    assert disk_used(http) == 50 + 145
    assert http.work(made) == "settled"
    read = http.ours.get(f"/vms/{made}").json
    assert (read["state"], read["flavor"], read["size"]["data_disks"]) == ("running", "small", [100, 40, 5])
    newest = http.ours.get(f"/vms/{made}/history").json["items"][1]
    assert [newest["details"][side]["data_disks"] for side in ("before", "after")] == [[100, 30], [100, 40, 5]]


def test_a_resize_that_says_nothing_of_data_disks_leaves_and_counts_them(http: Callers, made: str) -> None:
    changed = http.ours.post(f"/vms/{made}/resize", {**SIZE, "disk_gib": 60})
    assert (changed.json["data_disks"], changed.json["size"]["data_disks"]) == ([100, 30], [100, 30])
    assert disk_used(http) == 60 + 130


@pytest.mark.parametrize(
    ("data_disks", "said"),
    [
        ([100], "a data disk cannot be removed; give the sizes of all that it has (100 and 30 GiB), then new ones"),
        ([], "a data disk cannot be removed; give the sizes of all that it has (100 and 30 GiB), then new ones"),
        ([100, 29, 5], "data disk 2 cannot shrink; it has 30 GiB"),
    ],
)
def test_a_resize_never_takes_a_data_disk_or_a_part_of_one(
    http: Callers, made: str, data_disks: list[int], said: str
) -> None:
    before = http.ours.get(f"/vms/{made}").json
    refused = http.ours.post(f"/vms/{made}/resize", {**SIZE, "vcpu": 4, "data_disks": data_disks})
    assert refused.status_code == 422
    assert refused.json["problems"] == [{"field": "data_disks", "detail": said}]
    assert http.ours.get(f"/vms/{made}").json == before


def test_a_resize_of_data_disks_beyond_the_quota_is_refused(http: Callers, made: str) -> None:
    http.admin.put("/departments/environment/quota", {"limits": {"disk_gib": 189}})
    refused = http.ours.post(f"/vms/{made}/resize", {"flavor": "small", "data_disks": [100, 40]})
    assert (refused.status_code, refused.json["code"], refused.json["asked"]) == (409, "quota.exceeded", 10)
    assert http.ours.post(f"/vms/{made}/resize", {"flavor": "small", "data_disks": [100, 39]}).status_code == 202


def test_data_disks_outlive_a_rebuild_and_go_with_the_vm(http: Callers, made: str) -> None:
    assert http.ours.post(f"/vms/{made}/rebuild", {}).status_code == 202
    assert http.work(made) == "settled"
    assert http.ours.get(f"/vms/{made}").json["size"]["data_disks"] == [100, 30]
    assert disk_used(http) == 180
    http.ours.delete(f"/vms/{made}")
    assert http.work(made) == "gone"
    assert disk_used(http) == 0


def test_a_request_holds_data_disks_of_new_machines_and_of_resizes(http: Callers, made: str) -> None:
    items = [
        {"do": "create", "kind": "vm", "spec": vm("db-02", data_disks=[200])},
        {"do": "resize", "resource": made, "size": {"flavor": "small", "data_disks": [100, 30, 7]}},
    ]
    asked = http.ours.post("/requests", {"title": "数据盘", "reason": "more data", "items": items})
    assert asked.status_code == 201, asked.json
    submitted = http.ours.post(f"/requests/{asked.json['id']}/submit")
    assert submitted.status_code == 200, submitted.json
    classes = http.ours.get("/departments/environment/quota").json["classes"]
    disk = next(c for c in classes if c["class"] == "disk_gib")
    assert disk["used"] + disk["held"] == 180 + 250 + 7
