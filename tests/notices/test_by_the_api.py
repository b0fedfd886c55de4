"""The inbox, preferences and webhooks as programs use them."""

from typing import Any

import pytest
from sqlalchemy import select

from controlplane.db import transaction
from controlplane.models import Delivery, User
from controlplane.notices import Notice, tell
from tests.accounts import token_of
from tests.callers import Caller, Callers
from tests.factories import ask, vm

HOOK = {"name": "tickets", "url": "https://hook.example/in"}


@pytest.fixture
def person(http: Callers) -> Caller:
    """A program whose account is told things."""
    with transaction(http.sessions) as session:
        secret = token_of(session, "reader", "department_member", "environment")
        session.scalars(select(User).where(User.username == "reader")).one().service = False
    return Caller(http.app.test_client(), secret)


def told(http: Callers, *numbers: int) -> None:
    with transaction(http.sessions) as session:
        user = session.scalars(select(User.id).where(User.username == "reader")).one()
        tell(session, [Notice("request.done", {"number": n, "title": "x"}, [user]) for n in numbers])


def log_of(http: Callers, ref: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.ours.get(f"/webhooks/{ref}/deliveries").json["items"]
    return found


def test_an_inbox_is_read_in_pages_and_marked_in_part_or_whole(http: Callers, person: Caller) -> None:
    told(http, 1, 2, 3)
    first = person.get("/notifications?limit=2").json
    assert [n["params"]["number"] for n in first["items"]] in ([3, 2], [2, 3], [1, 2], [2, 1], [1, 3], [3, 1])
    assert len(person.get(f"/notifications?limit=2&cursor={first['next']}").json["items"]) == 1
    assert first["items"][0]["words"]["en"]["subject"].startswith("Done: request")
    one = first["items"][0]["id"]
    assert person.post("/notifications/read", {"ids": [one]}).json == {"marked": 1, "unread": 2}
    assert len(person.get("/notifications?unread=true").json["items"]) == 2
    assert person.post("/notifications/read", {}).json == {"marked": 2, "unread": 0}


def test_nobody_sees_or_marks_what_another_was_told(http: Callers, person: Caller) -> None:
    told(http, 1)
    one = person.get("/notifications").json["items"][0]["id"]
    for other in (http.ours, http.admin):
        assert other.get("/notifications").json["items"] == []
        assert other.post("/notifications/read", {"ids": [one]}).json["marked"] == 0
    assert len(person.get("/notifications?unread=true").json["items"]) == 1


def test_one_says_where_and_about_what_mail_comes(person: Caller) -> None:
    before = person.get("/notifications/preferences").json
    assert (before["email"], set(before["mail"].values())) == (None, {True})
    after = person.put("/notifications/preferences", {"email": "a.b@nm.example", "mail": {"leases": False}}).json
    assert (after["email"], after["mail"]["leases"], after["mail"]["requests"]) == ("a.b@nm.example", False, True)
    assert person.put("/notifications/preferences", {"email": None}).json["email"] is None
    assert person.put("/notifications/preferences", {"mail": {"x": True}}).status_code == 422


@pytest.mark.parametrize("address", ["x", "a@b@c", "a b@c.example", "a@c.example\nBcc: x@y", "<a@b.example>", "a,b@c"])
def test_what_is_no_address_of_one_mailbox_is_refused(http: Callers, person: Caller, address: str) -> None:
    assert person.put("/notifications/preferences", {"email": address}).status_code == 422
    assert http.security.patch("/users/reader", {"email": address}).status_code == 422


def test_an_address_is_seen_by_who_may_see_users_alone(http: Callers, person: Caller) -> None:
    assert http.security.patch("/users/reader", {"email": "r@nm.example"}).json["email"] == "r@nm.example"
    assert http.ours.get("/users/reader").json["email"] == "r@nm.example"
    assert http.theirs.get("/users/reader").status_code == 404
    assert http.admin.get("/users/reader").status_code == 403
    trail = http.audit.get("/audit-events?action=user.update").text
    assert "nm.example" not in trail


def test_a_webhook_is_made_changed_and_deleted(http: Callers) -> None:
    made = http.ours.post("/webhooks", {**HOOK, "events": ["lease.warning"]})
    assert made.status_code == 201
    ref = made.json["id"]
    assert made.json["secret"].startswith("whsec_") and made.json["department"] == "environment"
    shown = http.ours.get(f"/webhooks/{ref}")
    assert "secret" not in shown.json and made.json["secret"] not in http.ours.get("/webhooks").text
    etag = shown.headers["ETag"]
    changed = http.ours.patch(f"/webhooks/{ref}", {"events": [], "enabled": False}, headers={"If-Match": etag})
    assert (changed.json["events"], changed.json["disabled_reason"]) == ([], "decision")
    assert http.ours.patch(f"/webhooks/{ref}", {"name": "y"}, headers={"If-Match": etag}).status_code == 412
    assert http.ours.post(f"/webhooks/{ref}/rotate").json["secret"] != made.json["secret"]
    assert http.ours.delete(f"/webhooks/{ref}").status_code == 200
    assert http.ours.get(f"/webhooks/{ref}").status_code == 404
    assert made.json["secret"] not in http.audit.get("/audit-events").text


def test_a_webhook_of_one_department_is_not_there_for_another_and_of_the_centre_for_neither(http: Callers) -> None:
    ours = http.ours.post("/webhooks", HOOK).json["id"]
    centre = http.admin.post("/webhooks", HOOK).json
    assert centre["department"] is None
    assert http.theirs.get(f"/webhooks/{ours}").status_code == 404
    assert http.theirs.get("/webhooks").json["items"] == []
    for verb, path in (("patch", ""), ("post", "/rotate"), ("delete", "")):
        assert getattr(http.ours, verb)(f"/webhooks/{centre['id']}{path}", json={}).status_code == 404 or path
    assert {w["id"] for w in http.admin.get("/webhooks").json["items"]} == {ours, centre["id"]}
    assert http.theirs.post("/webhooks", {**HOOK, "department": "environment"}).status_code == 404
    assert http.audit.get("/webhooks").status_code == 403


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://127.0.0.1/", "webhook.forbidden_target"),
        ("http://[::1]/", "webhook.forbidden_target"),
        ("http://169.254.169.254/latest", "webhook.forbidden_target"),
        ("http://2130706433/", "webhook.forbidden_target"),
        ("https://localhost/", "webhook.forbidden_target"),
        ("ftp://hook.example/", "webhook.url"),
        ("https://user:word@hook.example/", "webhook.url"),
    ],
)
def test_an_address_that_leads_nowhere_good_is_refused_with_its_reason(http: Callers, address: str, code: str) -> None:
    refused = http.ours.post("/webhooks", {**HOOK, "url": address})
    assert (refused.status_code, refused.json["code"]) == (422, code)
    ref = http.ours.post("/webhooks", HOOK).json["id"]
    assert http.ours.patch(f"/webhooks/{ref}", {"url": address}).json["code"] == code


