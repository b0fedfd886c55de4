"""Steppe with an identity provider set up, and people who come through it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.models import AuditEvent, SignIn, User
from controlplane.settings import Settings
from tests.callers import Callers, Known
from tests.oidc.real import RealProvider
from tests.web.visitors import Page, Visitor

SECRET = "a secret+with/odd%signs"
BACK = "http://localhost/sign-in/oidc/back"
ROLES = (
    "cloud=system_admin; security=security_admin; audit=audit_admin; eyes=auditor; ops=operator;"
    " heads=department_manager@environment; staff=department_member"
)


def settings(issuer: str, **more: Any) -> Settings:
    """Return settings for a provider, to be filled in with where the database is."""
    known = {"oidc_issuer": issuer, "oidc_client_id": "steppe", "oidc_client_secret": SECRET, "oidc_roles": ROLES}
    return Settings(**{**known, "oidc_department_claim": "department", **more})


class Office:
    """The application with a provider at `issuer`; `more` are settings of the test's own."""

    def __init__(self, installation: Installation, issuer: str, start: Known | None = None, **more: Any) -> None:
        base = installation.settings
        where = {"database_url": base.database_url, "state_dir": base.state_dir}
        self.installation = replace(installation, settings=settings(issuer, **where, **more))
        self.http = Callers(self.installation, start)
        self.issuer = issuer

    def browser(self, language: str = "en") -> Visitor:
        return Visitor(self.http.app.test_client()).speak(language)

    def user(self, username: str) -> User | None:
        with transaction(self.http.sessions) as session:
            return session.scalar(select(User).where(User.username == username))

    def sign_ins(self, username: str) -> Sequence[SignIn]:
        with transaction(self.http.sessions) as session:
            mine = select(SignIn).join(User).where(User.username == username)
            return session.scalars(mine.order_by(SignIn.id)).all()

    def events(self, action: str = "user.sign_in") -> list[tuple[str, dict[str, Any]]]:
        """Return outcome and details of what the trail has of an action, oldest first."""
        with transaction(self.http.sessions) as session:
            found = session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id))
            return [(event.outcome, event.details) for event in found]

    def refusals(self) -> list[str]:
        """Return why nobody was let in, each time."""
        return [details["refused"] for outcome, details in self.events() if outcome == "failure"]


def begin(browser: Visitor, next_page: str = "/") -> str:
    """Click the button; return where the browser is sent."""
    sent = browser.get("/sign-in/oidc", query_string={"next": next_page})
    assert sent.status == 302, sent.text()
    return sent.location


def asked(url: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def arrive(browser: Visitor, back: str) -> Page:
    """Follow the provider's redirect back to Steppe."""
    parts = urlsplit(back)
    return browser.get(f"{parts.path}?{parts.query}")


def come(browser: Visitor, provider: RealProvider, subject: str, next_page: str = "/") -> Page:
    """Come in through a provider as one of its people."""
    return arrive(browser, provider.sign_in(begin(browser, next_page), subject))
