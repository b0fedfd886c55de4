"""What the stories of the VPN lab share: a department's program at the API, people's clients, and what became of both.

Every password that is ever handed out, and every answer that is not the file with it, is kept to the end: nothing but
that file may have held one.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from tests.labs.report import Report
from tests.labs.steppe_process import ROOT, Steppe
from tests.labs.vpn_site import GATEWAY, SERVERS, Site
from tests.labs.waiting import until
from tests.namespaces import inside
from tests.tunnels import Client
from tests.vpn_accounts.handed import PASSPHRASE, passwords

OURS, THEIRS = SERVERS
ORDER_SECONDS = 30
AT_ONCE = 8
A = TypeVar("A")
B = TypeVar("B")


@dataclass
class Lab:
    """All that a story needs. `passwords` holds the one that is good, `handed` all that ever were."""

    report: Report
    steppe: Steppe
    site: Site
    url: str
    folder: Path
    tokens: dict[str, str]
    accounts: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)
    answers: list[bytes] = field(default_factory=list)
    ends: dict[str, datetime] = field(default_factory=dict)
    """Whose tunnels were left up, and when their lease ended: the clock is to end them."""

    # --- what a department's program does

    def call(self, department: str | None, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Call the API as a department, or as the centre. Raises RuntimeError for a refusal."""
        asked = f"{path}?{urlencode(query)}" if query else path
        status, answer = self.steppe.fetch(method, asked, body, self.tokens[department] if department else "")
        self.answers.append(answer)
        if status >= 400:
            raise RuntimeError(f"{method} {asked}: {status} {answer.decode(errors='replace')}")
        return json.loads(answer)

    def ask(self, department: str, usernames: Sequence[str], **more: Any) -> None:
        """Ask for accounts, at the real gateway where no other is named."""
        said = {"gateway": GATEWAY, **more}
        rows = [{"username": name, "person": {"name": f"人{name}", "number": name}, **said} for name in usernames]
        asked = self.call(department, "POST", "/vpn-accounts/bulk", {"accounts": rows})
        self.accounts |= {one["username"]: one["id"] for one in asked["accounts"]}

    def hand_out(self, department: str, *usernames: str) -> None:
        """Have passwords handed out: new ones to these, or to all that have none."""
        ids = {"ids": [self.accounts[name] for name in usernames]} if usernames else {}
        body = {"passphrase": PASSPHRASE, **ids}
        status, file = self.steppe.fetch("POST", "/vpn-accounts/credentials", body, self.tokens[department])
        if status != 200:
            raise RuntimeError(f"no passwords: {status} {file.decode(errors='replace')}")
        told = passwords(file)
        self.passwords |= told
        self.handed |= set(told.values())

    def give(self, department: str, *usernames: str, **more: Any) -> None:
        """Ask for accounts, hand out their passwords, and wait until the gateway carries them."""
        self.ask(department, usernames, **more)
        self.hand_out(department)
        for name in usernames:
            self.settled(department, name, "running")

    def settled(self, department: str, username: str, state: str) -> None:
        """Wait until an account is in a state."""

        def there() -> bool:
            found = self.call(department, "GET", f"/vpn-accounts/{self.accounts[username]}")
            return bool(found["state"] == state and found["generation"] == found["observed_generation"])

        until(f"{username} to be {state}", there, ORDER_SECONDS)

    def order(self, department: str, username: str, verb: str, body: Any = None) -> None:
        self.call(department, "POST", f"/vpn-accounts/{self.accounts[username]}/{verb}", body)

    def logins(self, username: str, department: str | None = OURS) -> list[str]:
        """Return how each try of somebody went, the newest first, as a department or the centre sees it: `accepted`, or
        why not."""
        found = self.call(department, "GET", "/vpn-logins", username=username)["items"]
        return [one["reason"] or "accepted" for one in found]

    def sessions(self, department: str = OURS, **query: Any) -> list[dict[str, Any]]:
        """Return tunnels as the API tells of them, the newest first."""
        return list(self.call(department, "GET", "/vpn-sessions", limit=500, **query)["items"])

    def told(self, username: str, department: str = OURS, **wanted: Any) -> dict[str, Any]:
        """Wait until the newest tunnel of somebody is told of, with `ended` or not, and return it."""
        ended = wanted.get("ended", False)

        def there() -> dict[str, Any] | None:
            found = self.sessions(department, username=username)[:1]
            return found[0] if found and bool(found[0]["stopped"]) == ended else None

        return until(f"RADIUS to be told of {username}", there, wanted.get("seconds", ORDER_SECONDS)) or {}

    # --- what people do

    def client(self, username: str, place: str = "crowd", password: str | None = None, *, dtls: bool = True) -> Client:
        word = self.passwords.get(username, "none") if password is None else password
        return self.site.way(place).client(username, word, alone=place != "crowd", dtls=dtls)

    def come_in(self, usernames: Sequence[str], place: str = "crowd") -> list[Client]:
        """Have all of them come in, some at a time. Raises AssertionError where somebody is refused."""
        clients = self.try_to_come_in(usernames, place)
        refused = [client for client in clients if client.has_ended()]
        assert not refused, f"{len(refused)} of {len(clients)} are refused: {refused[0].said()[-300:]}"
        return clients

    def try_to_come_in(self, usernames: Sequence[str], place: str = "crowd") -> list[Client]:
        """Have all of them try, some at a time, and return them once all have had their answer."""

        def tried(username: str) -> Client:
            client = self.client(username, place)
            client.is_in(60)
            return client

        return side_by_side(tried, usernames)

    def connects(self, place: str, server: str, up: int = 10, down: int = 10) -> bool:
        """Tell whether so many bytes go through from a place to a server and back."""
        command = [sys.executable, "-m", "tests.labs.vpn_traffic", "carry", server, str(up), str(down)]
        done = subprocess.run(inside(self.site.at(place), *command), cwd=ROOT, capture_output=True, check=False)
        return done.returncode == 0

    @contextmanager
    def at_the_end(self, clients: Sequence[Client]) -> Iterator[None]:
        """Have clients be gone after the block, whatever came of it."""
        try:
            yield
        finally:
            side_by_side(Client.leave, clients)


def side_by_side(do: Callable[[A], B], many: Sequence[A]) -> list[B]:
    """Do something to many, some at a time, and return what came of each."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(do, many))


def seconds(do: Callable[[], object], done: Callable[[], bool], most: float = ORDER_SECONDS) -> float:
    """Return how long it takes from doing something to its being done."""
    began = time.monotonic()
    do()
    until("it to be done", done, most, 0.02)
    return time.monotonic() - began
