"""Who is no longer let in, and what is taken from him."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from controlplane.actor import system
from controlplane.db import transaction
from controlplane.entrance import Arrival
from controlplane.errors import HasLeft, NotSignedIn
from controlplane.models import ApiToken, AuditEvent, User
from controlplane.services import api_tokens, leavers
from tests.accounts import RULES, token_of
from tests.identity.gate import Gate
from tests.people import SECURITY

WORKER = system("worker")


def test_a_leaver_loses_sessions_tokens_password_and_second_factor_in_one_act(gate: Gate) -> None:
    boss = gate.person("boss", "system_admin")
    secrets = [gate.come_in(boss), gate.come_in(boss)]
    with transaction(gate.records) as session:
        token = token_of(session, "program", "operator")
        owner = select(User.id).where(User.username == "boss").scalar_subquery()
        session.execute(update(ApiToken).values(user_id=owner))
    with transaction(gate.records) as session:
        leavers.remove_leaver(session, SECURITY, "boss", gate.now)
    assert [gate.who(secret) for secret in secrets] == [None, None]
    assert gate.enter("boss", boss.password) is None
    with transaction(gate.records) as session:
        with pytest.raises(NotSignedIn):
            api_tokens.token_actor(session, RULES, token, Arrival())
        user = session.scalars(select(User).where(User.username == "boss")).one()
        assert (user.password_hash, user.totp_secret, user.recovery_hashes) == (None, None, [])
        assert session.scalars(select(ApiToken)).one().revoked_at
        [event] = session.scalars(select(AuditEvent).where(AuditEvent.action == "user.remove")).all()
        assert event.details == {"sessions_ended": 2, "tokens_revoked": 1}
    with pytest.raises(HasLeft), transaction(gate.records) as session:
        leavers.enable(session, SECURITY, "boss")


def test_a_disabled_account_is_out_with_its_tokens_until_it_is_enabled(gate: Gate) -> None:
    with transaction(gate.records) as session:
        token = token_of(session, "program", "operator")
        leavers.disable(session, SECURITY, "program")
    with transaction(gate.records) as session:
        with pytest.raises(NotSignedIn):
            api_tokens.token_actor(session, RULES, token, Arrival())
        leavers.enable(session, SECURITY, "program")
    with transaction(gate.records) as session:
        assert api_tokens.token_actor(session, RULES, token, Arrival()).name == "program/token"


def unused(gate: Gate) -> list[str]:
    with transaction(gate.records) as session:
        return leavers.disable_unused(session, WORKER, RULES, gate.now)


def test_an_account_that_nobody_uses_is_disabled_and_enabling_it_starts_anew(gate: Gate) -> None:
    gate.person("idle")
    busy = gate.person("busy")
    gate.wait(days=60)
    secret = gate.come_in(busy)
    gate.wait(days=29)
    assert unused(gate) == []
    gate.wait(days=2)
    assert unused(gate) == ["idle"]
    assert unused(gate) == []
    assert gate.who(secret) is None
    with transaction(gate.records) as session:
        idle = session.scalars(select(User).where(User.username == "idle")).one()
        assert (idle.disabled_reason, idle.disabled_at) == ("unused", gate.now)
        leavers.enable(session, SECURITY, "idle", gate.now)
    assert unused(gate) == []


def test_a_program_that_uses_its_token_is_in_use(gate: Gate) -> None:
    with transaction(gate.records) as session:
        token_of(session, "used", "operator")
        token_of(session, "unused", "operator")
        session.execute(update(User).values(last_active_at=gate.now - timedelta(days=200)))
        used = select(User.id).where(User.username == "used").scalar_subquery()
        session.execute(update(ApiToken).where(ApiToken.user_id == used).values(last_used_at=gate.now))
    assert unused(gate) == ["unused"]


def test_the_last_security_administrator_is_never_disabled_for_want_of_use(gate: Gate) -> None:
    gate.person("first", "security_admin")
    gate.wait(days=1)
    gate.person("second", "security_admin")
    gate.wait(days=200)
    assert len(unused(gate)) == 1
    assert unused(gate) == []


def test_where_the_rules_say_never_nobody_is_disabled(gate: Gate) -> None:
    gate.person("idle")
    gate.wait(days=3000)
    with transaction(gate.records) as session:
        assert leavers.disable_unused(session, WORKER, replace(RULES, unused=timedelta(0)), gate.now) == []
