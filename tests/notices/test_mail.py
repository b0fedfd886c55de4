"""Mail: what somebody is told goes out to a real mail server, once, through its absences, as its reader wants it."""

import ssl
import threading
from dataclasses import replace
from uuid import UUID

import pytest

from controlplane.db import transaction
from controlplane.models import User
from controlplane.notices import Notice, tell
from controlplane.services import leavers, notifications
from controlplane.telling import backoff, outbox
from controlplane.telling.events import link_to
from controlplane.telling.mail import NotSent, connected
from tests.notices.conftest import Desk
from tests.notices.mailbox import PASSWORD, Mailbox
from tests.people import OPERATOR


def states(desk: Desk) -> list[str]:
    return [one.state for one in desk.deliveries()]


def test_a_mail_says_what_happened_and_leads_to_the_page_of_it(desk: Desk, mailbox: Mailbox) -> None:
    desk.tell("request.refused", reason="超出额度")
    assert desk.send_mail(mailbox.reached()) == 1
    [mail] = mailbox.messages
    assert (mail["To"], mail["From"]) == ("manager@nm.example", "云中心 <steppe@centre.example>")
    assert mail["Subject"] == "申请未获批准：7 测试"
    assert "超出额度" in mail.get_content()
    assert "https://cloud.example/notifications" in mail.get_content()
    assert states(desk) == ["delivered"]


def test_what_was_sent_is_not_sent_again(desk: Desk, mailbox: Mailbox) -> None:
    desk.tell()
    desk.send_mail(mailbox.reached())
    desk.later(days=2)
    assert desk.send_mail(mailbox.reached()) == 0
    assert len(mailbox.messages) == 1


def test_mail_goes_by_starttls_and_password(desk: Desk, mailbox: Mailbox) -> None:
    mailbox.up(guarded=True)
    desk.tell()
    assert desk.send_mail(mailbox.reached("starttls", PASSWORD)) == 1


def test_a_wrong_password_and_a_connection_in_the_clear_are_told_and_tried_again(desk: Desk, mailbox: Mailbox) -> None:
    mailbox.up(guarded=True)
    desk.tell()
    assert desk.send_mail(mailbox.reached("starttls", "wrong")) == 0
    assert "535" in str(desk.deliveries()[0].last_error)
    desk.later(hours=2)
    assert desk.send_mail(mailbox.reached()) == 0
    desk.later(hours=2)
    assert desk.send_mail(mailbox.reached("starttls", PASSWORD)) == 1


def test_a_certificate_of_an_unknown_authority_gets_no_password(desk: Desk, mailbox: Mailbox) -> None:
    mailbox.up(guarded=True)
    server = mailbox.reached("starttls", PASSWORD)
    with (
        pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"),
        connected(replace(server, context=ssl.create_default_context())),
    ):
        pass


def test_mail_waits_for_a_server_that_is_away_ever_longer_and_arrives_once_it_is_back(
    desk: Desk, mailbox: Mailbox
) -> None:
    mailbox.down()
    desk.tell()
    waits = []
    for _ in range(9):
        assert desk.send_mail(mailbox.reached()) == 0
        [one] = desk.deliveries()
        waits.append((one.next_try_at - desk.now).total_seconds())
        desk.now = one.next_try_at
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert "refused" in str(one.last_error)
    mailbox.up()
    assert desk.send_mail(mailbox.reached()) == 1


def test_mail_is_given_up_after_three_days(desk: Desk, mailbox: Mailbox) -> None:
    mailbox.down()
    desk.tell()
    desk.later(seconds=backoff.GIVEN_UP_AFTER.total_seconds())
    desk.send_mail(mailbox.reached())
    assert states(desk) == ["failed"]


