"""`make fuzz`: everything that every role, and nobody, may send to the whole API; FUZZ_EXAMPLES and FUZZ_SEED say how
much of it and which.

Two runs go on side by side, each on a copy of the centre and with a web server of its own.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from controlplane.bootstrap import installation
from controlplane.settings import Settings
from tests.cli.processes import short_folder
from tests.fuzz.fault import Found
from tests.fuzz.identity import WHO
from tests.fuzz.plan import ODD, PHASES, Amount
from tests.fuzz.run import quiet, run
from tests.fuzz.stock import Stock, stocked

LANES = 2
_SHOWN = 40


def main(words: Sequence[str]) -> int:
    """Fuzz; return 1 if anything was wrong."""
    asked = _asked(words)
    began, everything = time.monotonic(), list[Found]()
    quiet()
    print(f"fuzz: seed {asked.seed}, {asked.examples} examples of each operation; FUZZ_SEED={asked.seed} repeats it")
    with short_folder() as folder, installation(Settings(state_dir=folder / "s"), migrate=True) as made:
        for found in _runs(stocked(made), asked):
            everything.append(found)
            _say(found)
    calls = sum(found.calls for found in everything)
    errors = sum(found.server_errors for found in everything)
    violations = sum(len(found.faults) for found in everything) - errors
    print(f"fuzz: {time.monotonic() - began:.0f} seconds")
    print(f"fuzz: {calls} calls, {errors} server errors, {violations} schema violations")
    return 1 if errors or violations or not calls else 0


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=12)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--who", nargs="*", choices=WHO, default=WHO)
    return parser.parse_args(words)


def _runs(stock: Stock, asked: argparse.Namespace) -> Iterator[Found]:
    plan = [(ODD, who) for who in asked.who if who == "system_admin"] + list(product(PHASES, asked.who))
    # Threads would wait for each other: making things up is all computing.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(LANES, mp_context=context, initializer=quiet) as pool:
        running = [pool.submit(run, stock, who, Amount(asked.seed, asked.examples, (phase,))) for phase, who in plan]
        for future in running:
            yield future.result()


def _say(found: Found) -> None:
    well = f"{len(found.succeeded)} of {len({operation for operation, _ in found.answered})} operations went well"
    print(f"{found.phase:9} {found.who:18} {found.calls:5} calls, {well}, {found.seconds:.0f} s", flush=True)
    if found.renewed:
        print(f"  {found.renewed} times its token was ended on the way and a fresh one made")
    kinds = {(fault.check, fault.operation): fault for fault in reversed(found.faults)}
    for fault in list(kinds.values())[:_SHOWN]:
        print(f"  {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
