"""Preparing, linking and unlinking identities: by API, CLI and console, and nobody with two of the three powers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.errors import CheckViolation, StringDataRightTruncation
from sqlalchemy import make_url

from controlplane.cli import steppe as command
from controlplane.db import APP_ROLE, CENTRE_ROLE, transaction
from controlplane.services import leavers
from controlplane.services.users import NewUser
from controlplane.settings import Settings
from controlplane.settings import settings as current
from tests.accounts import person
from tests.oidc.conftest import Opens
from tests.oidc.double import Double
from tests.oidc.office import ROLES, SECRET, Office
from tests.people import OPERATOR
from tests.web.visitors import Visitor, Visitors
from web.app import create_app

ISSUER = "https://idp.example"
WANG = {"username": "wang", "name": "王芳", "role": "auditor"}
Steppe = Callable[..., Result]


@pytest.fixture
def here(office: Opens) -> Office:
    return office(ISSUER)


@pytest.fixture
def steppe(here: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steppe]:
    """Run commands beside that office, with its settings in the environment."""
    known = here.installation.settings
    for name in ("database_url", "state_dir", "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_roles"):
        monkeypatch.setenv(f"STEPPE_{name.upper()}", str(getattr(known, name)))
    monkeypatch.setenv("STEPPE_OIDC_DEPARTMENT_CLAIM", "department")
    current.cache_clear()
    yield lambda *words: CliRunner().invoke(command, words)
    current.cache_clear()


def test_the_api_makes_links_and_unlinks_and_says_so(here: Office) -> None:
    api = here.http.security
    made = api.post("/users", {**WANG, "login": "wang.fang"}).json
    assert (made["password"], made["identity"]) == (None, {"issuer": ISSUER, "subject": None, "login": "wang.fang"})
    assert made["must_change_password"] is False
    linked = api.put("/users/wang/identity", {"subject": "u-1"}).json
    assert linked["identity"] == {"issuer": ISSUER, "subject": "u-1", "login": None}
    assert api.post("/users/wang/reset-password").status_code == 422
    assert api.delete("/users/wang/identity").json["identity"] is None
    assert api.post("/users/wang/reset-password").status_code == 200
    [(_, linking)], [(_, unlinking)] = here.events("user.link"), here.events("user.unlink")
    assert (linking["before"]["login"], linking["after"]["subject"]) == ("wang.fang", "u-1")
    assert (unlinking["before"]["subject"], unlinking["after"]) == ("u-1", None)


def test_an_identity_is_of_one_account_and_one_that_left_gives_it_up(here: Office) -> None:
    api = here.http.security
    for name in ("wang", "li"):
        api.post("/users", {**WANG, "username": name})
    assert api.put("/users/wang/identity", {"subject": "u-1"}).status_code == 200
    taken = api.put("/users/li/identity", {"subject": "u-1"})
    assert (taken.status_code, taken.json["code"]) == (409, "already_exists")
    assert api.post("/users", {**WANG, "username": "sun", "login": "x"}).status_code == 201
    assert api.put("/users/li/identity", {"login": "x"}).status_code == 409
    with transaction(here.http.sessions) as session:
        leavers.remove_leaver(session, OPERATOR, "wang")
    assert api.put("/users/wang/identity", {"subject": "u-2"}).json["code"] == "account.left"
    assert api.put("/users/li/identity", {"subject": "u-1"}).status_code == 200


def test_an_identity_is_said_by_just_one_of_two_and_never_of_a_program_or_of_oneself(here: Office) -> None:
    api = here.http.security
    api.post("/users", WANG)
    for body in ({}, {"subject": "a", "login": "b"}, {"subject": ""}, {"login": None}):
        assert api.put("/users/wang/identity", body).status_code == 422
    assert api.put("/users/admin-api/identity", {"subject": "u-1"}).status_code == 422
    assert api.post("/users", {**WANG, "service": True, "login": "x"}).status_code == 422
    own = api.put("/users/security-api/identity", {"subject": "u-1"})
    assert (own.status_code, own.json["code"]) == (409, "account.own")


def test_only_a_security_administrator_links(here: Office) -> None:
    member = {"username": "wang", "name": "王芳", "role": "department_member", "department": "environment"}
    assert here.http.ours.post("/users", {**member, "login": "x"}).status_code == 403
    assert here.http.ours.post("/users", member).status_code == 201
    for caller in (here.http.ours, here.http.admin, here.http.audit):
        assert caller.put("/users/wang/identity", {"login": "x"}).status_code == 403
        assert caller.delete("/users/wang/identity").status_code == 403


def test_linking_and_unlinking_end_the_sessions(here: Office) -> None:
    with transaction(here.http.sessions) as session:
        known = person(session, NewUser("wang", "王芳", "auditor"))
    for change in (lambda: here.http.security.put("/users/wang/identity", {"subject": "u-1"}), None):
        browser = here.browser()
        assert browser.enter("wang", known.password).status == 302
        (change or (lambda: here.http.security.delete("/users/wang/identity")))()
        assert browser.get("/").location.startswith("/sign-in")


def test_commands_make_link_and_unlink(here: Office, steppe: Steppe) -> None:
    made = steppe("user", "create", "wang", "--name", "王芳", "--role", "auditor", "--login", "wang.fang")
    assert made.exit_code == 0, made.output
    user = here.user("wang")
    assert user and (user.identity_login, user.password_hash) == ("wang.fang", None)
    assert steppe("user", "link", "wang", "--subject", "u-1").stdout == "linked\n"
    assert steppe("user", "link", "wang").exit_code == 2
    assert steppe("user", "unlink", "wang").stdout == "unlinked\n"
    user = here.user("wang")
    assert user and user.identity_issuer is None


def test_without_a_provider_there_is_nobody_to_link(
    here: Office, steppe: Steppe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ROLES"):
        monkeypatch.delenv(f"STEPPE_OIDC_{name}")
    current.cache_clear()
    refused = steppe("user", "link", "wang", "--subject", "u-1")
    assert refused.exit_code == 1 and "No identity provider is set up" in refused.output


def test_the_console_makes_links_shows_and_unlinks(here: Office) -> None:
    browser = Visitors(here.http)("security")
    browser.get("/users/new")
    made = browser.post("/users/new", {**WANG, "login": "wang.fang"})
    page = browser.get(made.location)
    assert "comes in through the identity provider" in page.text("//*[@id='flashes']")
    assert "wang.fang, not yet come" in page.text("//dl")
    assert not page.all("//a[contains(@href, 'reset_password')]")
    browser.post(f"{made.location}/identity", {"by": "subject", "value": "u-1"})
    page = browser.get(made.location)
    assert "u-1" in page.text("//dl") and ISSUER in page.text("//dl")
    browser.post(f"{made.location}/identity/end")
    page = browser.get(made.location)
    assert not page.all("//form[contains(@action, '/identity/end')]")
    assert page.all("//form[contains(@action, '/identity')]")
    browser.post(f"{made.location}/identity", {"by": "login", "value": ""})
    assert "say one of" in browser.get(made.location).text("//*[@id='flashes']")


def test_the_button_is_there_where_a_provider_is_set_up(here: Office) -> None:
    assert here.browser().get("/sign-in").texts("//a[@href='/sign-in/oidc?next=/']") == ["Single sign-on"]
    assert here.browser("zh").get("/sign-in").texts("//a[@href='/sign-in/oidc?next=/']") == ["统一身份认证登录"]
    alone = Visitor(create_app(replace(here.installation, settings=Settings())).test_client())
    assert not alone.get("/sign-in").all("//a[contains(@href, 'oidc')]")
    assert alone.get("/sign-in/oidc").status == alone.get("/sign-in/oidc/back").status == 404


def test_nobody_is_given_two_of_the_three_powers_by_api_command_or_sql(here: Office, steppe: Steppe) -> None:
    both = ["system_admin", "security_admin"]
    assert here.http.security.post("/users", {**WANG, "role": both}).status_code == 422
    assert here.http.security.post("/users", {**WANG, "role": ",".join(both)}).status_code == 422
    assert here.http.security.post("/users", WANG).status_code == 201
    assert here.http.security.patch("/users/wang", {"role": both}).status_code == 422
    assert steppe("user", "create", "li", "--name", "x", "--role", ",".join(both)).exit_code == 2
    twice = steppe("user", "create", "li", "--name", "x", "--role", both[0], "--role", both[1], "--json")
    user = here.user("li")
    assert twice.exit_code == 0 and user and user.role == "security_admin"
    with psycopg.connect(plain(here.installation.url), autocommit=True) as connection:
        connection.execute(
            "SELECT set_config('steppe.person', (SELECT id::text FROM users WHERE username='wang'), false)"
        )
        for role in (APP_ROLE, CENTRE_ROLE):
            connection.execute(f"SET ROLE {role}")
            for value in (",".join(both), "{system_admin,security_admin}", "audit_admin,", "system,security"):
                with pytest.raises((CheckViolation, StringDataRightTruncation)):
                    connection.execute("UPDATE users SET role = %s WHERE username = 'wang'", (value,))
            connection.execute("RESET ROLE")
    user = here.user("wang")
    assert user and user.role == "auditor"


def test_what_is_set_up_wrongly_is_said_by_the_doctor_and_stops_the_start(
    here: Office, steppe: Steppe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPPE_OIDC_CLIENT_ID", "")
    current.cache_clear()
    found = steppe("doctor")
    assert "STEPPE_OIDC_CLIENT_ID is not set" in " ".join(found.output.split())
    for words in (["serve"], ["up"]):
        stopped = steppe(*words)
        assert stopped.exit_code == 1 and "STEPPE_OIDC_CLIENT_ID is not set" in stopped.output


def test_the_doctor_says_what_the_provider_answers(
    here: Office, steppe: Steppe, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(issuer: str, roles: str = ROLES) -> str:
        monkeypatch.setenv("STEPPE_OIDC_ISSUER", issuer)
        monkeypatch.setenv("STEPPE_OIDC_ROLES", roles)
        current.cache_clear()
        rows = json.loads(steppe("doctor", "--json").stdout)
        return next(f"{row['']}: {row['found']}" for row in rows if row["check"] == "identity provider")

    assert said(double.issuer) == f"ok: {double.issuer} answers"
    assert "there are not: nowhere" in said(double.issuer, "x=department_member@nowhere")
    double.metadata = {"issuer": "http://127.0.0.1:1"}
    assert "cannot be trusted" in said(double.issuer)
    double.close()
    assert said(double.issuer).startswith(f"look: {double.issuer}: ")
    assert SECRET not in steppe("settings").output


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
