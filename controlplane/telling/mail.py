"""Mail by SMTP: plain text, one message for each mailbox, over one connection for as many as are due."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

from controlplane.settings import Settings

SECONDS = 20.0
_PORTS = {"plain": 25, "starttls": 587, "tls": 465}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails come from."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class MailServer:
    """The centre's mail server."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None
    context: ssl.SSLContext


class NotSent(Exception):
    """A message was not taken. `for_good`: another try is of no use."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


def mail_server(settings: Settings) -> MailServer | None:
    """Return the mail server that is set up, None where there is none."""
    if not settings.mail_host:
        return None
    file = settings.mail_password_file
    return MailServer(
        settings.mail_host,
        settings.mail_port or _PORTS[settings.mail_security],
        settings.mail_security,
        settings.mail_user,
        file.read_text().strip() if file else settings.mail_password,
        trust(settings),
    )


def trust(settings: Settings) -> ssl.SSLContext:
    """Return by which authorities the certificates of mail servers and webhooks are checked."""
    return ssl.create_default_context(cafile=settings.outgoing_ca_file)


@contextmanager
def connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    """Give a connection, encrypted and signed in as the server is set up. Raises NotSent."""
    try:
        smtp = _connect(server)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(_said(error)) from error
    try:
        yield smtp
    finally:
        with suppress(OSError, smtplib.SMTPException):
            smtp.quit()


def _connect(server: MailServer) -> smtplib.SMTP:
    if server.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=server.context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
    try:
        if server.security == "starttls":
            smtp.starttls(context=server.context)
        if server.user:
            smtp.login(server.user, server.password or "")
    except BaseException:
        smtp.close()
        raise
    return smtp


def send(smtp: smtplib.SMTP, message: EmailMessage) -> None:
    """Send a message. Raises NotSent."""
    try:
        smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, _)] = error.recipients.values()
        raise NotSent(_said(error), for_good=500 <= code < 600) from error
    except smtplib.SMTPDataError as error:
        raise NotSent(_said(error), for_good=500 <= error.smtp_code < 600) from error
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotSent(_said(error)) from error


@dataclass(frozen=True, slots=True)
class Letter:
    """What one mailbox is told. `id` is the same at each try, so that a receiver can tell a repeat."""

    id: UUID
    to: str
    subject: str
    text: str


def message(sender: Sender, letter: Letter, now: datetime) -> EmailMessage:
    """Return a letter as it goes out."""
    made = EmailMessage()
    made["From"] = Address(sender.name, addr_spec=sender.address)
    made["To"] = Address(addr_spec=letter.to)
    made["Subject"] = letter.subject
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{letter.id}@{sender.address.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    # Not every mail server takes more than ASCII as it is.
    made.set_content(letter.text, cte="base64")
    return made


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
