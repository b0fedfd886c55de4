"""What every view may ask of the request that it serves: the session, who is asking, whether it is a dry run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from flask import current_app, g, request

from controlplane.accounts import Identity
from controlplane.actor import Actor
from controlplane.entrance import Arrival, Entrance
from controlplane.errors import Invalid
from controlplane.oidc.provider import Provider
from controlplane.services.attachments import Bounds
from controlplane.telling.targets import Allowed

_ETAG = "v"
_LONGEST_VERSION = 18


def session() -> Any:
    """Return the database session of this request, a SQLAlchemy Session: views only hand it on."""
    return g.session


def entrance() -> Entrance:
    """Return the rules, keys and places of this process."""
    return cast(Entrance, current_app.config["ENTRANCE"])


def provider() -> Provider | None:
    """Return the identity provider that people may come through, None where none is set up."""
    return cast(Provider | None, current_app.config["PROVIDER"])


def bounds() -> Bounds:
    """Return how many files may come with a request, and how large."""
    return cast(Bounds, current_app.config["ATTACHMENTS"])


def outside(path: str) -> str:
    """Return the whole address of a path of ours, as people elsewhere reach it."""
    configured: str | None = current_app.config["PUBLIC_URL"]
    return (configured or request.host_url).rstrip("/") + path


def logged_path() -> str:
    """Return the path of this request as a log may hold it: without what opens a door by itself."""
    return "/progress/..." if request.path.startswith("/progress/") else request.path


def webhooks_allowed() -> Allowed:
    """Return where webhooks may go."""
    return cast(Allowed, current_app.config["WEBHOOKS_ALLOWED"])


def identity_of(subject: str | None, login: str | None) -> Identity:
    """Return somebody at the identity provider, named by just one of the two. Raises Invalid."""
    known = provider()
    if known is None:
        raise Invalid(field="identity", reason="no identity provider is set up")
    if bool(subject) == bool(login):
        raise Invalid(field="identity", reason="say one of subject and login")
    return Identity(known.configuration.issuer, subject or None, login or None)


def arrival() -> Arrival:
    """Return from where and when this request comes."""
    return Arrival(
        request.remote_addr, request.headers.get("User-Agent"), g.trace, active="Steppe-Renewal" not in request.headers
    )


def keep() -> None:
    """Commit what was done so far, though the answer may be a refusal: that somebody tried to come in, say."""
    g.session.commit()


@contextmanager
def trial() -> Iterator[Any]:
    """Give the session for something that is only to be seen: whatever the block does is undone at its end.

    What the block read is of no use afterwards but for what it made of it.
    """
    try:
        yield g.session
    finally:
        g.session.rollback()


def actor() -> Actor:
    """Return who is asking; `auth` saw to it that there is somebody."""
    return cast(Actor, g.actor)


def for_program() -> bool:
    """Tell whether a program asks, not a person at a browser."""
    path = request.path
    return path.startswith("/api/") and path != "/api/docs"


def dry_run() -> bool:
    """Tell whether this request's transaction will be rolled back. Raises Invalid for a value that says neither.

    Only the API knows dry runs: a sign-in, say, is never without its audit event.
    """
    args = request.args
    if "dry_run" not in args or not for_program():
        return False
    value = args["dry_run"].lower()
    if value not in {"true", "false"}:
        raise Invalid(field="dry_run", reason="must be true or false")
    return value == "true"


def version() -> int | None:
    """Return the version that If-Match names, None where nothing is said. Raises Invalid."""
    header = request.headers.get("If-Match", "*").strip()
    if header == "*":
        return None
    tag = header.removeprefix("W/").strip('"')
    number = tag.removeprefix(_ETAG)
    if number == tag or not (number.isascii() and number.isdigit()) or len(number) > _LONGEST_VERSION:
        raise Invalid(field="If-Match", reason='must be an ETag that a read returned, like "v3"')
    return int(number)


def console_url() -> str:
    """Return where the browser that asks reaches the console proxy."""
    configured: str | None = current_app.config["CONSOLE_URL"]
    host = urlsplit(f"//{request.host}").hostname or "127.0.0.1"
    name = f"[{host}]" if ":" in host else host
    return configured or f"ws://{name}:{current_app.config['CONSOLE_PORT']}/console"


def etag(of_version: int) -> str:
    """Return the ETag of a thing at a version."""
    return f'"{_ETAG}{of_version}"'


def own_department(named: str | None) -> str | UUID:
    """Return the department that an ask is for: the one it names, or that of the caller. Raises Invalid."""
    department = named or actor().department
    if department is None:
        raise Invalid(field="department", reason="name the department that this is for")
    return department
