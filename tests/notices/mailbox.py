"""A real mail server on the loopback, which can be put up with STARTTLS and a password, taken down and put up again."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from controlplane.telling.mail import MailServer
from tests.cli.processes import free_port
from tests.notices.certificates import Certificates

USER, PASSWORD = "steppe", "open sesame"


class Mailbox:
    """`messages` are those that it took. It refuses mail to whoever is in `unknown`."""

    def __init__(self, signed: Certificates) -> None:
        self.messages: list[EmailMessage] = []
        self.unknown: set[str] = set()
        self.port = free_port()
        self._signed = signed
        self._server: Controller | None = None
        self._options: dict[str, Any] = {}

    def __enter__(self) -> "Mailbox":
        self.up()
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.down()

    def up(self, *, guarded: bool = False) -> None:
        """Serve; `guarded`: by STARTTLS and password alone."""
        self.down()
        options: dict[str, Any] = {}
        if guarded:
            options = {"tls_context": self._signed.serving(), "require_starttls": True, "auth_required": True}
            options["authenticator"] = _knows
        self._server = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._server.start()

    def down(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def reached(self, security: str = "plain", password: str | None = None) -> MailServer:
        """Return it as the worker knows it."""
        user = USER if password is not None else None
        return MailServer("127.0.0.1", self.port, security, user, password, self._signed.trusting())

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802 - its name for it
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.messages.append(message_from_bytes(content, policy=default))  # type: ignore[arg-type]
        return "250 taken"


def _knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)
