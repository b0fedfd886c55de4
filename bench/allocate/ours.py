"""Steppe as it is measured: the model centre, and beside it the departments that ask. No worker builds meanwhile."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy.orm import Session

from bench.allocate.load import Say, saying
from bench.servers import gunicorn
from controlplane import bootstrap
from controlplane.actor import Actor, system
from controlplane.centre.loader import Load, load
from controlplane.db import transaction
from controlplane.entrance import rules
from controlplane.secrets import keys
from controlplane.services import api_tokens, catalogue, departments, pools, systems, users
from controlplane.services.users import NewUser
from controlplane.settings import Settings

ASKING = 8
POOLS = 8
BULK = 200
_ENOUGH = 10**9
_CLASSES = ("vm", "vcpu", "memory_mib", "disk_gib")


@dataclass(frozen=True)
class Steppe:
    """A running Steppe: its port, the tokens of the departments by code, and the administrator's."""

    port: int
    tokens: dict[str, str]
    admin: str

    def reads(self, path: str, *, as_tenant: bool = False) -> Say:
        """Return what a connection says that reads `path`, as the administrator or as the first department."""
        headers = _headers(next(iter(self.tokens.values())) if as_tenant else self.admin)
        return saying("GET", headers, f"/api/v1{path}")

    def singles(self, connections: int) -> list[Say]:
        """Return what each connection says: POST /vms for one department, with names that never repeat."""
        return [self._single(code) for code in list(self.tokens)[:connections]]

    def bulks(self) -> list[Say]:
        """Return what one connection says: POST /vms/bulk for BULK machines."""
        code, token = next(iter(self.tokens.items()))

        request = saying("POST", _headers(token), "/api/v1/vms/bulk")
        return [lambda: request(json.dumps({"vms": [_vm(code) for _ in range(BULK)]}).encode())]

    def _single(self, code: str) -> Say:
        request = saying("POST", _headers(self.tokens[code]), "/api/v1/vms")
        return lambda: request(json.dumps(_vm(code)).encode())


_numbers = count(1)


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _vm(department: str) -> dict[str, object]:
    size = {"vcpu": 1, "memory_mib": 1024, "disk_gib": 10}
    return {"name": f"vm-{next(_numbers)}", "system": "main", "image": "bench", "subnets": [department], **size}


@contextmanager
def steppe(url: str, folder: Path, scale: int = 1) -> Iterator[Steppe]:
    """Fill the database of `url` with so many copies of the model centre and serve Steppe on it."""
    settings = Settings(database_url=url, state_dir=folder)
    with bootstrap.installation(settings, migrate=True) as installation:
        load(
            installation.sessions,
            Load("inner-mongolia", keys(installation.settings), scale, frozenset({"vm"})),
            lambda *_: None,
        )
        with transaction(installation.sessions) as session:
            tokens = _departments_that_ask(session, system("bench"))
            admin = token(session, system("bench"), NewUser("bench", "bench", "system_admin", None, service=True))
        installation.engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            # What autovacuum would come round to in a minute: the planner must know the tables.
            connection.execute("VACUUM ANALYZE")
    environment = {"STEPPE_DATABASE_URL": url, "STEPPE_STATE_DIR": str(folder), "STEPPE_LOG_FORMAT": "json"}
    with gunicorn(sys.executable, "web.app:from_environment()", environment, folder / "steppe.log") as port:
        yield Steppe(port, tokens, admin)


def _departments_that_ask(session: Session, actor: Actor) -> dict[str, str]:
    catalogue.create_image(
        session, actor, {"code": "bench", "name": "bench", "os": "linux", "min_disk_gib": 1, "source": "bench.qcow2"}
    )
    # Each department has one of its own, as each connection to Placement begins with a provider of its own.
    for number in range(ASKING):
        subnet = {"code": f"bench-{number}", "name": "bench", "site": "nm", "network": "bench"}
        cidr = {"cidr": f"10.{200 + number * 4}.0.0/14", "gateway": f"10.{200 + number * 4}.0.1"}
        catalogue.create_subnet(session, actor, {**subnet, **cidr})
    capacity = dict.fromkeys(_CLASSES, pools.Capacity(_ENOUGH, 0, Decimal(1)))
    for number in range(POOLS):
        connection = {"uri": f"test:///bench-{number}", "node": {"cpus": 64, "memory_mib": 1048576}}
        code = f"bench-{number}"
        pools.create(session, actor, pools.NewPool(code, code, "vm", "nm", 3, "libvirt", connection, capacity))
    return {code: _department(session, actor, code) for code in (f"bench-{number}" for number in range(ASKING))}


def _department(session: Session, actor: Actor, code: str) -> str:
    limits = dict.fromkeys(_CLASSES, _ENOUGH)
    departments.create(session, actor, departments.NewDepartment(code, code, code, "nm", None, limits))
    systems.create(session, actor, systems.NewSystem(code, "main", "main", "main", 3, "n", "1", "n@example.org"))
    return token(session, actor, NewUser(code, code, "department_manager", code, service=True))


def token(session: Session, actor: Actor, program: NewUser) -> str:
    """Make the account of a program and return the secret of a token of it."""
    users.create(session, actor, program)
    new = api_tokens.NewToken("bench", program.username)
    return api_tokens.create(session, actor, rules(Settings()), new, datetime.now(UTC))[1]
