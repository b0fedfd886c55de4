"""What a console session needs of the record and of the hypervisor: all that may block, for use from a thread."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, cast
from uuid import UUID

from sqlalchemy.orm import Session

from controlplane.actor import Actor
from controlplane.db import Sessions, transaction
from controlplane.entrance import Arrival, Rules
from controlplane.errors import ConsoleRefused, Refusal
from controlplane.reconcile.drivers import Drivers
from controlplane.services import api_tokens, consoles, sessions
from controlplane.services.consoles import Ending
from provisioners.contract import (
    ConsoleDriver,
    ConsoleKind,
    ConsoleLine,
    MachineSpec,
    Missing,
    Rejected,
    Unreachable,
    load_machine,
)


class NoConsole(Exception):
    """The console cannot be opened. `reason` is one of the words of `wire.CODES`; `detail` is for the log."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody whose ticket was good, and the machine that it was good for. `offers`: its consoles, the best first."""

    actor: Actor
    machine: UUID
    spec: MachineSpec
    driver: ConsoleDriver
    offers: tuple[ConsoleKind, ...]


class Desk(Protocol):
    """What the server asks for each session. Every method may block."""

    def admit(self, ticket: str, origin: str | None) -> Visit: ...
    def open(self, visit: Visit, kind: ConsoleKind) -> ConsoleLine: ...
    def may_stay(self, visit: Visit) -> bool: ...
    def ended(self, visit: Visit, ending: Ending) -> None: ...


class RecordDesk:
    """The desk of an installation."""

    def __init__(
        self,
        sessions: Sessions,
        drivers: Drivers,
        rules: Rules,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rules = rules
        self._sessions = sessions
        self._drivers = drivers
        self._clock = clock

    def admit(self, ticket: str, origin: str | None) -> Visit:
        """Use up a ticket and return what it is good for. Raises NoConsole."""
        try:
            with transaction(self._sessions) as session:
                used = consoles.redeem(session, ticket, origin, self._clock())
                actor = self._still(session, used.actor_kind, used.actor_id)
                vm = consoles.watched(session, actor, used.resource_id)
                pool, spec = vm.pool, load_machine(vm.wanted)
        except ConsoleRefused as refusal:
            raise NoConsole("ticket", refusal.message) from refusal
        except Refusal as refusal:
            raise NoConsole("gone", refusal.message) from refusal
        try:
            driver = self._drivers.of(pool.id, pool.driver, pool.connection)
        except (Unreachable, Rejected) as error:
            raise NoConsole("unreachable", str(error)) from error
        offers = driver.consoles() if isinstance(driver, ConsoleDriver) else ()
        if not offers:
            raise NoConsole("none", f"driver {pool.driver} of pool {pool.code} offers no console")
        return Visit(actor, vm.id, spec, cast(ConsoleDriver, driver), offers)

    def open(self, visit: Visit, kind: ConsoleKind) -> ConsoleLine:
        """Open the console and put that into the trail. Raises NoConsole."""
        try:
            line = visit.driver.open_console(visit.spec, kind)
        except Unreachable as error:
            raise NoConsole("unreachable", str(error)) from error
        except Missing as error:
            raise NoConsole("gone", str(error)) from error
        except Rejected as error:
            raise NoConsole("refused", str(error)) from error
        try:
            with transaction(self._sessions) as session:
                actor = self._still(session, visit.actor.kind, visit.actor.id)
                consoles.said_opened(session, actor, consoles.watched(session, actor, visit.machine), kind)
        except BaseException as error:
            # A console whose opening is in no trail is not opened.
            line.socket.close()
            if isinstance(error, Refusal):
                raise NoConsole("gone", error.message) from error
            raise
        return line

    def may_stay(self, visit: Visit) -> bool:
        """Tell whether the visitor still may see this console now."""
        with transaction(self._sessions) as session:
            try:
                actor = self._still(session, visit.actor.kind, visit.actor.id)
                consoles.watched(session, actor, visit.machine)
            except Refusal:
                return False
        return True

    def ended(self, visit: Visit, ending: Ending) -> None:
        """Put the end of a session into the trail."""
        with transaction(self._sessions) as session:
            consoles.said_ended(session, visit.actor, visit.machine, ending)

    def _still(self, session: Session, kind: str, ident: UUID) -> Actor:
        """Return an actor with the rights of this moment. Raises ConsoleRefused where it has none any more."""
        again = sessions.actor_again if kind == "user" else api_tokens.actor_again
        actor: Actor | None = again(session, self._rules, ident, Arrival(now=self._clock()))
        if actor is None:
            raise ConsoleRefused
        return actor
