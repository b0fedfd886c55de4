"""VPN accounts in bulk and in great number.

One ask for all accounts of the model centre over HTTP, their passwords handed out, and logins at a real RADIUS server:
seconds from the ask to logins that are accepted. Or with `--scale N`: 95th percentiles of lists, searches and the login
check at N copies of the accounts over those at one, in turn in one run, and how fast they were inserted.
"""

import argparse
import csv
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pyzipper
from sqlalchemy.orm import Session

from bench.allocate.load import Connection, Say, Tally, drive, saying
from bench.allocate.ours import token
from bench.servers import gunicorn, make_database, postgres, scratch
from controlplane import bootstrap
from controlplane.actor import system
from controlplane.centre.loader import Load, load
from controlplane.centre.people import people
from controlplane.db import transaction
from controlplane.secrets import keys
from controlplane.services import departments, pools, vpn_groups
from controlplane.services.users import NewUser
from controlplane.services.vpn_groups import NewGroup
from controlplane.settings import Settings
from tests.vpn.gateways import ADDRESSES, SECRET
from tests.vpn.radius_server import login, radius

ACCOUNTS = 23_785
DEPARTMENT, GATEWAY = "bulk", "vpn-1"
PASSPHRASE = "of the measurement alone"
SAMPLE, SEED = 1000, 1


@dataclass(frozen=True)
class Side:
    """A Steppe that is served: its port, an administrator's token, and its database."""

    port: int
    admin: str
    url: str

    def says(self, method: str, path: str) -> Callable[..., bytes]:
        headers = {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"}
        return saying(method, headers, f"/api/v1{path}")

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """Ask once; return the body of a good answer."""
        connection = Connection(self.port)
        status, answer = connection.call(self.says(method, path)(json.dumps(body).encode() if body else b""))
        connection.close()
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status} {answer[:500]!r}")
        return answer


@contextmanager
def served(url: str, folder: Path, fill: Callable[[bootstrap.Installation], None]) -> Iterator[Side]:
    """Fill a database and serve Steppe on it."""
    settings = Settings(database_url=url, state_dir=folder)
    with bootstrap.installation(settings, migrate=True) as installation:
        fill(installation)
        with transaction(installation.sessions) as session:
            admin = token(session, system("bench"), NewUser("bench", "bench", "system_admin", None, service=True))
        installation.engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    environment = {"STEPPE_DATABASE_URL": url, "STEPPE_STATE_DIR": str(folder), "STEPPE_LOG_FORMAT": "json"}
    with gunicorn(sys.executable, "web.app:from_environment()", environment, folder / "steppe.log") as port:
        yield Side(port, admin, url)


def bulk() -> None:
    """Measure one ask for all accounts."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(postgres(folder / "db"))
        (folder / "state").mkdir()
        side = stack.enter_context(served(url, folder / "state", _one_department))
        server = stack.enter_context(radius(login(url), folder / "radius"))
        rows = [
            {"username": f"{DEPARTMENT}.{person.number}", "person": person.model_dump(exclude_none=True)}
            for person in people(ACCOUNTS, SEED)
        ]
        began = time.perf_counter()
        side.call("POST", "/vpn-accounts/bulk", {"department": DEPARTMENT, "accounts": rows})
        asked = time.perf_counter()
        wanted = {"department": DEPARTMENT, "passphrase": PASSPHRASE}
        handed = _opened(side.call("POST", "/vpn-accounts/credentials", wanted))
        issued = time.perf_counter()
        chosen = random.Random(SEED).sample(sorted(handed.items()), SAMPLE)
        accepted = _logins(server.ports[0], chosen)
        ended = time.perf_counter()
        every = _logins(server.ports[0], list(handed.items()))
    print(f"asked and committed: {asked - began:.1f} s; passwords handed out: {issued - asked:.1f} s")
    print(f"RADIUS: {accepted} of {SAMPLE} chosen by chance accepted in {ended - issued:.1f} s")
    print(f"RADIUS: {every} of all {len(handed)} accepted")
    print(f"vpn bulk: {len(handed)} accounts asked for, committed and accepted in {ended - began:.1f} s")


def scaled(scale: int, rounds: int, seconds: float) -> None:
    """Measure lists, searches and logins at one copy and at many."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(postgres(folder / "db"))
        sides: dict[int, Side] = {}
        for copies in (1, scale):
            own = folder / f"scale-{copies}"
            own.mkdir()
            database = make_database(url, f"scale_{copies}")
            sides[copies] = stack.enter_context(served(database, own, _copies(copies)))
        results: dict[tuple[str, int], Tally] = defaultdict(Tally)
        for _ in range(rounds):
            for copies, side in sides.items():
                for name, say in _reads(side).items():
                    results[name, copies] += drive(side.port, [say], seconds)
                results["login check", copies] += _checks(side, seconds)
    worst = 0.0
    print(f"{'':24}{'p95 ms at 1':>14}{f'p95 ms at {scale}':>16}{'ratio':>8}")
    for name in dict.fromkeys(name for name, _ in results):
        small, large = (results[name, copies].percentile(0.95) for copies in (1, scale))
        worst = max(worst, large / small)
        print(f"{name:24}{small:14.2f}{large:16.2f}{large / small:8.2f}")
    print(f"vpn scale {scale} over 1: p95 at most {worst:.2f} times")


