"""A VM whose pool does not answer says so to whoever asks about it."""

from datetime import UTC, datetime
from uuid import UUID

from controlplane.reconcile.resource import put_off
from tests.callers import Callers
from tests.factories import vm
from tests.web.visitors import Visitors

UNTIL = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_vm_says_why_it_waits_and_until_when_as_long_as_it_does(http: Callers) -> None:
    made = http.ours.post("/vms", vm()).get_json()
    assert made["waiting"] is None
    put_off(http.sessions, UUID(made["id"]), "the hypervisor is away", UNTIL)
    seen = http.ours.get(f"/vms/{made['id']}")
    assert seen.get_json()["waiting"] == {"reason": "the hypervisor is away", "next_try_at": "2030-01-02T03:04:05Z"}
    assert (seen.get_json()["state"], seen.get_json()["version"]) == ("building", made["version"])
    assert http.theirs.get(f"/vms/{made['id']}").status_code == 404
    assert http.work(made["id"]) == "settled"
    assert http.ours.get(f"/vms/{made['id']}").get_json()["waiting"] is None


def test_the_page_of_a_vm_says_why_it_waits(http: Callers, visit: Visitors) -> None:
    made = http.ours.post("/vms", vm()).get_json()["id"]
    put_off(http.sessions, UUID(made), "the hypervisor is away", UNTIL)
    page = visit("admin").get(f"/vms/{made}")
    assert (page.status, "the hypervisor is away" in page.text()) == (200, True)
    assert "It is tried again by itself" in page.text()


def test_what_is_gone_waits_for_nothing(http: Callers) -> None:
    made = http.ours.post("/vms", vm()).get_json()["id"]
    http.work(made)
    http.ours.delete(f"/vms/{made}")
    assert http.work(made) == "gone"
    put_off(http.sessions, UUID(made), "too late", UNTIL)
    assert http.ours.get(f"/vms/{made}").status_code == 404