def test_a_mailbox_that_does_not_exist_is_given_up_at_once_and_holds_up_nobody(desk: Desk, mailbox: Mailbox) -> None:
    with transaction(desk.sessions) as session:
        session.get_one(User, desk.admin.id).email = "admin@nm.example"
    mailbox.unknown = {"manager@nm.example"}
    desk.tell(people=(desk.manager.id, desk.admin.id))
    assert desk.send_mail(mailbox.reached()) == 1
    assert sorted(states(desk)) == ["delivered", "failed"]


def test_without_a_mail_server_nothing_piles_up(desk: Desk) -> None:
    desk.tell()
    desk.send_mail(None)
    assert states(desk) == ["dropped"]


def test_who_wants_no_mail_about_a_category_has_it_in_the_inbox_alone(desk: Desk) -> None:
    with transaction(desk.sessions) as session:
        notifications.want(session, desk.manager, {"requests": False})
    desk.tell("request.done")
    desk.tell("request.submitted")
    assert [one.event for one in desk.deliveries()] == ["request.submitted"]
    with desk.sessions() as session:
        assert notifications.unread(session, desk.manager) == 2


def test_who_has_no_address_gets_no_mail(desk: Desk) -> None:
    desk.tell(people=(desk.admin.id,))
    assert desk.deliveries() == []


def test_who_left_meanwhile_gets_no_mail_and_the_address_is_forgotten(desk: Desk, mailbox: Mailbox) -> None:
    desk.tell()
    with transaction(desk.sessions) as session:
        assert leavers.remove_leaver(session, OPERATOR, desk.manager.id).email is None
    assert desk.send_mail(mailbox.reached()) == 0
    assert states(desk) == ["dropped"]


def test_a_title_cannot_put_a_header_or_another_recipient_into_a_mail(desk: Desk, mailbox: Mailbox) -> None:
    desk.tell(title="x\r\nBcc: all@nm.example\r\n\r\nhello {number.__class__}")
    desk.send_mail(mailbox.reached())
    [mail] = mailbox.messages
    assert mail["Bcc"] is None
    assert "{number.__class__}" in mail["Subject"]


def test_what_is_told_in_a_transaction_that_fails_is_told_to_nobody(desk: Desk) -> None:
    with desk.sessions() as session:
        tell(session, [Notice("request.done", {}, [desk.manager.id])])
        session.rollback()
    assert desk.deliveries() == []


def test_two_workers_take_each_mail_once(desk: Desk, mailbox: Mailbox) -> None:
    for _ in range(40):
        desk.tell()
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        desk.send_mail(mailbox.reached())

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(mailbox.messages) == 40
    assert len({mail["Message-ID"] for mail in mailbox.messages}) == 40


def test_what_a_worker_took_that_died_is_taken_again_after_its_lease(desk: Desk, mailbox: Mailbox) -> None:
    desk.tell()
    with transaction(desk.sessions) as session:
        [taken] = outbox.take(session, "mail", desk.now)
    desk.later(minutes=9)
    assert desk.send_mail(mailbox.reached()) == 0
    desk.later(minutes=2)
    assert desk.send_mail(mailbox.reached()) == 1
    with transaction(desk.sessions) as session:
        outbox.failed(session, taken, desk.now, {"last_error": "late"})
    assert states(desk) == ["delivered"], "whoever comes late changes nothing"


def test_old_deliveries_and_inbox_lines_are_forgotten(desk: Desk, mailbox: Mailbox) -> None:
    desk.tell()
    desk.send_mail(mailbox.reached())
    for days, left in ((29, 1), (31, 0)):
        desk.later(days=days)
        with transaction(desk.sessions) as session:
            outbox.forget_old(session, desk.now)
        assert len(desk.deliveries()) == left
    with desk.sessions() as session:
        assert notifications.unread(session, desk.manager) == 1


def test_a_link_leads_to_the_request_or_the_machine() -> None:
    one = UUID(int=1)
    assert link_to(one, None) == f"/requests/{one}"
    assert link_to(None, one) == f"/vms/{one}"
