"""Steppe's POST /vms and Placement's PUT /allocations in turn, on one machine, one PostgreSQL, in one run."""

import argparse
import platform
import statistics
from collections import defaultdict
from pathlib import Path

from bench.allocate import limit
from bench.allocate.load import Tally, drive
from bench.allocate.ours import BULK, Steppe, steppe
from bench.allocate.placement import Placement, placement
from bench.servers import THREADS, WORKERS, make_database, postgres, scratch

CONNECTIONS = (1, 8)
Results = dict[str, list[Tally]]


def main() -> None:
    """Run the rounds and print the table; the last line is the three ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--placement-python", type=Path, required=True, help="interpreter that has openstack-placement"
    )
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--seconds", type=float, default=2.0, help="of each measurement in a round")
    given = options.parse_args()
    with scratch() as folder, postgres(folder) as url:
        databases = {name: make_database(url, name) for name in ("ours", "placement", "pgbench")}
        limit.prepare(databases["pgbench"])
        with (
            steppe(databases["ours"], folder) as ours,
            placement(databases["placement"], given.placement_python, folder) as peer,
        ):
            _warm_up(ours, peer)
            results: Results = defaultdict(list)
            commits: dict[int, list[float]] = defaultdict(list)
            for _ in range(given.rounds):
                _round(ours, peer, given.seconds, results)
                for clients in CONNECTIONS:
                    commits[clients].append(limit.commits(databases["pgbench"], clients, given.seconds / 2))
            # Last: the database tidies up for a while after tens of thousands of rows.
            for _ in range(given.rounds):
                results["steppe bulk"].append(drive(ours.port, ours.bulks(), given.seconds))
                results["placement 1, beside bulk"].append(drive(peer.port, peer.singles(1), given.seconds))
    _report(results, commits)


def _warm_up(ours: Steppe, peer: Placement) -> None:
    for says, port in ((ours.singles(8), ours.port), (peer.singles(8), peer.port)):
        tally = drive(port, says, 2)
        if not tally.latencies:
            raise SystemExit(f"no request succeeded: {tally.failures[:1]}")


def _round(ours: Steppe, peer: Placement, seconds: float, results: Results) -> None:
    for connections in CONNECTIONS:
        results[f"steppe {connections}"].append(drive(ours.port, ours.singles(connections), seconds))
        results[f"placement {connections}"].append(drive(peer.port, peer.singles(connections), seconds))


def _report(results: Results, commits: dict[int, list[float]]) -> None:
    print(
        f"{platform.machine()}, Python {platform.python_version()}; each side: gunicorn, {WORKERS} x {THREADS} threads"
    )
    print(f"{'':26}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'done':>9}{'failed':>8}")
    for name, tallies in results.items():
        total = Tally()
        for tally in tallies:
            total += tally
        many = BULK if name == "steppe bulk" else 1
        figures = f"{total.rate * many:12.1f}{total.percentile(0.5):10.2f}{total.percentile(0.99):10.2f}"
        print(f"{name:26}{figures}{len(total.latencies) * many:9}{len(total.failures):8}")
    for clients, rates in commits.items():
        print(f"{f'pgbench -N {clients}':26}{statistics.median(rates):12.1f}")
    ratios = {c: _ratio(results[f"steppe {c}"], results[f"placement {c}"]) for c in CONNECTIONS}
    bulk = _ratio(results["steppe bulk"], results["placement 1, beside bulk"]) * BULK
    print(f"allocate ratio 1={ratios[1]:.1f} 8={ratios[8]:.1f} bulk={bulk:.1f}")


def _ratio(ours: list[Tally], theirs: list[Tally]) -> float:
    """Return the median over the rounds: what disturbs one round falls on both sides of it."""
    return statistics.median(a.rate / b.rate for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
