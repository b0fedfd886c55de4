"""All of it together: asked for by the API, let in by a real RADIUS server, carried by a real gateway, seen, and ended.

`make lab-vpn` tells the same at length, with a whole Steppe. Here the test itself does what a worker would do.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from controlplane.db import transaction
from controlplane.reconcile import gateways
from tests.callers import Callers
from tests.cli.processes import short_folder, until
from tests.drivers.gateway_makers import why_not
from tests.labs.vpn_site import GATEWAY, NETWORKS, SERVERS, Site
from tests.tunnels import Client, reaches
from tests.vpn.radius_server import FREERADIUS
from tests.vpn_accounts.handed import PASSPHRASE, passwords

INJECTION = "x'; UPDATE vpn_accounts SET scheme = NULL, hash = NULL; --"
KEPT_AS = INJECTION.replace("'", "=27").replace(";", "=3B").replace(",", "=2C")


class Joined:
    """A department with accounts at a gateway, and what a worker would do there."""

    def __init__(self, http: Callers, site: Site) -> None:
        self.http = http
        self.site = site
        self.accounts: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        capacity = {"vpn_account": {"total": 100}}
        pool = {"code": GATEWAY, "name": GATEWAY, "kind": "vpn_account", "site": "nm", "mlps_level": 3}
        self._made("/pools", {**pool, "driver": "ocserv", "connection": site.connection(), "capacity": capacity})
        for department, network in NETWORKS.items():
            http.admin.put(f"/departments/{department}/quota", {"limits": {"vpn_account": 100}})
            self._made("/vpn-groups", {"gateway": GATEWAY, "department": department, "networks": [network]})

    def give(self, *usernames: str, **more: Any) -> None:
        """Have the department ask for accounts, and be handed their passwords."""
        rows = [{"username": name, "person": {"name": name, "number": name}, **more} for name in usernames]
        asked = self.http.ours.post("/vpn-accounts/bulk", {"accounts": rows})
        assert asked.status_code == 202, asked.json
        self.accounts |= {one["username"]: one["id"] for one in asked.json["accounts"]}
        self.passwords |= passwords(self.http.ours.post("/vpn-accounts/credentials", {"passphrase": PASSPHRASE}).data)

    def order(self, username: str, verb: str) -> None:
        told = self.http.ours.post(f"/vpn-accounts/{self.accounts[username]}/{verb}")
        assert told.status_code == 202, told.json

    def look(self) -> gateways.Looked:
        pool = UUID(self.http.admin.get(f"/pools/{GATEWAY}").json["id"])
        return gateways.check(self.http.sessions, self.http.drivers, pool)

    def client(self, username: str, password: str | None = None, place: str = "home") -> Client:
        return self.site.way(place).client(username, password or self.passwords.get(username, "?"))

    def why(self, username: str) -> list[str | None]:
        """Return how each try of somebody went, the newest first."""
        tries = self.http.admin.get("/vpn-logins", query_string={"username": username}).json["items"]
        return [one["reason"] for one in tries]

    def expire(self, username: str) -> None:
        """Let an account's lease have ended a moment ago."""
        with transaction(self.http.sessions) as session:
            ended = {"id": self.accounts[username], "at": datetime.now(UTC) - timedelta(seconds=1)}
            session.execute(text("UPDATE resources SET lease_until = :at WHERE id = :id"), ended)

    def record(self) -> list[Any]:
        """Return what decides who comes in."""
        with transaction(self.http.sessions) as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            return list(session.execute(text("SELECT username, scheme, hash FROM vpn_accounts ORDER BY username")))

    def session(self) -> dict[str, Any]:
        [one] = self.http.ours.get("/vpn-sessions").json["items"]
        return dict(one)

    def _made(self, path: str, body: dict[str, Any]) -> None:
        made = self.http.admin.post(path, body)
        assert made.status_code == 201, made.json


@pytest.fixture
def joined(http: Callers, url: str) -> Iterator[Joined]:
    if reason := why_not() or (None if FREERADIUS else "there is no FreeRADIUS"):
        pytest.skip(f"NO VPN GATEWAY: {reason}")
    with short_folder() as folder, Site(Path(folder) / "site", url) as site:
        yield Joined(http, site)
    assert site.left() == []


def test_who_was_handed_a_password_reaches_the_departments_network_alone_until_suspended(joined: Joined) -> None:
    joined.give("wang.fang")
    assert joined.look().grouped
    client = joined.client("wang.fang")
    assert client.is_in(), client.said()
    own, other = SERVERS.values()
    home = joined.site.at("home")
    assert client.address.startswith("10.129.0.")
    assert reaches(home, own) and not reaches(home, other)
    assert not reaches(home, other, source="10.129.1.77"), "by an address of the other department"
    until(lambda: joined.session()["stopped"] is None, "the tunnel to be told of", 5)
    joined.order("wang.fang", "suspend")
    assert joined.look().ended == 1
    assert client.gives_up() and joined.site.up() == []
    ended = until(lambda: joined.session() if joined.session()["stopped"] else None, "its end to be told", 5)
    assert ended["cause"] == "Admin-Reset" and ended["bytes_in"] > 0 < ended["bytes_out"]
    assert not joined.client("wang.fang").is_in()


def test_each_way_to_be_refused_has_its_reason_and_a_user_name_that_is_sql_changes_nothing(joined: Joined) -> None:
    joined.give("li.na", "suspended", "expired")
    joined.look()
    joined.order("suspended", "suspend")
    joined.expire("expired")
    before = joined.record()
    first = joined.client("li.na")
    assert first.is_in(), first.said()
    refused = [joined.client("li.na", "wrong", "cafe"), joined.client("li.na", place="cafe")]
    refused += [joined.client(name, "any", "crowd") for name in ("nobody", "suspended", "expired", INJECTION)]
    assert not any(client.is_in() for client in refused)
    assert sorted(map(str, joined.why("li.na"))) == ["None", "too_many_sessions", "wrong_password"]
    said = {name: joined.why(name) for name in ("nobody", "suspended", "expired", KEPT_AS)}
    assert said == {"nobody": ["unknown"], "suspended": ["suspended"], "expired": ["expired"], KEPT_AS: ["unknown"]}
    assert joined.record() == before


def test_a_tunnel_that_is_disconnected_ends_at_once_and_may_come_again(joined: Joined) -> None:
    joined.give("zhao.lei")
    joined.look()
    client = joined.client("zhao.lei")
    assert client.is_in(), client.said()
    number = until(lambda: joined.session()["id"], "the tunnel to be told of", 5)
    assert joined.http.ours.post(f"/vpn-sessions/{number}/disconnect").status_code == 202
    assert joined.look().ended == 1
    assert client.gives_up()
    assert joined.client("zhao.lei").is_in()
