"""Tokens: they stand for an account, are narrowed, end, and bypass no rule that their owner is under."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.db import Sessions, transaction
from controlplane.entrance import Arrival
from controlplane.errors import (
    Forbidden,
    Invalid,
    NotFound,
    NotSignedIn,
    OnTheHostAlone,
    Refusal,
    TokenMakesNone,
    Unfinished,
    WrongNetwork,
)
from controlplane.lookups import department_for
from controlplane.models import ApiToken, Department, User
from controlplane.services import api_tokens, users
from controlplane.services.api_tokens import NewToken
from controlplane.services.users import NewUser
from tests.accounts import RULES, person, token_of
from tests.factories import given, make_department
from tests.people import ADMIN, OPERATOR, SECURITY, staff_of
from tests.statements import noted

NOW = datetime(2030, 1, 7, 12, tzinfo=UTC)


def make(session: Session, actor: Actor, new: NewToken) -> str:
    return api_tokens.create(session, actor, RULES, new, NOW)[1]


def actor_of(sessions: Sessions, secret: str, *, address: str | None = None, now: datetime = NOW) -> Actor:
    with transaction(sessions) as session:
        return api_tokens.token_actor(session, RULES, secret, Arrival(address, now=now))


def himself(session: Session, username: str) -> Actor:
    user = session.scalars(select(User).where(User.username == username)).one()
    return Actor(user.id, user.name, "user", user.role, user=user.id)


def test_a_token_has_the_role_that_its_owner_has_at_that_moment(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "operator", days=1)
        session.execute(update(ApiToken).values(expires_at=NOW + timedelta(days=9)))
    found = actor_of(sessions, secret)
    assert (found.role, found.kind, found.scope, found.name) == ("operator", "token", None, "program/token")
    with transaction(sessions) as session:
        users.update(session, SECURITY, "program", {"role": "auditor"})
    assert actor_of(sessions, secret).role == "auditor"


def test_a_token_reaches_what_its_owner_reaches_below_its_own_department(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        child = make_department(session, "child", parent="environment").id
        parent = session.scalars(select(Department.id).where(Department.code == "environment")).one()
        users.create(session, OPERATOR, NewUser("m", "m", "department_manager", "environment", service=True))
        users.create(session, OPERATOR, NewUser("a", "a", "system_admin", service=True))
        whole, part = (make(session, OPERATOR, NewToken("t", "m", department=d)) for d in (None, "child"))
        central = make(session, OPERATOR, NewToken("t", "a", department="child"))
        with pytest.raises(Invalid):
            make(session, OPERATOR, NewToken("t", "m", department="finance"))
    assert actor_of(sessions, whole).scope == {parent, child}
    for secret in (part, central):
        found = actor_of(sessions, secret)
        assert (found.scope, found.department) == ({child}, child)
    with transaction(sessions) as session:
        users.update(session, SECURITY, "m", {"department": "finance"})
    assert actor_of(sessions, part).scope == frozenset(), "its owner has no say there any more"


def test_a_token_is_narrowed_to_actions_that_its_owner_may_do(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        users.create(session, OPERATOR, NewUser("o", "o", "operator", service=True))
        secret = make(session, OPERATOR, NewToken("t", "o", actions=("resource.read", "resource.operate")))
        for wrong in (("quota.write",), ("no.such",), ()):
            with pytest.raises(Invalid):
                make(session, OPERATOR, NewToken("t", "o", actions=wrong))
    assert actor_of(sessions, secret).actions == {"resource.read", "resource.operate"}


def test_a_token_ends_when_it_was_to_and_never_lives_longer_than_allowed(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        users.create(session, OPERATOR, NewUser("o", "o", "operator", service=True))
        secret = make(session, OPERATOR, NewToken("t", "o"))
        longest = NOW + RULES.token_life
        make(session, OPERATOR, NewToken("t", "o", expires_at=longest))
        for wrong in (NOW, NOW - timedelta(days=1), longest + timedelta(seconds=1)):
            with pytest.raises(Invalid):
                make(session, OPERATOR, NewToken("t", "o", expires_at=wrong))
    assert actor_of(sessions, secret, now=NOW + timedelta(days=90, seconds=-1))
    with pytest.raises(NotSignedIn):
        actor_of(sessions, secret, now=NOW + timedelta(days=90))


def test_a_token_is_refused_where_its_owner_would_have_to_do_something_first(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        person(session, NewUser("wang", "王芳", "auditor"), now=NOW)
        person(session, NewUser("boss", "主任", "system_admin"), now=NOW)
        wang, boss = (make(session, himself(session, name), NewToken("t")) for name in ("wang", "boss"))
    assert actor_of(sessions, wang) and actor_of(sessions, boss)
    old = NOW + RULES.password_age
    with transaction(sessions) as session:
        session.execute(update(ApiToken).values(expires_at=old + timedelta(days=9)))
    with pytest.raises(Unfinished):
        actor_of(sessions, wang, now=old)
    with transaction(sessions) as session:
        session.execute(update(User).where(User.username == "wang").values(must_change_password=True))
        users.reset_second_factor(session, SECURITY, "boss")
    for secret in (wang, boss):
        with pytest.raises(Unfinished):
            actor_of(sessions, secret)


def test_a_token_works_from_the_networks_of_its_owner_alone(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "system_admin")
        session.execute(update(ApiToken).values(expires_at=NOW + timedelta(days=9)))
        users.update(session, SECURITY, "program", {"networks": ["10.0.0.0/8"]})
    assert actor_of(sessions, secret, address="10.1.2.3")
    for elsewhere in ("192.0.2.1", None, "nonsense"):
        with pytest.raises(WrongNetwork):
            actor_of(sessions, secret, address=elsewhere)


def test_use_is_noted_every_ten_minutes_in_one_statement_more(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "operator")
        session.execute(update(ApiToken).values(expires_at=NOW + timedelta(days=9)))

    def used() -> datetime | None:
        with transaction(sessions) as session:
            return session.scalars(select(ApiToken.last_used_at)).one()

    assert used() is None
    for minutes, seen in ((0, 0), (9, 0), (10, 0), (11, 11), (20, 11), (22, 22)):
        actor_of(sessions, secret, now=NOW + timedelta(minutes=minutes))
        assert used() == NOW + timedelta(minutes=seen)


def test_noting_its_use_waits_for_nobody_who_uses_the_same_token(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "operator")
    now = datetime.now(UTC)
    with sessions() as first, sessions() as second:
        for session in (first, second):
            assert api_tokens.token_actor(session, RULES, secret, Arrival(now=now))


def test_a_token_that_is_known_is_read_by_the_orm_never(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "operator")
    with noted(sessions.kw["bind"]) as asked:
        actor_of(sessions, secret, now=datetime.now(UTC))
    assert asked == []


def test_people_make_tokens_for_themselves_and_nobody_for_another_person(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        person(session, NewUser("wang", "王芳", "auditor"), now=NOW)
        secret = make(session, himself(session, "wang"), NewToken("mine"))
        with pytest.raises(OnTheHostAlone):
            make(session, SECURITY, NewToken("t", "wang"))
        with pytest.raises(NotFound):
            make(session, ADMIN, NewToken("t", "wang"))
        assert make(session, OPERATOR, NewToken("t", "wang"))
    assert actor_of(sessions, secret).role == "auditor"


def test_a_security_administrator_gets_no_token_of_a_program_with_the_powers_of_another(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        for role in ("system_admin", "audit_admin", "operator"):
            users.create(session, SECURITY, NewUser(role.replace("_", "-"), "x", role, service=True))
        for name in ("system-admin", "audit-admin"):
            with pytest.raises(OnTheHostAlone):
                make(session, SECURITY, NewToken("t", name))
        assert make(session, SECURITY, NewToken("t", "operator"))


def test_a_manager_makes_tokens_of_the_programs_that_are_members_of_her_department(sessions: Sessions) -> None:
    given(sessions)
    with transaction(sessions) as session:
        department = department_for(session, ADMIN, "environment", "department.read")
        manager = staff_of(session, department).manager
        for name, role, code in (
            ("ours", "department_member", "environment"),
            ("boss", "department_manager", "environment"),
            ("theirs", "department_member", "finance"),
        ):
            users.create(session, OPERATOR, NewUser(name, name, role, code, service=True))  # type: ignore[arg-type]
        make(session, manager, NewToken("t", "ours"))
        refused: dict[str, type[Refusal]] = {"boss": Forbidden, "theirs": NotFound, "nobody": NotFound}
        for name, refusal in refused.items():
            with pytest.raises(refusal):
                make(session, manager, NewToken("t", name))
        make(session, OPERATOR, NewToken("t", "theirs"))
        assert [t.user.username for t in api_tokens.tokens(session, manager)] == ["ours"]
        assert len(api_tokens.tokens(session, SECURITY)) == 2
        assert not api_tokens.tokens(session, replace(manager, role="department_member"))
        [theirs] = [t for t in api_tokens.tokens(session, SECURITY) if t.user.username == "theirs"]
        with pytest.raises(NotFound):
            api_tokens.revoke(session, manager, theirs.id, NOW)


def test_a_token_makes_no_tokens(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "security_admin")
        token = api_tokens.token_actor(session, RULES, secret, Arrival())
        with pytest.raises(TokenMakesNone):
            make(session, token, NewToken("t"))


def test_the_secret_is_kept_as_a_hash_alone(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        secret = token_of(session, "program", "operator")
        kept = session.scalars(select(ApiToken)).one()
        assert len(kept.secret_hash) == 32 and secret.encode() not in kept.secret_hash
        assert api_tokens.actor_again(session, RULES, kept.id, Arrival())
        assert api_tokens.actor_again(session, RULES, uuid4(), Arrival()) is None
