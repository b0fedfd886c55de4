"""No route answers somebody who may not ask: each one, found by walking the URL map, is tried with all that is no
identity, and is seen to call `policy.authorize` for somebody who has one."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from controlplane import policy
from controlplane.actor import Actor
from controlplane.db import transaction
from controlplane.models import ApiToken
from controlplane.reconcile.sweep import sweep
from controlplane.services import leavers, users
from controlplane.services.users import NewUser
from controlplane.sign_ins import digest
from provisioners.contract import Machine
from provisioners.fake_driver import connect
from tests.accounts import token_of
from tests.callers import Callers
from tests.factories import vm
from tests.people import OPERATOR
from tests.web.visitors import Visitors
from web.auth import OPEN

NEEDS_NO_RIGHT = {"console.sign_out": "ends the caller's own session and touches nothing else"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def routes(http: Callers) -> Iterator[tuple[Rule, str]]:
    for rule in http.app.url_map.iter_rules():
        for method in METHODS:
            if method in (rule.methods or ()):
                yield rule, method


def guarded(http: Callers) -> list[tuple[Rule, str]]:
    return [(rule, method) for rule, method in routes(http) if rule.endpoint not in OPEN]


def address(rule: Rule, refs: dict[str, str]) -> str:
    """Return an address of this rule at which there is something, where `refs` knows of it."""
    noun = rule.endpoint.partition(".")[0]
    values = {"verb": "stop", "filename": "x", "ref": refs.get("vms" if noun == "console" else noun, str(uuid4()))}
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule.rule)


@pytest.fixture
def refs(http: Callers) -> dict[str, str]:
    """An existing thing of every noun of the API."""
    asked = http.admin.post("/vms", vm(department="environment")).json
    http.work(asked["id"])
    with transaction(http.sessions) as session:
        token = session.scalars(select(ApiToken)).first()
        users.create(session, OPERATOR, NewUser("wang", "王芳", "auditor"))
    stranger = Machine(uuid4(), "legacy-db", "on", 3, 512, 7, "")
    connect({"node": "hv-01"}, http.installation.settings.state_dir / "nodes").put(stranger)
    sweep(http.sessions, http.drivers)
    return {
        "drifts": http.admin.get("/drifts").json["items"][0]["id"],
        "vms": asked["id"],
        "requests": asked["request"],
        "tokens": str(token.id) if token else "",
        "users": "wang",
        "sites": "nm",
        "departments": "environment",
        "systems": http.ours.get("/systems").json["items"][0]["id"],
        "flavors": "small",
        "images": "debian-12",
        "subnets": "business",
        "pools": "hv-01",
    }


def no_identities(http: Callers) -> dict[str, dict[str, str]]:
    """Return headers of everybody who is nobody."""
    with transaction(http.sessions) as session:
        ended_secret, late_secret, left_secret = (
            token_of(session, name, "system_admin") for name in ("ended", "late", "left")
        )
        values: dict[str, dict[str, object]] = {
            ended_secret: {"revoked_at": datetime.now(UTC)},
            late_secret: {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
        }
        for secret, change in values.items():
            session.execute(update(ApiToken).where(ApiToken.secret_hash == digest(secret)).values(change))
        leavers.remove_leaver(session, OPERATOR, "left")
    tokens = {
        "expired": late_secret,
        "revoked": ended_secret,
        "of a leaver": left_secret,
        "garbage": "steppe_garbage",
        "empty": "",
        "not ours": "é",
    }
    headers = {name: {"Authorization": f"Bearer {secret}"} for name, secret in tokens.items()}
    return {"nobody": {}, "basic": {"Authorization": "Basic YWRtaW46YWRtaW4="}, **headers}


def turned_away(answer: TestResponse, path: str) -> bool:
    if path.startswith("/api/v1/"):
        return answer.status_code == 401 and answer.content_type == "application/problem+json"
    to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")
    return to_sign_in or answer.status_code == 401


def test_nobody_and_no_dead_token_gets_past_any_route_that_is_not_open(http: Callers, refs: dict[str, str]) -> None:
    let_in = []
    for name, headers in no_identities(http).items():
        client = http.app.test_client()
        for rule, method in guarded(http):
            path = address(rule, refs)
            if not turned_away(client.open(path, method=method, headers=headers), path):
                let_in.append(f"{name}: {method} {rule.rule}")
    assert not let_in


def test_what_is_open_exists(http: Callers) -> None:
    assert {rule.endpoint for rule in http.app.url_map.iter_rules()} >= OPEN


def test_every_view_asks_the_policy(http: Callers, refs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = watch_authorize(monkeypatch)
    visit = Visitors(http)
    browser = visit("admin").client
    silent = []
    for rule, method in guarded(http):
        asked.clear()
        path = address(rule, refs)
        if path.startswith("/api/v1/"):
            answer = http.admin._call(method, path.removeprefix("/api/v1"), json=body_for(rule, method))
        else:
            token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/").text)
            asked.clear()
            answer = browser.open(path, method=method, headers={"X-CSRFToken": token[1] if token else ""})
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"
        if not asked and rule.endpoint not in NEEDS_NO_RIGHT:
            silent.append(f"{method} {rule.rule}: {answer.status_code} {answer.text[:200]}")
        if rule.endpoint == "console.sign_out":
            browser = visit("admin").client
    assert not silent


def test_what_needs_no_right_exists(http: Callers) -> None:
    assert {rule.endpoint for rule in http.app.url_map.iter_rules()} >= NEEDS_NO_RIGHT.keys()


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


def body_for(rule: Rule, method: str) -> dict[str, object] | None:
    """Return a body that this operation's schema takes: what reaches no view authorizes nothing."""
    bodies: dict[str, dict[str, object]] = {
        "sites.create_site": {"code": "x", "name": "x", "name_en": "x", "level": "county"},
        "departments.create": {"code": "x", "name": "x", "name_en": "x", "site": "nm"},
        "departments.set_quota": {"limits": {}},
        "systems.create": {
            "department": "environment",
            "code": "x",
            "name": "x",
            "name_en": "x",
            "mlps_level": 2,
            "contact": {"name": "x", "phone": "1", "email": "x@x"},
        },
        "flavors.create_flavor": {"code": "x", "name": "x", "vcpu": 1, "memory_mib": 1024, "disk_gib": 1},
        "images.create_image": {"code": "x", "name": "x", "os": "x", "min_disk_gib": 1},
        "subnets.create_subnet": {"code": "x", "name": "x", "site": "nm", "cidr": "10.9.0.0/24", "network": "x"},
        "pools.create": {
            "code": "x",
            "name": "x",
            "kind": "vm",
            "site": "nm",
            "mlps_level": 2,
            "driver": "fake",
            "connection": {},
            "capacity": {},
        },
        "vms.create": vm("x", department="environment"),
        "vms.create_many": {"department": "environment", "vms": [vm("y")]},
        "vms.act_many": {"ids": [str(uuid4())]},
        "vms.resize": {"flavor": "small"},
        "tokens.create": {"name": "x"},
        "users.create": {"username": "x", "name": "x", "role": "auditor"},
        "drifts.adopt": {"department": "environment", "system": "monitoring"},
    }
    return bodies.get(rule.endpoint, {}) if method in {"POST", "PUT", "PATCH"} else None


def test_the_things_that_the_walk_uses_are_there(http: Callers, refs: dict[str, str]) -> None:
    """Were they not, a view that only answers 404 would pass for one that was looked at."""
    for noun, ref in refs.items():
        if noun == "users":
            assert http.security.get(f"/users/{ref}").status_code == 200
        elif noun != "tokens":
            assert http.admin.get(f"/{noun}/{ref}").status_code == 200, noun
    UUID(refs["tokens"])
