"""The password of a pool: sealed before it is recorded, by whatever way it came, and shown to nobody afterwards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from controlplane.bootstrap import Installation
from controlplane.db import Sessions, transaction
from controlplane.errors import Forbidden, Invalid
from controlplane.models import AuditEvent, Pool
from controlplane.pool_secrets import SECRET, opened, sealed
from controlplane.secrets import Keys, keys
from controlplane.services import pools
from provisioners.contract import Unreachable
from tests.callers import Callers
from tests.cli.test_commands import Steppe, done, steppe
from tests.factories import small_centre
from tests.people import ADMIN, OPERATOR

__all__ = ["steppe"]

PASSWORD = "corr3ct-horse"
WAY_IN = {"auth_url": "http://cloud/v3", "username": "steppe", "password": PASSWORD, "project_name": "steppe"}
NEW = {
    **{"code": "north", "name": "North", "kind": "vm", "site": "nm", "mlps_level": 3, "driver": "openstack"},
    "connection": WAY_IN,
    "capacity": {name: {"total": None} for name in ("vm", "vcpu", "memory_mib", "disk_gib")},
}
CAPACITY = [word for name in NEW["capacity"] for word in ("--capacity", f"{name}=none")]  # type: ignore[attr-defined]


def connection_of(sessions: Sessions, code: str) -> dict[str, Any]:
    with sessions() as session:
        return session.scalars(select(Pool.connection).where(Pool.code == code)).one()


def everything(sessions: Sessions) -> str:
    """Return every row of every table as text."""
    with sessions() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        named = text("SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
        rows = [text(f"SELECT t::text FROM {table} t") for table in session.scalars(named).all()]
        return "\n".join(line for found in rows for line in session.scalars(found))


def fernet() -> Fernet:
    return Fernet(Fernet.generate_key())


def under(*rings: Fernet) -> Keys:
    return Keys(MultiFernet(rings), b"")


def with_pool(sessions: Sessions, ring: Keys) -> None:
    """Let a small centre have a pool whose password is sealed with a key."""
    with transaction(sessions) as session:
        small_centre(session)
        pools.update(session, ADMIN, "hv-01", {"connection": sealed(ring, WAY_IN)})


# --- given


def test_a_password_given_by_the_api_is_sealed_and_in_no_answer_row_or_log_line(
    http: Callers, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    once = {"Idempotency-Key": "8d7f6a5b-0000-4000-8000-000000000001"}
    answers = [
        http.admin.post("/pools", NEW, headers=once),
        http.admin.post("/pools", NEW, headers=once),
        http.admin.post("/pools", {**NEW, "nonsense": 1}),
        http.admin.post("/pools", {**NEW, "code": "a b"}),
        http.admin.patch("/pools/north", {"connection": {**WAY_IN, "region_name": "North"}}),
        http.admin.patch("/pools/north", {"connection": WAY_IN, "nonsense": 1}),
        http.admin.get("/pools/north"),
        http.admin.get("/pools"),
        http.audit.get("/audit-events"),
    ]
    assert [answer.status_code for answer in answers[:2]] == [201, 201]
    kept = connection_of(http.sessions, "north")
    assert kept["region_name"] == "North", "the pool has what was given last"
    assert opened(keys(http.installation.settings), kept)["password"] == PASSWORD
    said = [answer.get_data(as_text=True) for answer in answers]
    assert PASSWORD not in "".join((*said, everything(http.sessions), caplog.text, *capfd.readouterr()))


def test_a_password_given_by_command_is_sealed_and_in_no_row_or_line(
    installation: Installation, steppe: Steppe, tmp_path: Path
) -> None:
    file = tmp_path / "connection.json"
    file.write_text(json.dumps(WAY_IN))
    make = ("pool", "create", "north", "--name", "North", "--site", "nm", "--driver", "openstack")
    shown = done(steppe(*make, "--connection", f"@{file}", *CAPACITY))
    before = connection_of(installation.sessions, "north")
    shown += done(steppe("pool", "update", "north", "--connection", f"@{file}"))
    after = connection_of(installation.sessions, "north")
    for kept in (before, after):
        assert opened(keys(installation.settings), kept) == WAY_IN
    file.write_text(json.dumps(WAY_IN)[:-1])
    shown += steppe("pool", "update", "north", "--connection", f"@{file}").output
    shown += done(steppe("pool", "show", "north")) + done(steppe("pool", "list", "--json"))
    assert before["password"] != after["password"]
    assert PASSWORD not in shown + everything(installation.sessions)


@pytest.mark.parametrize("secret", ["password", "application_credential_secret", "token"])
@pytest.mark.parametrize("value", [PASSWORD, 20240101, {"in": PASSWORD}])
def test_whatever_stands_where_a_secret_goes_is_sealed(secret: str, value: Any) -> None:
    ring = under(fernet())
    once = sealed(ring, {secret: value, "username": "steppe"})
    assert str(value) not in str(once) and PASSWORD not in str(once)
    assert sealed(ring, once) == once, "what is sealed stays"
    assert opened(ring, once) == {secret: str(value), "username": "steppe"}


@pytest.mark.parametrize("secret", sorted(SECRET))
@pytest.mark.parametrize("value", [PASSWORD, 20240101, {"in": PASSWORD}, {"sealed": "x", "in": PASSWORD}, [PASSWORD]])
def test_the_database_itself_refuses_a_secret_in_clear(sessions: Sessions, secret: str, value: Any) -> None:
    with pytest.raises(IntegrityError, match="ck_pools_secrets_sealed"), transaction(sessions) as session:
        small_centre(session)
        pools.update(session, ADMIN, "hv-01", {"connection": {"username": "steppe", secret: value}})


@pytest.mark.parametrize("connection", [{}, dict.fromkeys(SECRET), {name: {"sealed": "x"} for name in SECRET}])
def test_the_database_takes_what_is_sealed_or_not_there(sessions: Sessions, connection: dict[str, Any]) -> None:
    with transaction(sessions) as session:
        small_centre(session)
        pools.update(session, ADMIN, "hv-01", {"connection": connection})
    assert connection_of(sessions, "hv-01") == connection


# --- opened


def test_a_driver_is_given_the_password_in_clear(installation: Installation) -> None:
    driver = installation.connect("openstack", sealed(keys(installation.settings), WAY_IN))
    driver.close()


@pytest.mark.parametrize(
    "spoil",
    [lambda _: sealed(under(fernet()), WAY_IN)["password"], lambda kept: kept["sealed"][:-9], lambda _: 5],
    ids=["another key", "cut short", "a number"],
)
def test_a_secret_that_cannot_be_opened_is_unreachable_with_advice(
    installation: Installation, spoil: Callable[[Any], Any]
) -> None:
    kept = sealed(keys(installation.settings), WAY_IN)
    spoilt = spoil(kept["password"])
    connection = {**kept, "password": spoilt if isinstance(spoilt, dict) else {"sealed": spoilt}}
    with pytest.raises(Unreachable, match="see STEPPE_SEALING_KEYS, or give it to the pool anew"):
        installation.connect("openstack", connection)


# --- sealed anew


def test_after_sealing_anew_the_old_key_is_not_needed_any_more(sessions: Sessions) -> None:
    old, new = fernet(), fernet()
    with_pool(sessions, under(old))
    with transaction(sessions) as session:
        assert pools.reseal(session, OPERATOR, under(new, old)) == 1
        told = session.scalars(select(AuditEvent).where(AuditEvent.action == "pool.reseal")).one()
        assert (told.target_name, told.details) == ("hv-01", {})
    assert opened(under(new), connection_of(sessions, "hv-01")) == WAY_IN


def test_a_secret_that_cannot_be_opened_stops_sealing_anew_and_names_its_pool(sessions: Sessions) -> None:
    with_pool(sessions, under(fernet()))
    before = connection_of(sessions, "hv-01")
    with pytest.raises(Invalid, match=r"hv-01.*STEPPE_SEALING_KEYS"), transaction(sessions) as session:
        pools.reseal(session, OPERATOR, under(fernet()))
    assert connection_of(sessions, "hv-01") == before


def test_only_who_grants_roles_may_seal_anew(sessions: Sessions) -> None:
    with pytest.raises(Forbidden), transaction(sessions) as session:
        pools.reseal(session, ADMIN, under(fernet()))


def test_the_command_seals_pools_anew(
    installation: Installation, steppe: Steppe, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = keys(installation.settings)
    with transaction(installation.sessions) as session:
        pools.update(session, ADMIN, "hv-01", {"connection": sealed(ring, WAY_IN)})
    assert (
        done(steppe("user", "reseal"))
        == "sealed 0 second factors and the secrets of 0 webhooks, 1 pools and 0 VPN accounts\n"
    )
    assert opened(ring, connection_of(installation.sessions, "hv-01")) == WAY_IN
