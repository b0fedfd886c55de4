"""`make chaos`: every kill there is, one line each, and at the end everything compared with everything.

A kill is mostly waiting for processes to start again, so there are two installations side by side.
"""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.kills import Kill, Outcome, Range, every_kill
from tests.chaos.steppe import small_steppe

LANES = 2


def main(words: list[str]) -> int:
    """Do every kill that all of `words` stand in, as they are printed; return 1 if one ended wrong."""
    kills = [k for k in every_kill() if all(word in (k.verb, k.step, k.phase, k.victim) for word in words)]
    began = time.monotonic()
    with ThreadPoolExecutor(LANES) as pool:
        wrong = sum(pool.map(carry_out, [kills[lane::LANES] for lane in range(LANES)]))
    print(f"chaos: {time.monotonic() - began:.0f} seconds")
    print(f"chaos: {len(kills)} kills, {wrong} wrong")
    return 1 if wrong else 0


def carry_out(kills: Sequence[Kill]) -> int:
    """Do `kills` one after the other on an installation of their own and return how much was wrong."""
    with small_steppe() as running:
        place = Range(running, sum(kill.verb != "create" for kill in kills))
        wrong = 0
        for kill in kills:
            outcome = place.carry_out(kill)
            wrong += bool(outcome.wrong)
            _say(outcome)
        left = place.judge_all()
        for what in left:
            print(f"at the end: {what}", flush=True)
    return wrong + len(left)


def _say(outcome: Outcome) -> None:
    kill = outcome.kill
    verdict = "right" if not outcome.wrong else "WRONG: " + "; ".join(outcome.wrong)
    place = f"{kill.verb:8} {kill.step:8} {kill.phase:10} {kill.victim:9}"
    print(f"{place} {outcome.seconds:5.1f} s  {verdict}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
