"""The worker sends mail and calls webhooks by the clock, as its settings say."""

from dataclasses import replace
from pathlib import Path

import pytest

from controlplane import secrets
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.services import webhooks
from controlplane.services.webhooks import NewWebhook
from controlplane.settings import Settings
from controlplane.telling.targets import Allowed
from controlplane.worker import make_app
from tests.notices.certificates import Certificates
from tests.notices.conftest import Desk
from tests.notices.hooks import Receiver
from tests.notices.mailbox import PASSWORD, USER, Mailbox
from tests.notices.test_webhooks import about_a_machine


@pytest.fixture
def set_up(installation: Installation, mailbox: Mailbox, signed: Certificates, tmp_path: Path) -> Installation:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    config = Settings(
        database_url=installation.url,
        state_dir=tmp_path,
        mail_host="127.0.0.1",
        mail_port=mailbox.port,
        mail_user=USER,
        mail_password_file=password,
        mail_from="steppe@nm.example",
        webhook_allowed="127.0.0.1",
        outgoing_ca_file=signed.authority,
        public_url="https://cloud.example",
    )
    return replace(installation, settings=config)


def test_what_is_told_goes_out_both_ways(
    set_up: Installation, desk: Desk, mailbox: Mailbox, signed: Certificates
) -> None:
    mailbox.up(guarded=True)
    app = make_app(set_up, set_up.drivers())
    with Receiver(signed.serving()) as receiver:
        with transaction(desk.sessions) as session:
            new = NewWebhook("x", receiver.url, None)
            allowed = Allowed.of("127.0.0.1")
            webhooks.create(session, desk.admin, secrets.keys(set_up.settings), allowed, new)
        about_a_machine(desk)
        desk.tell()
        assert app.tasks["send_mail"].func(timestamp=0) == 1
        assert app.tasks["call_webhooks"].func(timestamp=0) == 2
        assert b"https://cloud.example" in receiver.calls[0].body
    assert "https://cloud.example/" in mailbox.messages[0].get_content()
    assert app.tasks["forget_old_deliveries"].func(timestamp=0) == 0


def test_both_are_done_every_quarter_of_a_minute(set_up: Installation) -> None:
    app = make_app(set_up, set_up.drivers())
    crons = {name: task.cron for (name, _), task in app.periodic_registry.periodic_tasks.items()}
    assert crons["send_mail"] == crons["call_webhooks"] == "* * * * * */15"
