"""While the database is away: who asks is told so and when to come back, and once it is back all goes on by itself.

The way to the database leads through a gate of the test's own, which is a real TCP relay: closing it cuts what is open
and refuses what is new, as a server that was killed does.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import html
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from controlplane.bootstrap import Installation
from controlplane.db import APP_ROLE, make_engine, make_sessions, transaction
from controlplane.services.users import NewUser
from tests.accounts import person, token_of
from tests.factories import small_centre, vm
from tests.relay import Relay
from web.app import create_app
from web.errors import RETRY_AFTER_SECONDS


class Office:
    """The web application behind a gate, and one who may ask anything of it."""

    def __init__(self, installation: Installation, relay: Relay) -> None:
        self.relay = relay
        self.direct = installation.sessions
        engine = make_engine(relay.url, role=APP_ROLE)
        self.sessions = make_sessions(engine)
        with transaction(self.direct) as session:
            small_centre(session)
            self.secret = token_of(session, "admin-api", "system_admin")
        self.app = create_app(replace(installation, url=relay.url, engine=engine, sessions=self.sessions))
        self.client: FlaskClient = self.app.test_client()

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **more.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **more)

    def forged(self) -> dict[str, str]:
        """Return what a form of this browser needs to be taken for its own."""
        page = html.fromstring(self.client.get("/sign-in").text)
        return {"csrf_token": str(page.xpath("//meta[@name='csrf-token']/@content")[0])}

    def count(self) -> int:
        with transaction(self.direct) as session:
            return session.scalar(text("SELECT count(*) FROM resources")) or 0


@pytest.fixture
def office(installation: Installation) -> Iterator[Office]:
    with Relay(installation.url) as relay:
        yield Office(installation, relay)


ASK = {**vm(), "department": "environment"}


def test_a_program_is_told_that_the_database_is_away_and_when_to_come_back(office: Office) -> None:
    assert office.call("GET", "/api/v1/vms").status_code == 200
    office.relay.close()
    answer = office.call("GET", "/api/v1/vms")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
    assert answer.get_json()["code"] == "unavailable"
    ready = office.client.get("/readyz")
    assert (ready.status_code, ready.get_json()) == (503, {"status": "the database does not answer"})
    assert office.client.get("/healthz").status_code == 200


def test_a_person_gets_a_page_without_the_frame_that_names_him(office: Office) -> None:
    with transaction(office.direct) as session:
        known = person(session, NewUser("fang", "王芳", "auditor"))
    form = {"user": known.username, "password": known.password, **office.forged()}
    assert office.client.post("/sign-in", data=form).status_code == 302
    assert office.client.get("/vms").status_code == 200
    office.relay.close()
    page = office.client.get("/vms", headers={"Accept-Language": "en"})
    assert page.status_code == 503
    assert page.headers["Retry-After"]
    assert "The database cannot be reached now" in page.text
    assert "Nothing was changed" not in page.text, "a commit may have got through"
    assert "王芳" not in page.text


def test_the_first_request_after_its_return_is_served(office: Office) -> None:
    assert office.call("GET", "/api/v1/vms").status_code == 200
    office.relay.close()
    assert office.call("GET", "/api/v1/vms").status_code == 503
    office.relay.open()
    assert office.call("GET", "/api/v1/vms").status_code == 200
    assert office.client.get("/readyz").status_code == 200


def test_a_database_that_goes_away_before_the_commit_leaves_nothing_and_the_repeat_does_it_once(
    office: Office,
) -> None:
    key = {"Idempotency-Key": "one-vm"}

    def cut(_session: Session) -> None:
        office.relay.close()

    event.listen(office.sessions, "before_commit", cut)
    lost = office.call("POST", "/api/v1/vms", json=ASK, headers=key)
    event.remove(office.sessions, "before_commit", cut)
    assert (lost.status_code, lost.get_json()["code"]) == (503, "unavailable")
    assert office.count() == 0
    office.relay.open()
    first = office.call("POST", "/api/v1/vms", json=ASK, headers=key)
    again = office.call("POST", "/api/v1/vms", json=ASK, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.get_json()["id"] == again.get_json()["id"]
    assert office.count() == 1
