"""A small centre whose people ask and decide."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.actor import Actor
from controlplane.asks.routing import Applies, StepOf
from controlplane.bootstrap import Installation
from controlplane.cli import steppe as command
from controlplane.db import Sessions, transaction
from controlplane.models import Department, Request, User
from controlplane.services import asking, deciding, routing, users
from controlplane.services.asking import Drafted
from controlplane.services.deciding import Decision, Verdict
from controlplane.services.routing import RuleOf
from controlplane.services.users import NewUser
from controlplane.settings import settings
from quotas.metering import balances
from tests.callers import Callers
from tests.factories import Centre, small_centre, vm
from tests.people import OPERATOR, SECURITY
from tests.templates import Template
from tests.web.visitors import Visitors

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
LIMITS = {"vm": 10, "vcpu": 10, "memory_mib": 100 * 1024, "disk_gib": 1000}


@dataclass
class Office:
    """People with accounts, and what they do, each in a transaction of its own at the time `now`."""

    sessions: Sessions
    centre: Centre
    people: dict[str, Actor]
    now: datetime = NOW

    def ask(self, who: str, *items: dict[str, Any], title: str = "测试") -> UUID:
        """Draft and submit a request; return its id."""
        with transaction(self.sessions) as session:
            drafted = asking.draft(session, self.people[who], self.centre.department, Drafted(title, "", items))
        return self.submit(who, drafted.id)

    def submit(self, who: str, ref: UUID) -> UUID:
        with transaction(self.sessions) as session:
            return asking.submit(session, self.people[who], ref, self.now).id

    def decide(self, who: str, ref: UUID, verdict: Verdict = "approve", comment: str = "") -> Request:
        with transaction(self.sessions) as session:
            return deciding.decide(session, self.people[who], ref, Decision(verdict, comment), self.now)

    def rule(self, code: str, *roles: tuple[str, int], **applies: Any) -> None:
        """Have approvals of these (role, stage) demanded."""
        steps = [StepOf.model_validate({"role": role, "stage": stage}) for role, stage in roles]
        with transaction(self.sessions) as session:
            rule = RuleOf(code, code, True, Applies.model_validate(applies), steps)
            routing.create(session, SECURITY, code, rule)

    def request(self, ref: UUID) -> Request:
        with self.sessions() as session:
            return lookups.request_for(session, OPERATOR, ref)

    def balance(self, of: str = "vcpu") -> tuple[int, int]:
        """Return what the department holds and uses of a class."""
        with self.sessions() as session:
            department = session.query(Department).filter_by(code=self.centre.department).one()
            [found] = [b for b in balances(session, [department.id])[department.id] if b.resource_class == of]
            return found.held, found.used

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


def machines(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return items for VMs."""
    return [{"do": "create", "kind": "vm", "spec": vm(f"web-{n + 1:02}", **more)} for n in range(count)]


def person(session: Session, name: str, role: str, department: str | None) -> Actor:
    """Make an account and return whoever has it."""
    users.create(session, OPERATOR, NewUser(name, name, role, department))  # type: ignore[arg-type]
    user = session.query(User).filter_by(username=name).one()
    scope = None
    if user.department_id:
        scope = frozenset(lookups.subtree_of(session, user.department_id))
    return Actor(user.id, name, "user", user.role, user.department_id, scope, user=user.id)


Staffed = tuple[Centre, dict[str, Actor]]


def staffed(session: Session) -> Staffed:
    """Make a small centre with a quota of ten of most things, and people who ask and decide."""
    centre = small_centre(session, limits=LIMITS)
    roles = {
        "manager": ("department_manager", centre.department),
        "deputy": ("department_manager", centre.department),
        "colleague": ("department_member", centre.department),
        "stranger": ("department_manager", centre.other),
        "admin": ("system_admin", None),
        "other_admin": ("system_admin", None),
        "security": ("security_admin", None),
    }
    return centre, {name: person(session, name, role, of) for name, (role, of) in roles.items()}


@pytest.fixture(scope="session")
def start_office(template: Template[None]) -> Iterator[Template[Staffed]]:
    """That centre and those people."""
    with template.furnished(staffed) as made:
        yield made


@pytest.fixture
def office(sessions: Sessions, start_office: Template[Staffed]) -> Office:
    """The small centre with a quota of ten of most things, and its people."""
    centre, people = start_office.made
    return Office(sessions, centre, dict(people))


@pytest.fixture
def visit(http: Callers) -> Visitors:
    """The people of tests, at browsers without script."""
    return Visitors(http)


@pytest.fixture
def steppe(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Commands on the test's own database."""
    monkeypatch.setenv("STEPPE_DATABASE_URL", installation.url)
    monkeypatch.setenv("STEPPE_STATE_DIR", str(installation.settings.state_dir))
    monkeypatch.setenv("STEPPE_LOG_LEVEL", "error")
    settings.cache_clear()
    yield lambda *words: CliRunner().invoke(command, words)
    settings.cache_clear()
