"""Notifications, addresses and webhooks as an operator types them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import select

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import Delivery, User
from controlplane.notices import Notice, tell
from controlplane.settings import settings
from tests.cli.test_commands import Steppe, done, parsed, steppe
from tests.factories import ask, vm
from tests.notices.mailbox import Mailbox

__all__ = ["steppe"]


@pytest.fixture
def reader(installation: Installation, steppe: Steppe) -> Iterator[None]:
    """Somebody who was told something about a machine."""
    words = ("--name", "读者", "--role", "department_member", "--department", "environment", "--email", "r@nm.example")
    done(steppe("user", "create", "reader", *words))
    yield None


def told(installation: Installation) -> None:
    with transaction(installation.sessions) as session:
        user = session.scalars(select(User).where(User.username == "reader")).one()
        [machine] = ask(session, vm())
        tell(session, [Notice("lease.warning", {"name": "web", "days": 7}, [user.id], resource=machine.id)])


def test_what_an_account_was_told_is_listed_and_marked(
    installation: Installation, steppe: Steppe, reader: None
) -> None:
    told(installation)
    [one] = parsed(steppe("notification", "list", "reader", "--unread", "--lang", "en", "--json"))
    assert (one["event"], one["subject"]) == ("lease.warning", "Ends soon: web")
    assert done(steppe("notification", "read", "reader")) == "marked 1\n"
    assert parsed(steppe("notification", "list", "reader", "--unread", "--json")) == []
    assert steppe("notification", "list", "nobody").exit_code == 4


def test_an_address_is_set_and_removed(installation: Installation, steppe: Steppe, reader: None) -> None:
    def address() -> str | None:
        with installation.sessions() as session:
            return session.scalars(select(User.email).where(User.username == "reader")).one()

    assert address() == "r@nm.example"
    assert done(steppe("user", "email", "reader", "other@nm.example")) == "set\n"
    assert address() == "other@nm.example"
    assert steppe("user", "email", "reader", "nonsense").exit_code == 3
    assert done(steppe("user", "email", "reader")) == "removed\n"
    assert address() is None


def test_a_webhook_is_made_listed_switched_rotated_and_deleted(steppe: Steppe) -> None:
    hook = ("tickets", "https://hook.example/in", "--department", "environment", "--event", "lease.warning")
    made = parsed(steppe("webhook", "create", *hook, "--json"))
    assert made["secret"].startswith("whsec_")
    ref = made["id"]
    [one] = parsed(steppe("webhook", "list", "--json"))
    assert (one["id"], one["department"], one["events"]) == (ref, "environment", ["lease.warning"])
    assert done(steppe("webhook", "disable", ref)) == "disabled\n"
    assert done(steppe("webhook", "enable", ref)) == "enabled\n"
    other = done(steppe("webhook", "rotate", ref, "--quiet")).strip()
    assert other.startswith("whsec_") and other != made["secret"]
    assert (
        done(steppe("user", "reseal"))
        == "sealed 0 second factors and the secrets of 1 webhooks, 0 pools and 0 VPN accounts\n"
    )
    assert done(steppe("webhook", "delete", ref)) == "deleted\n"
    assert steppe("webhook", "deliveries", ref).exit_code == 4
    refused = steppe("webhook", "create", "x", "http://127.0.0.1/")
    assert refused.exit_code == 3 and "webhook.forbidden_target" in refused.output


def test_a_log_is_read_and_something_sent_once_more(installation: Installation, steppe: Steppe, reader: None) -> None:
    ref = parsed(steppe("webhook", "create", "x", "https://hook.example/", "--json"))["id"]
    told(installation)
    with transaction(installation.sessions) as session:
        one = session.scalars(select(Delivery).where(Delivery.channel == "webhook")).one()
        one.state, one.status, one.answer = "failed", 500, "oops"
    [line] = parsed(steppe("webhook", "deliveries", ref, "--json"))
    assert (line["state"], line["status"], line["answer"]) == ("failed", 500, "oops")
    again = done(steppe("webhook", "replay", ref, line["id"])).strip()
    assert [d["id"] for d in parsed(steppe("webhook", "deliveries", ref, "--state", "waiting", "--json"))] == [again]
    assert steppe("webhook", "replay", ref, str(uuid4())).exit_code == 4


def test_the_mail_server_is_tried_by_a_command(
    steppe: Steppe, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No mail server" in steppe("notification", "try-mail", "a@nm.example").output
    monkeypatch.setenv("STEPPE_MAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("STEPPE_MAIL_PORT", str(mailbox.port))
    monkeypatch.setenv("STEPPE_MAIL_SECURITY", "plain")
    settings.cache_clear()
    assert done(steppe("notification", "try-mail", "a@nm.example")) == "sent\n"
    assert mailbox.messages[0]["To"] == "a@nm.example"
    mailbox.down()
    assert steppe("notification", "try-mail", "a@nm.example").exit_code == 1
