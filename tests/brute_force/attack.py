"""A thousand wrong passwords for one name, by several at once, and how the others fare meanwhile."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.entrance import Entrance
from controlplane.services.users import NewUser
from tests.accounts import Person, person, token_of
from tests.brute_force.browser import Answer, Browser
from tests.factories import small_centre

CONNECTIONS = 8
WRONG, LOCKED, BUSY, IN = 401, 429, 503, 302
_LIST = "/api/v1/vms?limit=20"
UNKNOWN = "nobody-of-this-name"


@dataclass(frozen=True)
class Scene:
    """A small centre: somebody who is attacked, somebody else who comes in, and a program that asks for lists."""

    victim: Person
    other: Person
    token: str


@dataclass(frozen=True)
class Outcome:
    """How the attack was answered, by status; how the program was; and for each time that the other came in meanwhile,
    how often he had to try."""

    answers: Counter[int]
    served: list[Answer]
    entries: list[int]


def people(installation: Installation, *names: str) -> list[Person]:
    """Make people who sign in with a password alone."""
    keys = Entrance.of(installation.settings).keys
    with transaction(installation.sessions) as session:
        return [person(session, NewUser(name, name, "auditor"), keys) for name in names]


def scene(installation: Installation) -> Scene:
    """Make the centre in an empty installation."""
    with transaction(installation.sessions) as session:
        small_centre(session)
        token = token_of(session, "program", "auditor")
    return Scene(*people(installation, "wang", "li"), token)


def attack(url: str, scene: Scene, times: int) -> Outcome:
    """Send so many wrong passwords for the victim's name; a program and another person do their work meanwhile."""
    served: list[Answer] = []
    entries: list[int] = []
    browser = Browser(url)
    with (
        _going_on(lambda: served.append(browser.get(_LIST, Authorization=f"Bearer {scene.token}"))),
        _going_on(lambda: entries.append(_come_in(url, scene.other))),
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        share = [times // CONNECTIONS + (number < times % CONNECTIONS) for number in range(CONNECTIONS)]
        attackers = [pool.submit(_wrong, Browser(url), scene.victim.username, tries) for tries in share]
        answers = sum((attacker.result() for attacker in attackers), Counter[int]())
    return Outcome(answers, served, entries)


def _wrong(browser: Browser, name: str, times: int) -> Counter[int]:
    return Counter(browser.enter(name, f"wrong-{number}").status for number in range(times))


def _come_in(url: str, who: Person) -> int:
    """Come in with the right password and return how many tries that took: who finds it busy tries again."""
    browser = Browser(url)
    for number in range(1, 51):
        answer = browser.enter(who.username, who.password)
        if answer.status == IN:
            assert browser.get("/").status == 200
            return number
        assert answer.status == BUSY, answer
    raise AssertionError("50 tries were not enough for the right password of another")


@contextmanager
def _going_on(step: Callable[[], object]) -> Iterator[None]:
    """Do a step again and again for the length of the block, and at least once. What goes wrong in it is raised."""
    over = threading.Event()

    def go() -> None:
        step()
        while not over.is_set():
            step()

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go)
        try:
            yield
        finally:
            over.set()
        going.result()
