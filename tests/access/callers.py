"""Everybody who may come to a route: each role by token and by session, people of other departments, tokens that were
narrowed, and all that is nobody."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from flask.testing import FlaskClient
from sqlalchemy import select, update

from controlplane.actor import Role
from controlplane.db import transaction
from controlplane.models import ApiToken, SignIn, User
from controlplane.policy import ADMINISTRATORS, OF_DEPARTMENTS, ROLES
from controlplane.services import api_tokens, leavers, users
from controlplane.services.api_tokens import NewToken
from controlplane.services.users import NewUser
from controlplane.sign_ins import digest
from tests.access.place import BELOW, OTHER, OURS, Place
from tests.accounts import RULES, Person, person, token_of
from tests.people import OPERATOR
from tests.web.visitors import Visitor

How = Literal["token", "session", "forged", "half in", "nobody", "forged nobody", "dead token", "dead session"]
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Caller:
    """Who asks.

    `sees`: the department "environment" exists for this caller. `narrowed`: the actions that its token was narrowed to.
    `confined`: its token was narrowed to one department, though its owner has none. `csrf`: the token against forged
    requests; `form`: the page to read it from, where every refusal makes a new one.
    """

    name: str
    how: How
    client: FlaskClient
    role: Role | None = None
    sees: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    narrowed: frozenset[str] | None = None
    confined: bool = False
    csrf: str = ""
    form: str = ""

    def form_token(self) -> str:
        """Return the token that this caller's next form holds; whoever forges has none."""
        return _token_on(Visitor(self.client), self.form) if self.form else self.csrf


def everybody(place: Place) -> Iterator[Caller]:
    """Yield each caller; one is done with before the next is made, so nobody's session is superseded."""
    yield from _of_each_role(place)
    yield from _of_other_departments(place)
    yield from _narrowed(place)
    yield from _nobody(place)


def _of_each_role(place: Place) -> Iterator[Caller]:
    for role in ROLES:
        yield with_token(place, f"{role}-token", role, OURS if role in OF_DEPARTMENTS else None)
        for how in ("session", "forged"):
            yield signed_in(place, f"{role}-{how}", role, how)


def _of_other_departments(place: Place) -> Iterator[Caller]:
    for department in (OTHER, BELOW):
        for role in OF_DEPARTMENTS:
            yield with_token(place, f"{role}-of-{department}", role, department, sees=False)
            yield signed_in(place, f"{role}-of-{department}-in", role, "session", department)


def _narrowed(place: Place) -> Iterator[Caller]:
    few = ("catalogue.read", "system.read", "system.write", "resource.read")
    yield with_token(place, "narrowed-manager", "department_manager", OURS, NewToken("x", actions=few))
    yield with_token(place, "narrowed-admin", "system_admin", None, NewToken("x", actions=("pool.read", "quota.write")))
    yield with_token(place, "confined-admin", "system_admin", None, NewToken("x", department=OTHER), sees=False)
    yield with_token(place, "confined-here", "system_admin", None, NewToken("x", department=OURS))


def _nobody(place: Place) -> Iterator[Caller]:
    yield Caller("nobody", "nobody", place.http.app.test_client(), form="/sign-in")
    yield Caller("nobody-forged", "forged nobody", place.http.app.test_client())
    yield Caller("basic", "nobody", _client(place), headers={"Authorization": "Basic YWRtaW46YWRtaW4="})
    for name, secret in {**_dead_tokens(place), "garbage": "steppe_garbage", "empty": "", "not-ours": "é"}.items():
        yield Caller(name, "dead token", _client(place), headers={"Authorization": f"Bearer {secret}"})
    half = _browser(place, _person(place, "half-in", "system_admin", None))
    yield Caller("half-in", "half in", half.client, "system_admin", csrf=_token_on(half, "/second-factor"))
    for name in ("idle", "ended", "disabled"):
        yield _dead_session(place, name)


def _dead_tokens(place: Place) -> dict[str, str]:
    names = ("expired", "revoked", "of-a-leaver", "of-a-disabled-user")
    with transaction(place.http.sessions) as session:
        secrets = {name: token_of(session, name, "system_admin") for name in names}
        for name, column in (("expired", ApiToken.expires_at), ("revoked", ApiToken.revoked_at)):
            the_one = ApiToken.secret_hash == digest(secrets[name])
            session.execute(update(ApiToken).where(the_one).values({column: _LONG_AGO}))
        leavers.remove_leaver(session, OPERATOR, "of-a-leaver")
        leavers.disable(session, OPERATOR, "of-a-disabled-user")
    return secrets


def _dead_session(place: Place, name: str) -> Caller:
    caller = signed_in(place, f"{name}-session", "system_admin", "dead session")
    with transaction(place.http.sessions) as session:
        user = session.scalars(select(User).where(User.username == caller.name)).one()
        mine = update(SignIn).where(SignIn.user_id == user.id)
        if name == "disabled":
            leavers.disable(session, OPERATOR, user.username)
        elif name == "idle":
            session.execute(mine.values({SignIn.last_seen_at: _LONG_AGO}))
        else:
            session.execute(mine.values({SignIn.ended_at: _LONG_AGO, SignIn.end_reason: "ended"}))
    return caller


def with_token(
    place: Place, name: str, role: Role, department: str | None, new: NewToken | None = None, *, sees: bool = True
) -> Caller:
    """Return a program of a role and department; `new` narrows its token."""
    new = new or NewToken("x")
    with transaction(place.http.sessions) as session:
        users.create(session, OPERATOR, NewUser(name, name, role, department, service=True))
        now = datetime.now(UTC)
        wanted = NewToken("x", name, new.department, new.actions, now + timedelta(days=1))
        secret = api_tokens.create(session, OPERATOR, RULES, wanted, now)[1]
    narrowed = frozenset(new.actions) if new.actions else None
    headers = {"Authorization": f"Bearer {secret}"}
    return Caller(name, "token", _client(place), role, sees, headers, narrowed, new.department is not None)


def signed_in(place: Place, name: str, role: Role, how: How, department: str = OURS) -> Caller:
    """Return a person of a role at a browser, who has shown all that is asked for."""
    known = _person(place, name, role, department if role in OF_DEPARTMENTS else None)
    visitor = _browser(place, known)
    if role in ADMINISTRATORS:
        visitor.get("/second-factor")
        assert visitor.post("/second-factor", {"code": known.codes.pop()}).status == 302
    csrf = _token_on(visitor, "/account") if how == "session" else ""
    form = "/sign-in" if how == "dead session" else ""
    sees = role not in OF_DEPARTMENTS or department == OURS
    return Caller(name, how, visitor.client, role, sees, csrf=csrf, form=form)


def _person(place: Place, name: str, role: Role, department: str | None) -> Person:
    with transaction(place.http.sessions) as session:
        return person(session, NewUser(name, name, role, department), place.http.app.config["ENTRANCE"].keys)


def _browser(place: Place, known: Person) -> Visitor:
    """Return a browser at which the right password was given."""
    visitor = Visitor(place.http.app.test_client())
    assert visitor.enter(known.username, known.password).status == 302
    return visitor


def _token_on(visitor: Visitor, path: str) -> str:
    visitor.get(path)
    return visitor.page.csrf


def _client(place: Place) -> FlaskClient:
    return place.http.app.test_client(use_cookies=False)
