"""The worker's pass over what is to go out: take what is due, bring it with no transaction open, say what became of it.

Each delivery is settled in a transaction of its own as soon as it is known what became of it.
"""

import json
import ssl
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import EmailMessage
from itertools import groupby
from smtplib import SMTP
from typing import Any

import structlog
from cryptography.fernet import InvalidToken

from controlplane.db import Sessions, transaction
from controlplane.errors import Refusal
from controlplane.models import Delivery, Webhook
from controlplane.secrets import Keys, keys
from controlplane.settings import Settings
from controlplane.telling import mail, outbox, signing, targets
from controlplane.telling.events import Language, link_to, words
from controlplane.telling.mail import Letter, MailServer, NotSent, Sender
from controlplane.telling.posting import Unanswered, post
from controlplane.telling.targets import Allowed, Resolver

_MOST_BATCHES = 50
_THREADS = 4
Clock = Callable[[], datetime]

log = structlog.get_logger(__name__)


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Mailing:
    """How mail goes out; without a server it does not. `url` is where links lead to, None for none."""

    server: MailServer | None
    sender: Sender
    language: Language
    url: str | None


@dataclass(frozen=True, slots=True)
class Calling:
    """How webhooks are called."""

    keys: Keys
    allowed: Allowed
    context: ssl.SSLContext
    source: str
    resolver: Resolver = targets.resolve


def means(settings: Settings) -> tuple[Mailing, Calling]:
    """Return how mail and webhooks go out from an installation."""
    sender = Sender(settings.mail_from, settings.centre_name)
    mailing = Mailing(mail.mail_server(settings), sender, settings.mail_language, settings.public_url)
    source = settings.public_url or "urn:steppe"
    calling = Calling(keys(settings), Allowed.of(settings.webhook_allowed), mail.trust(settings), source)
    return mailing, calling


def send_mail(sessions: Sessions, mailing: Mailing, now: Clock = clock) -> int:
    """Send what is due; return how many mails arrived at the mail server."""
    server, sent = mailing.server, 0
    if server is None:
        with transaction(sessions) as session:
            outbox.drop_mail(session)
        return 0
    for _ in range(_MOST_BATCHES):
        with transaction(sessions) as session:
            taken = outbox.take(session, "mail", now())
        if not taken:
            break
        try:
            with mail.connected(server) as smtp:
                sent += sum(_mailed(sessions, mailing, smtp, one, now) for one in taken)
        except NotSent as error:
            log.warning("the mail server is away", reason=str(error))
            _all_failed(sessions, taken, str(error), now)
            break
    return sent


def _mailed(sessions: Sessions, mailing: Mailing, smtp: SMTP, one: Delivery, now: Clock) -> bool:
    letter = _letter(mailing, one)
    if letter is None:
        with transaction(sessions) as session:
            outbox.dropped(session, one, "the account has no address any more, or is disabled")
        return False
    try:
        mail.send(smtp, _message(mailing.sender, letter, now()))
    except NotSent as error:
        with transaction(sessions) as session:
            outbox.failed(session, one, now(), {"last_error": str(error)}, for_good=error.for_good)
        return False
    with transaction(sessions) as session:
        outbox.delivered(session, one, now(), {})
    return True


def _message(sender: Sender, letter: Letter, now: datetime) -> EmailMessage:
    """Return a letter as it goes out. Raises NotSent for an address that no letter can bear."""
    try:
        return mail.message(sender, letter, now)
    except (ValueError, MessageError) as error:
        raise NotSent(f"no letter can be addressed so: {error}", for_good=True) from error


def _all_failed(sessions: Sessions, taken: Sequence[Delivery], reason: str, now: Clock) -> None:
    with transaction(sessions) as session:
        for one in taken:
            outbox.failed(session, one, now(), {"last_error": reason})


def _letter(mailing: Mailing, one: Delivery) -> Letter | None:
    line = one.notification
    if line is None or line.user.email is None or line.user.disabled_at is not None:
        return None
    said = words(line.event, line.params, mailing.language)
    link = link_to(line.request_id, line.resource_id) if mailing.url else ""
    return Letter(one.id, line.user.email, said.subject, f"{said.text}\n\n{mailing.url}{link}\n" if link else said.text)


def call_webhooks(sessions: Sessions, calling: Calling, now: Clock = clock) -> int:
    """Call webhooks with what is due, several of them at a time; return how many deliveries arrived."""
    arrived = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook") as threads:
        for _ in range(_MOST_BATCHES):
            with transaction(sessions) as session:
                taken = outbox.take(session, "webhook", now())
            if not taken:
                break
            by_webhook = groupby(sorted(taken, key=lambda one: str(one.webhook_id)), key=lambda one: one.webhook_id)
            groups = [list(of_one) for _, of_one in by_webhook]
            arrived += sum(threads.map(lambda group: _called(sessions, calling, group, now), groups))
    return arrived


def _called(sessions: Sessions, calling: Calling, group: Iterable[Delivery], now: Clock) -> int:
    """Deliver to one webhook in order, until the first try in vain."""
    arrived, until, stopped = 0, None, False
    for one in group:
        if stopped or not (one.webhook and one.webhook.enabled):
            with transaction(sessions) as session:
                outbox.put_back(session, one, until)
            continue
        said, good = _tried(calling, one.webhook, one, now())
        with transaction(sessions) as session:
            if good:
                outbox.delivered(session, one, now(), said)
                arrived += 1
            else:
                until, stopped = outbox.failed(session, one, now(), said), True
    return arrived


def _tried(calling: Calling, webhook: Webhook, one: Delivery, now: datetime) -> tuple[dict[str, Any], bool]:
    """Call a webhook; return what to write down of it, and whether it took the delivery."""
    try:
        secrets = _secrets(calling.keys, webhook, now)
        target = targets.target(webhook.url, calling.allowed, calling.resolver)
        body = _body(calling, one)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Steppe-Event": one.event,
            "Steppe-Delivery": str(one.id),
            signing.HEADER: signing.signature(body, secrets, now),
        }
        answer = post(target, body, headers, calling.context)
    except (Refusal, Unanswered, OSError) as error:
        return {"last_error": str(error), "status": None, "answer": None}, False
    except InvalidToken:
        return {"last_error": "no key opens the webhook's secret: see STEPPE_SEALING_KEYS", "status": None}, False
    said = {"status": answer.status, "answer": answer.text}
    return said if answer.good else {**said, "last_error": f"answered {answer.status}"}, answer.good


def _secrets(ring: Keys, webhook: Webhook, now: datetime) -> list[str]:
    sealed = [webhook.secret]
    if webhook.previous_secret and webhook.previous_until and now < webhook.previous_until:
        sealed.append(webhook.previous_secret)
    return [ring.sealing.decrypt(secret).decode() for secret in sealed]


def _body(calling: Calling, one: Delivery) -> bytes:
    payload = one.payload or {}
    about = {name: payload[name] for name in ("request", "resource") if payload.get(name)}
    envelope = {
        "specversion": "1.0",
        "id": str(one.event_id),
        "source": calling.source,
        "type": one.event,
        "time": one.made_at.isoformat(),
        "datacontenttype": "application/json",
        "department": payload.get("department"),
        "data": {**payload.get("params", {}), **about},
    }
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
