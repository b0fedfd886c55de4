"""The second factor: setting it up, codes that are good once, and what is kept of them."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import delete, select, text

from controlplane import sign_ins
from controlplane.actor import Actor
from controlplane.db import transaction
from controlplane.errors import NotNow, WrongCode
from controlplane.models import User
from controlplane.services import second_factor, users
from controlplane.services.second_factor import code_at
from controlplane.sign_ins import Admitted
from tests.accounts import TOTP_SECRET
from tests.cli.processes import until
from tests.identity.gate import Gate
from tests.people import OPERATOR, SECURITY


def half_in(gate: Gate) -> str:
    """Return the cookie of an administrator who has given his password and nothing else yet."""
    secret = gate.enter("boss", _passwords[0])
    assert secret
    return secret


_passwords: list[str] = []


@pytest.fixture(autouse=True)
def _boss(gate: Gate) -> None:
    _passwords[:] = [gate.person("boss", "system_admin").password]


def test_the_code_of_this_moment_and_its_neighbours_are_right_and_others_are_not(gate: Gate) -> None:
    for off, right in ((-60, False), (60, False), (-30, True), (0, True), (30, True)):
        assert bool(gate.prove(half_in(gate), code_at(TOTP_SECRET, gate.now + timedelta(seconds=off)))) is right


def test_a_code_is_good_once_and_one_from_before_it_never_again(gate: Gate) -> None:
    code = code_at(TOTP_SECRET, gate.now)
    assert gate.prove(half_in(gate), code)
    assert gate.prove(half_in(gate), code) is None
    assert gate.prove(half_in(gate), code_at(TOTP_SECRET, gate.now - timedelta(seconds=30))) is None
    gate.wait(seconds=30)
    assert gate.prove(half_in(gate), code_at(TOTP_SECRET, gate.now))


@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_of_two_who_use_one_code_at_the_same_moment_one_comes_in(gate: Gate, kind: str) -> None:
    with transaction(gate.records) as session:
        user = session.scalars(select(User).where(User.username == "boss")).one()
        user.recovery_hashes = [sign_ins.digest("abcdabcdabcdabcd").hex()]
    code = code_at(TOTP_SECRET, gate.now) if kind == "totp" else "abcd-abcd-abcd-abcd"
    first, second = (gate.opened(half_in(gate)) for _ in range(2))
    came: list[Admitted | None] = []

    def come() -> None:
        with transaction(gate.records) as session:
            came.append(second_factor.prove(session, gate.entrance, second, code, gate.arrival()))

    with gate.records() as session:
        admitted = second_factor.prove(session, gate.entrance, first, code, gate.arrival())
        thread = threading.Thread(target=come)
        thread.start()
        until(lambda: waits(gate), "the second to wait for the first")
        session.commit()
    thread.join(30)
    assert admitted and came == [None]


def waits(gate: Gate) -> bool:
    with gate.records() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_what_is_kept_of_secret_and_codes_is_of_no_use_to_a_thief(gate: Gate) -> None:
    wang, secret, codes = enrolled(gate)
    with transaction(gate.records) as session:
        user = session.scalars(select(User).where(User.username == wang)).one()
        assert user.totp_secret and secret.encode() not in user.totp_secret
        assert gate.entrance.keys.sealing.decrypt(user.totp_secret).decode() == secret
        assert len(user.recovery_hashes) == len(codes) == 10
        kept = " ".join(user.recovery_hashes)
        assert not [c for c in codes if c in kept or c.replace("-", "") in kept]


def enrolled(gate: Gate) -> tuple[str, str, list[str]]:
    """Have somebody set a second factor up; return his name, the secret and the recovery codes."""
    wang = gate.person("wang")
    found = gate.who(gate.come_in(wang))
    assert found
    with transaction(gate.records) as session:
        secret, address = second_factor.offered(session, gate.entrance, found.actor, "云中心")
        assert address.startswith("otpauth://totp/") and secret in address
        again, _ = second_factor.offered(session, gate.entrance, found.actor, "云中心")
        assert again == secret, "it stays until it is confirmed"
    with pytest.raises(WrongCode), transaction(gate.records) as session:
        second_factor.enrol(session, gate.entrance, found.actor, found.id, "000000", gate.now)
    with transaction(gate.records) as session:
        code = code_at(secret, gate.now)
        codes = second_factor.enrol(session, gate.entrance, found.actor, found.id, code, gate.now)
    with pytest.raises(NotNow), transaction(gate.records) as session:
        second_factor.offered(session, gate.entrance, found.actor, "云中心")
    return "wang", secret, codes


def test_a_recovery_code_lets_in_once_however_it_is_written(gate: Gate) -> None:
    known = gate.person("zhang", "audit_admin")
    code = known.codes[0]
    for wrong in ("", "a", code[:-1], code + "0"):
        secret = gate.enter("zhang", known.password)
        assert secret and gate.prove(secret, wrong) is None
    gate.wait(hours=1)
    secret = gate.enter("zhang", known.password)
    assert secret and gate.prove(secret, f" {code[:4].upper()}-{code[4:8]} {code[8:]} ")
    secret = gate.enter("zhang", known.password)
    assert secret and gate.prove(secret, code) is None


def test_new_recovery_codes_end_the_old_ones_and_need_a_code_of_the_moment(gate: Gate) -> None:
    wang, secret, codes = enrolled(gate)
    gate.wait(seconds=30)
    with transaction(gate.records) as session:
        user = session.scalars(select(User).where(User.username == wang)).one()
        actor = Actor(user.id, user.name, "user", user.role, user=user.id)
        with pytest.raises(WrongCode):
            second_factor.renew_codes(session, gate.entrance, actor, codes[0], gate.now)
        again = second_factor.renew_codes(session, gate.entrance, actor, code_at(secret, gate.now), gate.now)
        assert not set(again) & set(codes)
    gate.wait(seconds=30)
    with transaction(gate.records) as session:
        with pytest.raises(WrongCode):
            second_factor.give_up(session, gate.entrance, actor, "123", gate.now)
        second_factor.give_up(session, gate.entrance, actor, code_at(secret, gate.now), gate.now)
        user = session.scalars(select(User).where(User.username == wang)).one()
        assert (user.totp_secret, user.totp_enrolled_at, user.recovery_hashes) == (None, None, [])


def test_an_administrator_whose_second_factor_was_reset_sets_one_up_before_anything_else(gate: Gate) -> None:
    with transaction(gate.records) as session:
        users.reset_second_factor(session, SECURITY, "boss")
    found = gate.who(half_in(gate))
    assert found and found.step == "enrol"


def test_after_sealing_anew_the_old_key_is_not_needed_any_more(gate: Gate) -> None:
    old, new = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())

    def under(*rings: Fernet) -> None:
        keys = replace(gate.entrance.keys, sealing=MultiFernet(rings))
        gate.entrance = replace(gate.entrance, keys=keys)

    under(old)
    known = gate.person("zhang", "audit_admin")
    with transaction(gate.records) as session:
        session.execute(delete(User).where(User.username == "boss"))
    under(new, old)
    with transaction(gate.records) as session:
        assert second_factor.reseal(session, OPERATOR, gate.entrance) == 1
    under(new)
    secret = gate.enter("zhang", known.password)
    assert secret and gate.prove(secret, code_at(TOTP_SECRET, gate.now))
