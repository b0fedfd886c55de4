"""A lab whose machines have leases, with a clock that tests turn."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from controlplane import lease_sweep, unused
from controlplane.actor import Actor, system
from controlplane.bootstrap import Installation
from controlplane.db import transaction
from controlplane.lease_sweep import Swept
from controlplane.models import Resource, User
from controlplane.options import LeasePolicy
from controlplane.services import leases, users
from controlplane.services.leases import Which
from controlplane.services.users import NewUser
from quotas.verify import verify
from tests.people import ADMIN, OPERATOR
from tests.reconcile.lab import Lab, furnish
from tests.templates import Template

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
WORKER = system("worker")


@dataclass
class Leasing:
    """A lab, and its clock."""

    lab: Lab
    now: datetime = NOW
    manager: UUID = field(default_factory=lambda: UUID(int=0))

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def leased(self, days: float = 40, name: str = "web-01", **more: Any) -> UUID:
        """Return a running machine whose lease ends in `days`."""
        return self.lab.running(name, lease_until=self.now + timedelta(days=days), **more)

    def sweep(self) -> Swept:
        with transaction(self.lab.sessions) as session:
            return lease_sweep.sweep(session, WORKER, self.now)

    def swept(self, machine: UUID) -> Resource:
        """Sweep, let a worker look at a machine where something is to be done, and return its record."""
        self.sweep()
        if self.lab.jobs(machine):
            self.lab.look(machine)
        self.lab.forget_jobs()
        return self.lab.record(machine)

    def follow(self) -> unused.Followed:
        with transaction(self.lab.sessions) as session:
            return unused.follow(session, WORKER, self.now)

    def extend(self, machine: UUID, **by: float) -> Resource:
        with transaction(self.lab.sessions) as session:
            ends = {"lease_until": self.now + timedelta(**by)}
            return leases.set_lease(session, ADMIN, Which("vm", machine), ends, self.now)

    def hold(self, machine: UUID, actor: Actor) -> None:
        with transaction(self.lab.sessions) as session:
            leases.hold(session, actor, Which("vm", machine), "案件 12", self.now)

    def lift(self, machine: UUID, actor: Actor) -> None:
        with transaction(self.lab.sessions) as session:
            leases.lift(session, actor, Which("vm", machine), self.now)

    def policy(self, **changed: Any) -> None:
        with transaction(self.lab.sessions) as session:
            leases.set_policy(session, ADMIN, LeasePolicy.model_validate(changed))

    def change(self, machine: UUID, **values: Any) -> None:
        """Have a record say something else, as time alone would make it."""
        with transaction(self.lab.sessions) as session:
            session.execute(update(Resource).where(Resource.id == machine).values(**values))

    def notices(self, event: str) -> list[dict[str, Any]]:
        """Return what the manager of the department was told, oldest first."""
        with transaction(self.lab.sessions) as session:
            rows = session.execute(_TOLD, {"user": self.manager, "event": event})
            return [row.params for row in rows]

    def verbs(self, machine: UUID) -> list[str]:
        """Return what the trail says of a machine's lease, oldest first."""
        return [action for _, action, _ in self.lab.actions(machine) if "lease" in action or action == "vm.extend"]

    def balanced(self) -> bool:
        """Tell whether the ledger is in order."""
        with transaction(self.lab.sessions) as session:
            return not list(verify(session))


def managed(session: Session) -> UUID:
    """Make a small centre with one fake hypervisor; return the manager of a department."""
    furnish(session)
    users.create(session, OPERATOR, NewUser("manager", "Manager", "department_manager", "environment"))
    return session.query(User).filter_by(username="manager").one().id


@pytest.fixture(scope="session")
def start_leasing(template: Template[None]) -> Iterator[Template[UUID]]:
    """That centre and that manager."""
    with template.furnished(managed) as made:
        yield made


@pytest.fixture
def leasing(installation: Installation, start_leasing: Template[UUID]) -> Iterator[Leasing]:
    """A lab with one fake hypervisor and a department with a manager."""
    with Lab(installation) as lab:
        yield Leasing(lab, manager=start_leasing.made)


_TOLD = text("SELECT params FROM notifications WHERE user_id = :user AND event = :event ORDER BY id")
