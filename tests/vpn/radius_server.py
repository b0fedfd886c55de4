"""A real FreeRADIUS on loopback, set up by the files of its Ansible role, that reads the database of a test."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

from tests import roles
from tests.cli.processes import until
from tests.vpn.gateways import ADDRESSES, SECRET, Gateway

ROLE = roles.ROLES / "radius"
FREERADIUS = shutil.which("freeradius", path=f"{os.environ['PATH']}:/usr/sbin")
LOGIN, PASSWORD = "steppe_radius_tests", "of-the-tests"


@dataclass(frozen=True)
class Radius:
    """A server, the gateways that may ask it, and what leads to where both of them are."""

    folder: Path
    ports: tuple[int, int]
    inside: tuple[str, ...] = ()

    def gateway(self, code: str = "vpn-1") -> Gateway:
        """Return a gateway that asks from its own address."""
        return Gateway(code, self.ports, inside=self.inside)

    def log(self) -> str:
        """Return all that the server has written."""
        return "".join(path.read_text() for path in (self.folder / "logs").iterdir())


@contextmanager
def radius(url: str, folder: Path, key_ring: str = "") -> Iterator[Radius]:
    """Give a server that reads the database at `url` by the role of `login`, which must be there."""
    server = Radius(folder, _free_ports())
    write_settings(folder, variables(url, folder, server.ports, key_ring))
    with running(server):
        yield server


@contextmanager
def running(server: Radius) -> Iterator[None]:
    """Have a server run whose settings are written."""
    assert FREERADIUS
    command = [*server.inside, FREERADIUS, "-f", "-d", str(server.folder), "-n", "radiusd"]
    process = subprocess.Popen([*command, "-l", str(server.folder / "logs" / "radius.log")])
    try:
        until(lambda: server.gateway().is_answered() or process.poll() is not None, "RADIUS answers", 20)
        assert process.poll() is None, server.log()
        yield
    finally:
        process.terminate()
        process.wait(20)


def login(url: str) -> str:
    """Have a login role that is a member of RADIUS's and of nothing else; return the URL of the database for it."""
    make = f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}' IN ROLE steppe_radius"
    guarded = f"DO $$ BEGIN {make}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    with psycopg.connect(url) as connection:
        connection.execute(guarded)
    return make_url(url).set(username=LOGIN, password=PASSWORD).render_as_string(hide_password=False)


def variables(url: str, folder: Path, ports: tuple[int, int], key_ring: str) -> dict[str, Any]:
    """Return what the role is told: a server of nobody's on loopback."""
    clients = [
        {"name": code, "gateway": code, "address": address, "secret": SECRET} for code, address in ADDRESSES.items()
    ]
    return {
        "radius_folder": str(folder),
        "radius_logs": str(folder / "logs"),
        "radius_run": str(folder),
        "radius_user": pwd.getpwuid(os.getuid()).pw_name,
        "radius_group": grp.getgrgid(os.getgid()).gr_name,
        "radius_service": False,
        "radius_address": "127.0.0.1",
        "radius_auth_port": ports[0],
        "radius_acct_port": ports[1],
        "radius_database": _conninfo(make_url(url)),
        "radius_database_password": PASSWORD,
        "radius_clients": clients,
        "radius_key_ring": key_ring,
    }


def write_settings(folder: Path, given: dict[str, Any]) -> None:
    """Write what the role's task `settings` writes, in a hundredth of Ansible's time."""
    (folder / "logs").mkdir(parents=True)
    roles.write("radius", folder, roles.variables("radius", given))
    (folder / "database.pass").chmod(0o600)
    for path in (ROLE / "files").iterdir():
        shutil.copy(path, folder)


def _conninfo(url: URL) -> dict[str, str]:
    host = url.query.get("host", url.host)
    return {
        "dbname": str(url.database),
        "host": str(host),
        "port": str(url.port or 5432),
        "user": LOGIN,
    }


def _free_ports() -> tuple[int, int]:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
