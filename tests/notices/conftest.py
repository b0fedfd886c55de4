"""Somebody to tell things to, and how what is told goes out: to servers that tests start on the loopback."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.db import Sessions, transaction
from controlplane.models import Delivery, Department, User
from controlplane.notices import Notice, tell
from controlplane.services import webhooks
from controlplane.services.webhooks import NewWebhook
from controlplane.telling import sending
from controlplane.telling.mail import MailServer, Sender
from controlplane.telling.sending import Calling, Mailing
from controlplane.telling.targets import Allowed
from tests.accounts import KEYS
from tests.factories import small_centre
from tests.notices.certificates import Certificates, certificates
from tests.notices.hooks import Receiver
from tests.notices.mailbox import Mailbox
from tests.templates import Template
from tests.window.conftest import person

LOOPBACK = Allowed.of("127.0.0.1")


@dataclass
class Desk:
    """A small centre with a manager who has an address, and a clock of its own."""

    sessions: Sessions
    manager: Actor
    admin: Actor
    department: UUID
    context: ssl.SSLContext
    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))
    allowed: Allowed = LOOPBACK
    url: str | None = "https://cloud.example"

    def tell(self, event: str = "request.done", people: tuple[UUID, ...] | None = None, **params: Any) -> None:
        who = [self.manager.id] if people is None else people
        with transaction(self.sessions) as session:
            tell(session, [Notice(event, {"number": 7, "title": "测试", **params}, who)])

    def send_mail(self, server: MailServer | None) -> int:
        mailing = Mailing(server, Sender("steppe@centre.example", "云中心"), "zh", self.url)
        return sending.send_mail(self.sessions, mailing, lambda: self.now)

    def call(self, **more: Any) -> int:
        calling = Calling(KEYS, self.allowed, self.context, "urn:steppe", **more)
        return sending.call_webhooks(self.sessions, calling, lambda: self.now)

    def webhook(self, url: str, *events: str) -> tuple[UUID, str]:
        """Make a webhook of the centre; return its id and secret."""
        with transaction(self.sessions) as session:
            new = NewWebhook("test", url, None, events)
            made, secret = webhooks.create(session, self.admin, KEYS, self.allowed, new)
            return made.id, secret

    def deliveries(self) -> list[Delivery]:
        with self.sessions() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.made_at, Delivery.id)))

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


Staffed = tuple[Actor, Actor, UUID]


def staffed(session: Session) -> Staffed:
    """Make a small centre; return the manager of a department, an administrator and the department."""
    centre = small_centre(session)
    manager = person(session, "manager", "department_manager", centre.department)
    admin = person(session, "admin", "system_admin", None)
    session.get_one(User, manager.id).email = "manager@nm.example"
    [department] = session.scalars(select(Department.id).where(Department.code == centre.department))
    return manager, admin, department


@pytest.fixture(scope="session")
def start_desk(template: Template[None]) -> Iterator[Template[Staffed]]:
    """That centre and those people."""
    with template.furnished(staffed) as made:
        yield made


@pytest.fixture
def desk(sessions: Sessions, start_desk: Template[Staffed], signed: Certificates) -> Desk:
    return Desk(sessions, *start_desk.made, signed.trusting())


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and a certificate by it for 127.0.0.1 and hook.example."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return certificates(folder)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def mailbox(signed: Certificates) -> Iterator[Mailbox]:
    with Mailbox(signed) as found:
        yield found
