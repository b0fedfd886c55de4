"""The way in without a browser: what the pages do, step by step, each in the transaction that it has there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from controlplane.db import Sessions, transaction
from controlplane.entrance import Arrival, Entrance
from controlplane.services import second_factor, sessions, sign_in
from controlplane.services.sessions import SignedIn
from controlplane.services.users import NewUser
from tests.accounts import Person, entrance, person

NOON = datetime(2030, 1, 7, 12, tzinfo=UTC)


@dataclass
class Gate:
    """An installation's way in, at a time of the test's own."""

    records: Sessions
    entrance: Entrance = field(default_factory=entrance)
    now: datetime = NOON
    address: str = "10.0.0.7"
    marks: tuple[str, ...] = ()
    mark: str | None = None

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def arrival(self) -> Arrival:
        return Arrival(self.address, "test", "trace", self.now, marks=self.marks)

    @contextmanager
    def known_at(self, *marks: str) -> Iterator[None]:
        """Come from a browser that shows these marks, for the length of the block."""
        self.marks = marks
        yield
        self.marks = ()

    def person(self, username: str, role: str = "auditor") -> Person:
        with transaction(self.records) as session:
            new = NewUser(username, username.title(), role)  # type: ignore[arg-type]
            return person(session, new, self.entrance.keys, self.now)

    def enter(self, username: str, password: str) -> str | None:
        """Give a password; return the cookie's secret, None where it was wrong. Raises SignInLocked."""
        with transaction(self.records) as session:
            sign_in.count(session, self.entrance, username, self.arrival())
        with transaction(self.records) as session:
            admitted = sign_in.enter(session, self.entrance, username, password, self.arrival())
            self.mark = admitted.mark if admitted else None
            return admitted.secret if admitted else None

    def prove(self, secret: str, code: str) -> str | None:
        """Show a second factor; return the cookie's new secret, None where it was wrong."""
        ident = self.opened(secret)
        with transaction(self.records) as session:
            second_factor.count(session, self.entrance, ident, self.arrival())
        with transaction(self.records) as session:
            admitted = second_factor.prove(session, self.entrance, ident, code, self.arrival())
            self.mark = admitted.mark if admitted else None
            return admitted.secret if admitted else None

    def marked(self, somebody: Person) -> str:
        """Sign somebody in and return the mark that the browser keeps."""
        self.come_in(somebody)
        assert self.mark
        return self.mark

    def come_in(self, somebody: Person) -> str:
        """Sign somebody in with all that is asked of him; return the cookie's secret."""
        secret = self.enter(somebody.username, somebody.password)
        if secret and somebody.codes:
            secret = self.prove(secret, somebody.codes.pop())
        assert secret
        return secret

    def who(self, secret: str, *, active: bool = True) -> SignedIn | None:
        """Make a request with a cookie."""
        with transaction(self.records) as session:
            come = Arrival(self.address, "test", "trace", self.now, active)
            return sessions.signed_in(session, self.entrance.rules, secret, come)

    def opened(self, secret: str) -> UUID:
        found = self.who(secret)
        assert found
        return found.id
