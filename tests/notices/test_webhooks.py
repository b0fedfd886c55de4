"""Webhooks: told of what concerns them, signed, tried through an outage, sent once more by hand."""

import hashlib
import hmac
import json
import threading
from collections import Counter
from datetime import timedelta
from time import perf_counter
from uuid import UUID

import pytest
from sqlalchemy import func, select

from controlplane import lookups
from controlplane.db import transaction
from controlplane.errors import NotFound, StillToGoOut, WebhookDisabled
from controlplane.models import Notification, Webhook
from controlplane.notices import Notice, tell
from controlplane.paging import Listing
from controlplane.services import webhooks
from controlplane.services.webhooks import NewWebhook
from controlplane.telling import backoff, outbox
from tests.accounts import KEYS
from tests.factories import ask, vm
from tests.notices.conftest import LOOPBACK, Desk
from tests.notices.hooks import Call, Receiver
from tests.people import SECURITY


def signed_by(call: Call) -> tuple[str, list[str]]:
    """Return (what was signed, signatures), as a receiver reads them."""
    parts = [part.split("=", 1) for part in call.headers["Steppe-Signature"].split(",")]
    [at] = [value for name, value in parts if name == "t"]
    return at, [value for name, value in parts if name == "v1"]


def good(call: Call, secret: str) -> bool:
    at, signatures = signed_by(call)
    wanted = hmac.new(secret.encode(), at.encode() + b"." + call.body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(wanted, one) for one in signatures)


def about_a_machine(desk: Desk, event: str = "lease.warning", department: str = "environment") -> UUID:
    """Tell nobody but webhooks of something about a machine of a department."""
    with transaction(desk.sessions) as session:
        [machine] = ask(session, vm(f"web-{len(desk.deliveries())}"), department=department)
        tell(session, [Notice(event, {"name": "web"}, resource=machine.id)])
        return machine.id


def state_of(desk: Desk, ref: UUID) -> Webhook:
    with desk.sessions() as session:
        return session.get_one(Webhook, ref)


def test_a_call_says_what_happened_and_is_signed(desk: Desk, receiver: Receiver) -> None:
    ref, secret = desk.webhook(receiver.url)
    machine = about_a_machine(desk)
    assert desk.call() == 1
    [call] = receiver.calls
    [delivery] = desk.deliveries()
    assert call.path == "/hook?of=steppe"
    said = json.loads(call.body)
    assert (said["type"], said["department"], said["id"]) == ("lease.warning", "environment", str(delivery.event_id))
    assert said["data"] == {"name": "web", "resource": str(machine)}
    assert said["specversion"] == "1.0" and said["time"] and said["source"]
    assert call.headers["Steppe-Delivery"] == str(delivery.id)
    assert call.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert good(call, secret) and not good(call, "whsec_wrong")
    assert abs(int(signed_by(call)[0]) - desk.now.timestamp()) < 2
    assert (delivery.state, delivery.status) == ("delivered", 204)
    assert state_of(desk, ref).failures == 0


def test_a_secret_is_kept_sealed(desk: Desk, receiver: Receiver) -> None:
    ref, secret = desk.webhook(receiver.url)
    kept = state_of(desk, ref).secret
    assert secret.encode() not in kept
    assert KEYS.sealing.decrypt(kept) == secret.encode()


def test_old_and_new_secret_sign_for_a_time_after_a_rotation(desk: Desk, receiver: Receiver) -> None:
    ref, old = desk.webhook(receiver.url)
    with transaction(desk.sessions) as session:
        _, new = webhooks.rotate(session, desk.admin, KEYS, ref, desk.now)
    about_a_machine(desk)
    desk.call()
    desk.now += webhooks.OLD_SIGNS_FOR + timedelta(minutes=1)
    about_a_machine(desk)
    desk.call()
    first, second = receiver.calls
    assert good(first, old) and good(first, new)
    assert good(second, new) and not good(second, old)


