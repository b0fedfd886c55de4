"""Does it stay as fast as it grows: the same requests at one copy of the model centre and at many, in turn in one run.

The last line tells the worst ratio of 95th percentiles; before it, every list query with what its plan reads in full.
"""

import argparse
import json
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, event, text

from bench.allocate.load import Connection, Say, Tally, drive
from bench.allocate.ours import Steppe, steppe
from bench.servers import make_database, postgres, scratch
from controlplane.bootstrap import Installation
from controlplane.db import make_engine, make_sessions
from controlplane.settings import Settings
from web.app import create_app

LISTS = (
    "/vms",
    "/vms?sort=-created_at",
    "/vms?sort=state",
    "/vms?state=faulted",
    "/vms?department={department}",
    "/vms?department={department}&sort=-created_at",
    "/vms?pool={pool}",
    "/vms?q=web",
    "/vms?q=employment",
    "/vms?q=水",
    "/vms?q=1",
    "/vms?q=db",
    "/vms?q=10.1",
    "/vms?sort=name",
    "/departments",
    "/departments?sort=name",
    "/departments?sort=created_at",
    "/departments?site=nm",
    "/departments?q=env",
    "/departments?q=环境",
    "/departments?q=e",
    "/systems",
    "/systems?sort=name",
    "/systems?sort=mlps_level",
    "/systems?sort=created_at",
    "/systems?q=heating",
    "/systems?q=供热",
    "/systems?q=系统",
    "/systems?department={department}",
    "/systems?mlps_level=3",
    "/requests",
    "/requests?department={department}",
    "/drifts",
    "/drifts?open=true",
    "/drifts?pool={pool}",
    "/pools",
    "/sites",
    "/sites?sort=name",
    "/sites?level=county",
    "/sites?q=巴",
    "/subnets",
    "/flavors",
    "/images",
)
SMALL = 1000
"""Rows of a table that may be read in full: an index would not make that faster."""


def main() -> None:
    """Measure, explain, and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=int, default=20)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=3.0)
    given = options.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = stack.enter_context(postgres(folder))
        sides = {}
        for scale in (1, given.scale):
            own = folder / f"scale-{scale}"
            own.mkdir()
            database = make_database(url, f"scale_{scale}")
            sides[scale] = (stack.enter_context(steppe(database, own, scale)), database)
        results: dict[tuple[str, int], Tally] = defaultdict(Tally)
        for _ in range(given.rounds):
            for scale, (side, _) in sides.items():
                for name, say in _says(side).items():
                    results[name, scale] += drive(side.port, [say], given.seconds)
        memory = {scale: _memory(side.port) for scale, (side, _) in sides.items()}
        full = _explain(sides[given.scale][1], folder)
    _report(results, memory, full, given.scale)


def _says(side: Steppe) -> dict[str, Say]:
    vm = _first(side, "/vms?limit=1")
    return {
        "list": side.reads("/vms?limit=50"),
        "list of a department": side.reads(f"/vms?limit=50&department={vm['department']}"),
        "show": side.reads(f"/vms/{vm['id']}"),
        "create": side.singles(1)[0],
    }


def _first(side: Steppe, path: str) -> dict[str, Any]:
    connection = Connection(side.port)
    _, body = connection.call(side.reads(path)())
    connection.close()
    item: dict[str, Any] = json.loads(body)["items"][0]
    return item


def _memory(port: int) -> list[float]:
    """Return the private memory of each web process in MiB."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if f"127.0.0.1:{port}" in words and process.parent() and f"127.0.0.1:{port}" in process.parent().cmdline():
            found.append(process.memory_full_info().uss / 2**20)
    return found


def _explain(database: str, folder: Path) -> dict[str, list[str]]:
    """Return for each list the tables of more than SMALL rows that a query of it reads in full."""
    engine = make_engine(database)
    asked: list[tuple[str, Any]] = []
    app = create_app(
        Installation(Settings(database_url=database, state_dir=folder), database, engine, make_sessions(engine))
    )
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'"))
        sizes = {name: int(count) for name, count in rows}
        [department] = connection.execute(text("SELECT code FROM departments ORDER BY code LIMIT 1")).scalars()
        [pool] = connection.execute(text("SELECT code FROM pools ORDER BY code LIMIT 1")).scalars()
        token = _token(engine)
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, sql, values, *_: asked.append((sql, values)))
    found = {}
    for path in LISTS:
        asked.clear()
        where = path.format(department=department, pool=pool)
        answer = app.test_client().get(f"/api/v1{where}", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 200:
            raise SystemExit(f"{where}: {answer.get_data(as_text=True)}")
        # How it is planned is said by a SET, which has no plan itself.
        queries = [(sql, values) for sql, values in asked if not sql.startswith("SET ")]
        found[path] = sorted({name for sql, values in queries for name in _full(engine, sql, values, sizes)})
    return found


def _token(engine: Engine) -> str:
    from bench.allocate.ours import token
    from controlplane.actor import system
    from controlplane.services.users import NewUser

    with make_sessions(engine).begin() as session:
        return token(session, system("bench"), NewUser("explain", "explain", "system_admin", None, service=True))


def _full(engine: Engine, sql: str, values: Any, sizes: dict[str, int]) -> list[str]:
    with engine.connect() as connection:
        [plan] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", values).scalars()
    waiting, full = [plan[0]["Plan"]], []
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if node["Node Type"] == "Seq Scan" and sizes.get(node["Relation Name"], 0) > SMALL:
            full.append(node["Relation Name"])
    return full


def _report(results: dict[tuple[str, int], Tally], memory: dict[int, list[float]], full: Any, scale: int) -> None:
    worst = 0.0
    print(f"{'':24}{'p95 ms at 1':>14}{f'p95 ms at {scale}':>16}{'ratio':>8}")
    for name in dict.fromkeys(name for name, _ in results):
        small, large = (results[name, s].percentile(0.95) for s in (1, scale))
        worst = max(worst, large / small)
        print(f"{name:24}{small:14.2f}{large:16.2f}{large / small:8.2f}")
    for size, processes in memory.items():
        print(f"private memory of web processes at scale {size}: {', '.join(f'{m:.0f}' for m in processes)} MiB")
    for path, tables in full.items():
        print(f"{path:52}{'reads in full: ' + ', '.join(tables) if tables else 'by index'}")
    print(f"scale {scale} over 1: p95 at most {worst:.2f} times; lists not by index: {sum(map(bool, full.values()))}")


if __name__ == "__main__":
    main()