def test_an_event_that_is_none_is_refused_with_those_that_are(http: Callers) -> None:
    refused = http.ours.post("/webhooks", {**HOOK, "events": ["vm.exploded"]})
    assert refused.status_code == 422 and "lease.warning" in refused.json["detail"]


def test_a_department_reads_its_log_and_has_something_sent_once_more(http: Callers) -> None:
    ref = http.ours.post("/webhooks", HOOK).json["id"]
    with transaction(http.sessions) as session:
        [machine] = ask(session, vm())
        tell(session, [Notice("lease.warning", {"name": "web"}, resource=machine.id)])
    [one] = log_of(http, ref)
    assert (one["state"], one["event"], one["attempts"]) == ("waiting", "lease.warning", 0)
    early = http.ours.post(f"/webhooks/{ref}/replay", {"delivery": one["id"]})
    assert (early.status_code, early.json["code"]) == (409, "webhook.still_to_go_out")
    with transaction(http.sessions) as session:
        session.scalars(select(Delivery)).one().state = "failed"
    assert http.theirs.post(f"/webhooks/{ref}/replay", {"delivery": one["id"]}).status_code == 404
    again = http.ours.post(f"/webhooks/{ref}/replay", {"delivery": one["id"]})
    assert (again.status_code, again.json["repeats"], again.json["state"]) == (200, one["id"], "waiting")
    assert http.ours.get(f"/webhooks/{ref}/deliveries?state=failed").json["items"][0]["id"] == one["id"]
    assert len(log_of(http, ref)) == 2