def test_a_failure_is_tried_again_ever_later_under_the_same_id_until_it_is_mended(
    desk: Desk, receiver: Receiver
) -> None:
    ref, secret = desk.webhook(receiver.url)
    receiver.usually = 503
    about_a_machine(desk)
    waits = []
    for _ in range(8):
        assert desk.call() == 0
        [one] = desk.deliveries()
        waits.append((one.next_try_at - desk.now).total_seconds())
        assert desk.call() == 0, "not before it is due"
        desk.now = one.next_try_at
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert (one.last_error, one.status, one.attempts) == ("answered 503", 503, 8)
    receiver.usually = 200
    assert desk.call() == 1
    assert len(receiver.calls) == 9
    assert len({call.headers["Steppe-Delivery"] for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    assert all(good(call, secret) for call in receiver.calls)
    found = state_of(desk, ref)
    assert (found.failures, found.retry_at) == (0, None)


def test_an_outage_is_tried_by_one_call_at_a_time_and_all_arrives_after_it(desk: Desk, receiver: Receiver) -> None:
    desk.webhook(receiver.url)
    receiver.usually = 500
    for _ in range(5):
        about_a_machine(desk)
    desk.call()
    assert len(receiver.calls) == 1
    about_a_machine(desk)
    desk.call()
    assert len(receiver.calls) == 1, "what comes during the outage waits with the others"
    desk.later(seconds=31)
    desk.call()
    assert len(receiver.calls) == 2
    receiver.usually = 200
    desk.later(hours=1)
    assert desk.call() == 6
    assert sorted(one.state for one in desk.deliveries()) == ["delivered"] * 6


def test_a_webhook_that_fails_too_often_is_disabled_and_its_owner_told(desk: Desk) -> None:
    ref, _ = desk.webhook("http://127.0.0.1:9/closed")
    about_a_machine(desk)
    with transaction(desk.sessions) as session:
        session.get_one(Webhook, ref).failures = backoff.DISABLED_AFTER - 1
    desk.call()
    found = state_of(desk, ref)
    assert (found.enabled, found.disabled_reason) == (False, "failing")
    assert [one.state for one in desk.deliveries()] == ["held"]
    with desk.sessions() as session:
        told = session.scalars(select(Notification).where(Notification.event == "webhook.disabled")).all()
    assert [(one.user_id, one.params["failures"]) for one in told] == [(desk.admin.id, backoff.DISABLED_AFTER)]


def test_what_waited_for_a_disabled_webhook_goes_out_once_it_is_enabled(desk: Desk, receiver: Receiver) -> None:
    ref, _ = desk.webhook(receiver.url)
    about_a_machine(desk)
    with transaction(desk.sessions) as session:
        webhooks.change(session, desk.admin, LOOPBACK, ref, {"enabled": False})
    about_a_machine(desk)
    assert desk.call() == 0
    with transaction(desk.sessions) as session:
        webhooks.change(session, desk.admin, LOOPBACK, ref, {"enabled": True})
    assert desk.call() == 1, "what happened while it was disabled it is not told"


def test_a_webhook_gets_the_events_of_its_department_and_those_that_it_asks_for_alone(
    desk: Desk, receiver: Receiver
) -> None:
    with transaction(desk.sessions) as session:
        for department, events in (("finance", ()), ("environment", ("lease.stopped",)), ("environment", ())):
            new = NewWebhook("x", receiver.url, department, events)
            webhooks.create(session, desk.admin, KEYS, LOOPBACK, new)
    about_a_machine(desk, "lease.warning")
    about_a_machine(desk, "lease.stopped")
    desk.tell("webhook.disabled")
    assert sorted(one.event for one in desk.deliveries() if one.channel == "webhook") == [
        "lease.stopped",
        "lease.stopped",
        "lease.warning",
    ]


def test_one_event_that_several_people_are_told_of_is_one_call(desk: Desk, receiver: Receiver) -> None:
    desk.webhook(receiver.url)
    with transaction(desk.sessions) as session:
        [machine] = ask(session, vm())
        notices = [
            Notice("step.escalated", {"number": 1}, role=role, resource=machine.id)
            for role in ("system_admin", "department_manager")
        ]
        tell(session, notices)  # type: ignore[arg-type]
    assert desk.call() == 1


def test_a_delivery_is_sent_once_more_by_hand_under_an_id_of_its_own(desk: Desk, receiver: Receiver) -> None:
    ref, secret = desk.webhook(receiver.url)
    about_a_machine(desk)
    with transaction(desk.sessions) as session, pytest.raises(StillToGoOut):
        webhooks.replay(session, desk.admin, ref, desk.deliveries()[0].id)
    desk.call()
    [first] = desk.deliveries()
    with transaction(desk.sessions) as session:
        webhooks.replay(session, desk.admin, ref, first.id)
    assert desk.call() == 1
    one, two = receiver.calls
    assert good(two, secret)
    assert json.loads(one.body)["id"] == json.loads(two.body)["id"]
    assert one.headers["Steppe-Delivery"] != two.headers["Steppe-Delivery"]
    with transaction(desk.sessions) as session:
        webhooks.change(session, desk.admin, LOOPBACK, ref, {"enabled": False})
        with pytest.raises(WebhookDisabled):
            webhooks.replay(session, desk.admin, ref, first.id)


def test_webhooks_of_a_department_are_not_there_for_another(desk: Desk, receiver: Receiver) -> None:
    ref, _ = desk.webhook(receiver.url)
    with desk.sessions() as session:
        with pytest.raises(NotFound):
            lookups.webhook_for(session, desk.manager, ref)
        assert lookups.webhooks(session, desk.manager, Listing()).items == []


def test_the_log_keeps_a_short_answer_and_no_more(desk: Desk, receiver: Receiver) -> None:
    desk.webhook(receiver.url)
    receiver.answers = [(400, {}, b"no\n\x1b[31m" + b"x" * 100_000)]
    about_a_machine(desk)
    desk.call()
    [one] = desk.deliveries()
    assert one.status == 400
    assert str(one.answer).startswith("no  [31mxxx") and len(str(one.answer)) == 500


def test_two_workers_take_each_delivery_once(desk: Desk, receiver: Receiver) -> None:
    desk.webhook(receiver.url)
    with transaction(desk.sessions) as session:
        [machine] = ask(session, vm())
        tell(session, [Notice("lease.warning", {"days": n}, resource=machine.id) for n in range(60)])
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        desk.call()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(receiver.calls) == 60
    assert len({call.headers["Steppe-Delivery"] for call in receiver.calls}) == 60


def test_a_deleted_webhook_takes_its_log_with_it(desk: Desk, receiver: Receiver) -> None:
    ref, _ = desk.webhook(receiver.url)
    about_a_machine(desk)
    with transaction(desk.sessions) as session:
        webhooks.remove(session, desk.admin, ref)
    assert desk.deliveries() == []


def test_secrets_are_sealed_anew_with_the_newest_key(desk: Desk, receiver: Receiver) -> None:
    ref, secret = desk.webhook(receiver.url)
    before = state_of(desk, ref).secret
    with transaction(desk.sessions) as session:
        assert webhooks.reseal(session, SECURITY, KEYS) == 1
    after = state_of(desk, ref).secret
    assert after != before and KEYS.sealing.decrypt(after) == secret.encode()


def test_what_arrives_while_its_webhook_is_disabled_is_not_sent_again(desk: Desk, receiver: Receiver) -> None:
    ref, _ = desk.webhook(receiver.url)
    about_a_machine(desk)
    with transaction(desk.sessions) as session:
        [taken] = outbox.take(session, "webhook", desk.now)
    with transaction(desk.sessions) as session:
        webhooks.change(session, desk.admin, LOOPBACK, ref, {"enabled": False})
    with transaction(desk.sessions) as session:
        outbox.delivered(session, taken, desk.now, {"status": 200})
    with transaction(desk.sessions) as session:
        webhooks.change(session, desk.admin, LOOPBACK, ref, {"enabled": True})
    assert [one.state for one in desk.deliveries()] == ["delivered"]
    assert desk.call() == 0


def test_telling_many_is_one_statement(desk: Desk, receiver: Receiver) -> None:
    desk.webhook(receiver.url)
    with transaction(desk.sessions) as session:
        [machine] = ask(session, vm())
        before = perf_counter()
        notices = [
            Notice("lease.warning", {"days": n}, [desk.manager.id], "system_admin", resource=machine.id)
            for n in range(1000)
        ]
        tell(session, notices)
        assert perf_counter() - before < 60
    by_channel = Counter(one.channel for one in desk.deliveries())
    assert by_channel == {"mail": 1000, "webhook": 1000}
    with desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Notification)) == 2000