def _copies(copies: int) -> Callable[[bootstrap.Installation], None]:
    def fill(made: bootstrap.Installation) -> None:
        began = time.perf_counter()
        asked = Load("inner-mongolia", keys(made.settings), copies, frozenset({"vpn_account"}))
        load(made.sessions, asked, lambda *_: None)
        took = time.perf_counter() - began
        print(
            f"{copies * ACCOUNTS} accounts inserted in {took:.0f} s: {copies * ACCOUNTS / took:.0f} a second",
            flush=True,
        )

    return fill


def _reads(side: Side) -> dict[str, Say]:
    """Return what is read, each time with other words: a page that was just read costs less."""
    chosen = random.Random(SEED)
    numbers = [f"{chosen.randrange(1, 4000):05}" for _ in range(5000)]
    names = [person.name for person in people(2000, SEED)]
    plain = side.says("GET", "/vpn-accounts?limit=50")
    read = side.says("GET", "")

    def of(path: Callable[[], str]) -> Say:
        return lambda: read(b"", f"/api/v1{path()}")

    return {
        "list page": plain,
        "list of a department": side.says("GET", "/vpn-accounts?limit=50&department=health"),
        "search by user name": of(lambda: f"/vpn-accounts?limit=50&q=health.{chosen.choice(numbers)}"),
        "search by person": of(
            lambda: f"/vpn-accounts?limit=50&person={quote(chosen.choice(names))}&department=health"
        ),
    }


def _checks(side: Side, seconds: float) -> Tally:
    """Ask what a RADIUS server asks for a login, as its role, for accounts chosen by chance."""
    tally = Tally()
    chosen = random.Random(SEED)
    with psycopg.connect(side.url, autocommit=True, prepare_threshold=None, options="-c role=steppe_radius") as radius_:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            named = {"name": f"health.{chosen.randrange(1, 1700):05}", "gateway": "nm-vpn-01"}
            start = time.perf_counter()
            for statement in _CHECKS:
                radius_.execute(statement, named).fetchall()
            tally.latencies.append(time.perf_counter() - start)
    return tally


_CHECKS = (
    "SELECT attribute, value, op FROM radius_check WHERE username = %(name)s AND gateway = %(gateway)s",
    "SELECT attribute, value, op FROM radius_reply WHERE username = %(name)s AND gateway = %(gateway)s",
    "SELECT radius_sessions(%(name)s)",
)


def _one_department(made: bootstrap.Installation) -> None:
    load(made.sessions, Load("inner-mongolia", keys(made.settings), 1, frozenset()), lambda *_: None)
    with transaction(made.sessions) as session:
        _furnish(session)


def _furnish(session: Session) -> None:
    actor = system("bench")
    connection = {"gateway": GATEWAY, "clients": "10.96.0.0/12"}
    seats = {"vpn_account": pools.Capacity(ACCOUNTS)}
    new = pools.NewPool(GATEWAY, GATEWAY, "vpn_account", "nm", 3, "fake_gateway", connection, seats)
    pools.create(session, actor, new)
    of = departments.NewDepartment(DEPARTMENT, DEPARTMENT, DEPARTMENT, "nm", None, {"vpn_account": ACCOUNTS})
    departments.create(session, actor, of)
    vpn_groups.create(session, actor, NewGroup(GATEWAY, DEPARTMENT, prefix=16))


def _opened(file: bytes) -> dict[str, str]:
    """Return user name -> password of a file that was handed out."""
    with pyzipper.AESZipFile(io.BytesIO(file)) as archive:
        archive.setpassword(PASSPHRASE.encode())
        content = archive.read("vpn-accounts.csv").decode("utf-8-sig")
    return {row[2]: row[3] for row in list(csv.reader(io.StringIO(content)))[1:]}


def _logins(port: int, accounts: list[tuple[str, str]]) -> int:
    """Send a login for each; return how many RADIUS accepts."""
    with tempfile.NamedTemporaryFile("w", suffix=".radclient") as file:
        where = f'NAS-Identifier = "{GATEWAY}"\nPacket-Src-IP-Address = {ADDRESSES[GATEWAY]}\n'
        for username, password in accounts:
            file.write(f'User-Name = "{username}"\nUser-Password = "{password}"\n{where}\n')
        file.flush()
        command = ["radclient", "-s", "-q", "-p", "20", "-f", file.name, f"127.0.0.1:{port}", "auth", SECRET]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    [accepts] = [line.split(":")[1] for line in told.splitlines() if "Access-Accepts" in line or "Accepted" in line]
    return int(accepts)


def main() -> None:
    """Measure what is asked for, and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=int)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0)
    given = options.parse_args()
    if given.scale:
        scaled(given.scale, given.rounds, given.seconds)
    else:
        bulk()


if __name__ == "__main__":
    main()
