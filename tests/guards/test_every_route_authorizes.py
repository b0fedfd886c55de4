"""Each view, found by walking the URL map, is seen to call `policy.authorize`. Whom it lets in is tried by
tests.access, which cannot tell a view that everybody may come to from one that forgot to ask."""

import sys

import pytest

from controlplane import policy
from controlplane.actor import Actor
from controlplane.bootstrap import Installation
from tests.access.callers import signed_in, with_token
from tests.access.matrix import Ask, asks, send
from tests.access.place import Place, furnish

NEEDS_NO_RIGHT = {"console.sign_out": "ends the caller's own session and touches nothing else"}
BY_ITSELF = frozenset({"HEAD", "OPTIONS"})


@pytest.fixture
def place(installation: Installation) -> Place:
    return furnish(installation)


def test_every_view_asks_the_policy(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    program, person = (
        with_token(place, "program", "system_admin", None),
        signed_in(place, "person", "system_admin", "session"),
    )
    asked = watch_authorize(monkeypatch)
    silent = []
    for ask in asks(place, BY_ITSELF):
        if ask.route.open or ask.route.endpoint in NEEDS_NO_RIGHT:
            continue
        asked.clear()
        answer = send(place, program if is_for_programs(ask) else person, ask)
        assert answer.status_code < 500, f"{ask.method} {ask.rule.rule}: {answer.text}"
        if not asked:
            silent.append(f"{ask.method} {ask.rule.rule}: {answer.status_code} {answer.text[:200]}")
    assert not silent


def test_what_needs_no_right_exists(place: Place) -> None:
    assert {ask.route.endpoint for ask in asks(place)} >= NEEDS_NO_RIGHT.keys()


def is_for_programs(ask: Ask) -> bool:
    return ask.rule.rule.startswith("/api/v1/")


def watch_authorize(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every action that `policy.authorize` is asked about, wherever it was imported to; it decides as ever."""
    asked: list[str] = []
    real = policy.authorize

    def noted(actor: Actor, action: str) -> None:
        asked.append(action)
        real(actor, action)

    for module in list(sys.modules.values()):
        if getattr(module, "authorize", None) is real:
            monkeypatch.setattr(module, "authorize", noted)
    return asked


def test_the_things_that_the_walk_uses_are_there(place: Place) -> None:
    """Were they not, a view that only answers 404 would pass for one that was looked at."""
    for noun, ref in place.refs.items():
        if noun not in {"tokens", "sessions", "accounts", "rules", "spare_ingress_rules", "imports", "vpn_gateways"}:
            caller = place.http.security if noun == "users" else place.http.admin
            assert caller.get(f"/{noun.replace('_', '-')}/{ref}").status_code == 200, noun
