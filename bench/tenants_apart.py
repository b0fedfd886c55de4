"""What row-level security costs a request: the same requests of a tenant with it and without, in turn.

Without means that the tables do not ask; the statement that binds the transaction goes out in both, so its time is told
apart.
"""

import argparse
import statistics
import time

import psycopg
from sqlalchemy import text

from bench.allocate.load import Say, Tally, drive
from bench.allocate.ours import Steppe, steppe
from bench.servers import make_database, postgres, scratch
from controlplane import binding
from controlplane.actor import Actor
from controlplane.db import APP_ROLE, make_engine, make_sessions

SWITCH = ("ENABLE", "DISABLE")
_TRIES = 500


def main() -> None:
    """Run the rounds and print a line for each request, then what binding takes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=3.0)
    given = options.parse_args()
    with scratch() as folder, postgres(folder) as server:
        url = make_database(server, "ours")
        with steppe(url, folder) as side:
            says = _says(side)
            found: dict[tuple[str, str], list[Tally]] = {}
            for _ in range(given.rounds):
                for switch in SWITCH:
                    _switch(url, switch)
                    for name, say in says.items():
                        found.setdefault((name, switch), []).append(drive(side.port, [say], given.seconds))
            _switch(url, "ENABLE")
        for name in says:
            apart, together = (
                statistics.median(t.percentile(0.5) for t in found[name, s]) for s in ("ENABLE", "DISABLE")
            )
            print(f"{name:10} p50 {apart:6.2f} ms with, {together:6.2f} ms without: {apart - together:+.2f} ms")
        print(f"binding a transaction: p50 {_binding(url):.2f} ms")


def _says(side: Steppe) -> dict[str, Say]:
    return {"create": side.singles(1)[0], "list": side.reads("/vms?limit=50", as_tenant=True)}


def _switch(url: str, switch: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT DISTINCT tablename FROM pg_policies WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            statement = psycopg.sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY")
            connection.execute(statement.format(psycopg.sql.Identifier(table), psycopg.sql.SQL(switch)))


def _binding(url: str) -> float:
    """Return the median time that `binding.serve` takes, in milliseconds."""
    engine = make_engine(url, role=APP_ROLE)
    took = []
    with make_sessions(engine)() as session:
        binding.unlock(session)
        department = session.scalar(text("SELECT id FROM departments LIMIT 1"))
        actor = Actor(department, "bench", "token", "department_manager", department, frozenset({department}))
        for _ in range(_TRIES):
            binding.unlock(session)
            began = time.perf_counter()
            binding.serve(session, actor)
            took.append((time.perf_counter() - began) * 1000)
    engine.dispose()
    return statistics.median(took)


if __name__ == "__main__":
    main()
