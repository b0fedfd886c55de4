"""`make check-brute-force`: a thousand wrong sign-ins lock the name and not the service, and how long an answer takes
tells nobody which names there are."""

import statistics
import sys

from controlplane.bootstrap import Installation, configure_logging, installation
from controlplane.settings import Settings
from tests.brute_force.attack import BUSY, LOCKED, UNKNOWN, WRONG, Outcome, attack, people, scene
from tests.brute_force.browser import Browser
from tests.brute_force.timing import Comparison, compared, sampled
from tests.cli.processes import short_folder
from tests.serving import served

TIMES, SAMPLES, SEED = 1000, 180, 1
MOST_TRIES = 100
"""The largest STEPPE_LOCK_AFTER: so many samples a name can give before it is locked."""
LEAST_CHANCE = 0.001


def main() -> int:
    """Attack and measure; return 1 if anything is wrong."""
    configure_logging(Settings(log_level="error"))
    with short_folder() as folder, installation(Settings(state_dir=folder / "s"), migrate=True) as made:
        here = scene(made)
        with served(made) as url:
            outcome = attack(url, here, TIMES)
            locked = _locked_alike(url, here.victim.username)
        known = _known_alike(made)
    good = _told(made.settings, outcome) & _alike("known and unknown names", known)
    good &= _alike("locked names, known and unknown", locked)
    after = outcome.answers[WRONG]
    print(f"brute force: {TIMES} wrong sign-ins, locked after {after}, known/unknown median ratio {known.ratio:.3f}")
    return 0 if good else 1


def _told(settings: Settings, outcome: Outcome) -> bool:
    answers, served_in = outcome.answers, sorted(answer.seconds * 1000 for answer in outcome.served)
    print(f"sign-ins: {answers[WRONG]} wrong, {answers[LOCKED]} locked, {answers[BUSY]} asked to come back")
    p95 = statistics.quantiles(served_in, n=20)[-1]
    refused = sum(answer.status != 200 for answer in outcome.served)
    print(f"meanwhile: {len(served_in)} lists, {refused} refused, p95 {p95:.0f} ms, longest {served_in[-1]:.0f} ms")
    print(f"meanwhile: another person came in {len(outcome.entries)} times, within {max(outcome.entries)} tries each")
    return answers.total() == TIMES and answers[WRONG] == settings.lock_after and not refused


def _known_alike(made: Installation) -> Comparison:
    names = [f"known-{number}" for number in range(SAMPLES // (MOST_TRIES - 10) + 1)]
    people(made, *names)
    with served(made, STEPPE_LOCK_AFTER=str(MOST_TRIES), STEPPE_WEB_WORKERS="1") as url:
        browser, count = Browser(url), iter(range(10**6))

        def tried(prefix: str) -> float:
            answer = browser.enter(f"{prefix}-{next(count) // 2 % len(names)}", "wrong")
            assert answer.status == WRONG, answer
            return answer.seconds

        tried("known"), tried("unknown")
        times = sampled({"known": lambda: tried("known"), "unknown": lambda: tried("unknown")}, SAMPLES, SEED)
    return compared(times["known"], times["unknown"])


def _locked_alike(url: str, known: str) -> Comparison:
    browser = Browser(url)
    while browser.enter(UNKNOWN, "wrong").status != LOCKED:
        pass

    def tried(name: str) -> float:
        answer = browser.enter(name, "wrong")
        assert answer.status == LOCKED, answer
        return answer.seconds

    times = sampled({"known": lambda: tried(known), "unknown": lambda: tried(UNKNOWN)}, SAMPLES, SEED)
    return compared(times["known"], times["unknown"])


def _alike(what: str, found: Comparison) -> bool:
    print(f"{what}: medians {found.ratio:.3f} to 1, Mann-Whitney p {found.chance:.3f}, {SAMPLES} samples each")
    return found.chance >= LEAST_CHANCE


if __name__ == "__main__":
    sys.exit(main())
