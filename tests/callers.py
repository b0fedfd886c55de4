"""HTTP clients that carry the tokens of a few callers, on the real application."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from controlplane.actor import Role
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.reconcile.drivers import Drivers
from controlplane.reconcile.resource import Outcome, reconcile
from tests import described
from tests.accounts import token_of
from tests.factories import Centre, small_centre
from tests.moving import app_of


class Caller:
    """One caller: its verbs send JSON with its token. What is answered is as the API describes it."""

    def __init__(self, client: FlaskClient, secret: str) -> None:
        self._client = client
        self.secret = secret

    def get(self, path: str, **more: Any) -> TestResponse:
        return self._call("get", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self._call("post", path, json=json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self._call("put", path, json=json, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self._call("patch", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self._call("delete", path, **more)

    def _call(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        bearer = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        sent = {**bearer, **(headers or {})}
        answer = self._client.open(f"/api/v1{path}", method=method.upper(), headers=sent, **more)
        described.hold(self._client.application, answer)
        return answer


@dataclass(frozen=True)
class Known:
    """A small centre, and the secrets of those who call it, in the order of `Callers`."""

    centre: Centre
    secrets: list[str]


def known(session: Session) -> Known:
    """Make a small centre, and a token for each caller."""
    centre = small_centre(session)
    callers: tuple[tuple[str, Role, str | None], ...] = (
        ("admin", "system_admin", None),
        ("security", "security_admin", None),
        ("audit", "audit_admin", None),
        ("ours", "department_manager", centre.department),
        ("theirs", "department_manager", centre.other),
    )
    return Known(centre, [token_of(session, f"{name}-api", role, department) for name, role, department in callers])


class Callers:
    """The three administrators, a department, a stranger from another one, and nobody; `start` is whom the database
    begins with, where it is not empty."""

    def __init__(self, installation: Installation, start: Known | None = None) -> None:
        self.installation = installation
        self.sessions = installation.sessions
        self._lent = ExitStack()
        # The web server's connections see no tenant's rows before they are bound; tests look as the centre.
        self.app, self.engine = self._lent.enter_context(app_of(installation))
        self.drivers: Drivers = installation.drivers()
        if start is None:
            with transaction(self.sessions) as session:
                start = known(session)
        self.centre = start.centre
        callers = (Caller(self.app.test_client(), secret) for secret in start.secrets)
        self.admin, self.security, self.audit, self.ours, self.theirs = callers
        self.nobody = Caller(self.app.test_client(), "")

    def close(self) -> None:
        """Give the application back."""
        self._lent.close()

    def work(self, resource: str) -> Outcome:
        """Do what a worker would do for a resource."""
        return reconcile(self.sessions, self.drivers, UUID(resource))
