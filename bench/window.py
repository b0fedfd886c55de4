"""One window with many open requests: the inbox at a hundred and at ten thousand, and following all of them up.

The last line tells the ratio of the inbox's 95th percentiles, and how many statements a pass takes at each.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import Engine, event, text

from bench.allocate.load import Tally, drive
from bench.allocate.ours import Steppe, steppe
from bench.servers import make_database, postgres, scratch
from controlplane.actor import system
from controlplane.db import Sessions, make_engine, make_sessions, new_id, transaction
from controlplane.services import users
from controlplane.services.following_up import FollowedUp, follow_up
from controlplane.services.users import NewUser
from quotas import ledger
from quotas.ledger import Demand
from quotas.pipeline import Pipeline
from quotas.verify import verify

FEW, MANY = 100, 10_000
PASSES = (("remind", timedelta(hours=70)), ("escalate", timedelta(hours=73)), ("expire", timedelta(days=31)))


def main() -> None:
    """Measure at FEW, fill up to MANY, measure again."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=3.0)
    given = options.parse_args()
    with scratch() as folder, postgres(folder) as server:
        sides = {size: make_database(server, f"of_{size}") for size in (FEW, MANY)}
        found: dict[int, Tally] = {size: Tally() for size in sides}
        statements: dict[int, int] = {}
        (folder / "few").mkdir()
        (folder / "many").mkdir()
        with steppe(sides[FEW], folder / "few") as few, steppe(sides[MANY], folder / "many") as many:
            begun = datetime.now(UTC)
            for size, url in sides.items():
                fill(url, size, begun)
            for _ in range(given.rounds):
                for size, side in ((FEW, few), (MANY, many)):
                    found[size] += _inbox(side, given.seconds)
            for size, url in sides.items():
                statements[size] = passes(url, size, begun)
        p95 = {size: tally.percentile(0.95) for size, tally in found.items()}
        for size, tally in found.items():
            print(f"inbox of {size:6} open: p50 {tally.percentile(0.5):7.2f} ms, p95 {p95[size]:7.2f} ms")
        ratio = p95[MANY] / p95[FEW]
        counts = ", ".join(f"{size}: {number}" for size, number in statements.items())
        print(f"inbox ratio {ratio:.2f}; statements of three passes: {counts}")


def fill(url: str, size: int, now: datetime) -> None:
    """Make open requests that wait for the system administrator, each with a hold of its own."""
    engine = make_engine(url)
    with transaction(make_sessions(engine)) as session:
        for name in ("wang", "li"):
            users.create(session, system("bench"), NewUser(name, name, "system_admin"))
        departments = list(session.execute(text("SELECT id FROM departments WHERE code LIKE 'bench-%' ORDER BY id")))
        requests = [(new_id(), departments[n % len(departments)][0]) for n in range(size)]
        ledger.hold(session, [Demand(request, of, {"vcpu": 2, "vm": 1}) for request, of in requests])
        rows = [{"request": request, "step": new_id(), "of": of, "now": now} for request, of in requests]
        session.execute(_REQUEST, rows)
        session.execute(_STEP, rows)
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def passes(url: str, size: int, begun: datetime) -> int:
    """Follow everything up three times, as the clock goes; return how many statements that took."""
    engine = make_engine(url)
    sessions = make_sessions(engine)
    total = 0
    for name, after in PASSES:
        with counted(engine) as statements:
            began = datetime.now(UTC)
            done = _pass(sessions, begun + after)
            took = (datetime.now(UTC) - began).total_seconds()
        total += (number := next(statements))
        print(f"{name:9} of {size:6}: {took:6.2f} s, {number} statements, {done}")
    with sessions() as session:
        assert not list(verify(session))
        assert not session.scalar(text("SELECT sum(held) FROM ledger_accounts"))
    engine.dispose()
    return total


@contextmanager
def counted(engine: Engine) -> Iterator[Iterator[int]]:
    """Count the statements that are sent meanwhile, by SQLAlchemy and past it."""
    numbers = count()
    sent = Pipeline.send

    def noted(*_: Any) -> None:
        next(numbers)

    def counting(self: Pipeline, *args: Any) -> Any:
        next(numbers)
        return sent(self, *args)

    event.listen(engine, "before_cursor_execute", noted)
    Pipeline.send = counting  # type: ignore[method-assign]
    try:
        yield numbers
    finally:
        Pipeline.send = sent  # type: ignore[method-assign]
        event.remove(engine, "before_cursor_execute", noted)


def _pass(sessions: Sessions, now: datetime) -> FollowedUp:
    with transaction(sessions) as session:
        return follow_up(session, system("bench"), now)


def _inbox(side: Steppe, seconds: float) -> Tally:
    return drive(side.port, [side.reads("/requests/inbox?limit=50")], seconds)


_REQUEST = text("""
    INSERT INTO requests (id, kind, department_id, state, title, items, asked_by, asked_by_name, held, submitted_at,
                          expires_at, version)
    VALUES (:request, 'vm', :of, 'submitted', '测试', '[]', :request, 'bench', true, :now,
            CAST(:now AS timestamptz) + interval '30 days', 1)
""")
_STEP = text("""
    INSERT INTO request_steps (id, request_id, department_id, round, stage, role, rule, hours, state, opened_at, due_at,
                               version)
    VALUES (:step, :request, :of, 1, 1, 'system_admin', 'bench', 72, 'open', :now,
            CAST(:now AS timestamptz) + interval '72 hours', 1)
""")

if __name__ == "__main__":
    main()
