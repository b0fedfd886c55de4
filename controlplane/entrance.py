"""What guards the way in: the rules of passwords, sessions and tokens, the keys, the places for checking passwords.

Each process makes it once from its settings and hands it to the services, so tests bring rules of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from threading import BoundedSemaphore
from typing import Literal

from controlplane.errors import SignInBusy, WrongNetwork
from controlplane.policy import ADMINISTRATORS
from controlplane.secrets import Keys, keys
from controlplane.settings import Settings

Step = Literal["second_factor", "enrol", "password"]


@dataclass(frozen=True, slots=True)
class Rules:
    """See the settings of the same names. Times of 0 mean never."""

    password_length: int
    password_history: int
    password_age: timedelta
    tries: int
    lock: timedelta
    longest_lock: timedelta
    idle: timedelta
    longest: timedelta
    at_once: int
    unused: timedelta
    token_life: timedelta

    def locked_for(self, tries: int) -> timedelta | None:
        """Return for how long a name is locked after so many wrong tries, None for not at all: it doubles each time."""
        if tries < self.tries:
            return None
        doubled: int = 2 ** min(tries - self.tries, 20)
        return min(self.lock * doubled, self.longest_lock)


class Places:
    """Where passwords are checked in one process: each check takes 64 MiB and a processor for a while, so few are under
    way at once, few more wait, and whoever comes then is asked to come back: the rest of the process serves on."""

    def __init__(self, threads: int) -> None:
        self._inside = BoundedSemaphore(max(1, threads // 4))
        self._working = BoundedSemaphore(max(1, threads // 8))

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place for the length of the block. Raises SignInBusy where all are taken and enough wait."""
        if not self._inside.acquire(blocking=False):
            raise SignInBusy
        try:
            with self._working:
                yield
        finally:
            self._inside.release()


@dataclass(frozen=True, slots=True)
class Entrance:
    """The rules, the keys and the places of one process."""

    rules: Rules
    keys: Keys
    places: Places

    @classmethod
    def of(cls, settings: Settings) -> "Entrance":
        """Return what the settings say."""
        return cls(rules(settings), keys(settings), Places(settings.web_threads))


@dataclass(frozen=True, slots=True)
class Arrival:
    """From where and when somebody comes. `active`: a person does something, not a page that renews itself. `marks`:
    what the browser of somebody who signs in shows, see `known_browsers`."""

    address: str | None = None
    agent: str | None = None
    trace: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    active: bool = True
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account still has to do before it may do anything else. `proved`: the second factor was shown.

    `by_provider`: it came through an identity provider, so with no password that could be too old; `vouched`: and
    showed a second factor there.
    """

    role: str
    service: bool
    enrolled: bool
    proved: bool
    must_change: bool
    password_changed_at: datetime | None
    by_provider: bool = False
    vouched: bool = False

    def step(self, rules: Rules, now: datetime) -> Step | None:
        """Return what comes first, None where all is done."""
        if self.service:
            return None
        if self.enrolled and not self.proved:
            return "second_factor"
        if not self.enrolled and not self.vouched and self.role in ADMINISTRATORS:
            return "enrol"
        if self.by_provider:
            return None
        changed = self.password_changed_at
        old = changed is not None and bool(rules.password_age) and changed + rules.password_age <= now
        return "password" if self.must_change or old else None


def rules(settings: Settings) -> Rules:
    """Return the rules that the settings say."""
    return Rules(
        password_length=settings.password_length,
        password_history=settings.password_history,
        password_age=timedelta(days=settings.password_days),
        tries=settings.lock_after,
        lock=timedelta(minutes=settings.lock_minutes),
        longest_lock=timedelta(minutes=settings.lock_longest_minutes),
        idle=timedelta(minutes=settings.session_idle_minutes),
        longest=timedelta(hours=settings.session_hours),
        at_once=settings.sessions_at_once,
        unused=timedelta(days=settings.unused_days),
        token_life=timedelta(days=settings.token_days),
    )


def check_network(networks: list[str], address: str | None) -> None:
    """Raise WrongNetwork where an account is confined to networks and `address` is in none of them."""
    if not networks:
        return
    try:
        came = ip_address(address or "")
    except ValueError:
        raise WrongNetwork(address=address or "-") from None
    mapped = getattr(came, "ipv4_mapped", None) or came
    if not any(mapped in ip_network(network) for network in networks):
        raise WrongNetwork(address=str(came))
