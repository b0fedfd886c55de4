"""Whatever the order in which people ask, amend, decide, take back, lose quota and crash: what must hold, holds.

Each history has a department and people of its own in one database; every step is a transaction that commits, is
refused, or is cut off by the loss of its connection just before it would commit.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.orm import Session

from controlplane.actor import Actor, system
from controlplane.asks.routing import Applies, StepOf
from controlplane.db import Sessions, transaction
from controlplane.errors import Refusal
from controlplane.models import Request
from controlplane.services import asking, deciding, departments, routing
from controlplane.services.asking import Drafted
from controlplane.services.deciding import Decision
from controlplane.services.following_up import follow_up
from controlplane.services.routing import RuleOf
from quotas.verify import verify
from tests.factories import make_department, make_subnet, make_system, small_centre
from tests.factories import vm as vm_ask
from tests.people import ADMIN, SECURITY
from tests.window.conftest import NOW, person

LIMITS = {"vm": 8, "vcpu": 16, "memory_mib": 10**6, "disk_gib": 10**5}
RULES = {
    "some": (["create"], {"vm": 2}, [("department_manager", 1), ("system_admin", 2)]),
    "many": (["create"], {"vm": 4}, [("security_admin", 1), ("system_admin", 2)]),
    "twice": (["quota"], {"vcpu": 5}, [("system_admin", 1), ("system_admin", 2)]),
}
ASKERS = st.sampled_from(("member", "manager", "admin"))
EVERYBODY = ("member", "manager", "deputy", "admin", "other_admin", "security")
PEOPLE = st.sampled_from(EVERYBODY)
OPEN = {"submitted", "in_review"}
numbers = count(1)


class LostConnection(Exception):
    """The process went down."""


class RequestMachine(RuleBasedStateMachine):
    """Every rule is something that somebody does, or that happens."""

    sessions: Sessions

    def __init__(self) -> None:
        super().__init__()
        self.code = f"d{next(numbers)}"
        self.now = self.followed_up = NOW
        self.requests: list[UUID] = []
        self.names = count(1)
        with transaction(self.sessions) as session:
            self.department = make_department(session, self.code, limits=LIMITS).id
            make_system(session, self.code)
            roles = {
                "member": ("department_member", self.code),
                "manager": ("department_manager", self.code),
                "deputy": ("department_manager", self.code),
                "admin": ("system_admin", None),
                "other_admin": ("system_admin", None),
                "security": ("security_admin", None),
            }
            self.people = {who: person(session, f"{self.code}-{who}", *of) for who, of in roles.items()}

    @rule(who=ASKERS, vms=st.integers(0, 5), more=st.integers(0, 8), crash=st.booleans())
    def ask(self, who: str, vms: int, more: int, crash: bool) -> None:
        items = self._items(vms, more)
        made: list[UUID] = []

        def asked(session: Session) -> None:
            drafted = asking.draft(session, self.people[who], self.code, Drafted("测试", "", items))
            made.append(asking.submit(session, self.people[who], drafted.id, self.now).id)

        if self._do(asked, crash):
            self.requests += made

    @precondition(lambda self: self.requests)
    @rule(pick=st.integers(0, 99), who=PEOPLE, verdict=st.sampled_from(("approve", "approve", "return", "refuse")))
    def decide(self, pick: int, who: str, verdict: Any) -> None:
        decision = Decision(verdict, "因为")
        self._do(lambda s: deciding.decide(s, self.people[who], self._pick(pick), decision, self.now))

    @precondition(lambda self: self.requests)
    @rule(pick=st.integers(0, 99), order=st.permutations(EVERYBODY), crash=st.booleans())
    def everybody_tries_to_approve(self, pick: int, order: list[str], crash: bool) -> None:
        for who in order:
            self._do(partial(self._approve, self.people[who], self._pick(pick)), crash)

    @precondition(lambda self: self.requests)
    @rule(pick=st.integers(0, 99), who=ASKERS, vms=st.integers(0, 5), more=st.integers(0, 8))
    def amend_and_submit_again(self, pick: int, who: str, vms: int, more: int) -> None:
        def again(session: Session) -> None:
            asking.amend(session, self.people[who], self._pick(pick), {"items": self._items(vms, more)})
            asking.submit(session, self.people[who], self._pick(pick), self.now)

        self._do(again)

    @precondition(lambda self: self.requests)
    @rule(pick=st.integers(0, 99), who=ASKERS)
    def withdraw(self, pick: int, who: str) -> None:
        self._do(lambda s: asking.withdraw(s, self.people[who], self._pick(pick), self.now))

    @rule(limit=st.integers(0, 24))
    def quota_changes(self, limit: int) -> None:
        self._do(lambda s: departments.set_quota(s, ADMIN, self.code, {"vcpu": limit}))

    @rule(days=st.sampled_from((1, 10, 40)), crash=st.booleans())
    def time_passes(self, days: int, crash: bool) -> None:
        self.now += timedelta(days=days)
        if self._do(lambda s: follow_up(s, system("worker"), self.now), crash):
            self.followed_up = self.now

    @invariant()
    def what_is_held_is_what_open_requests_hold(self) -> None:
        with self.sessions() as session:
            held = session.execute(_HELD, {"department": self.department}).all()
            of_open = session.execute(_HOLDS, {"department": self.department}).all()
            assert {row.resource_class: row.held for row in held if row.held} == {
                row.resource_class: row.held for row in of_open
            }
            over = session.query(Request).filter(Request.department_id == self.department)
            assert all(request.state in OPEN for request in over if request.held)
            assert not [r.number for r in over if r.state in OPEN and r.expires_at <= self.followed_up]

    @invariant()
    def nothing_is_there_that_was_not_approved_as_the_rules_demand(self) -> None:
        with self.sessions() as session:
            for request in session.query(Request).filter(Request.department_id == self.department):
                last = max((step.round for step in request.steps), default=0)
                steps = [step for step in request.steps if step.round == last]
                granted = request.state in {"approved", "fulfilling", "done"}
                made = session.execute(_MADE, {"request": request.id}).scalar_one()
                asked = sum(item["do"] == "create" for item in request.items)
                raised = sum(item.get("by", 0) for item in request.items)
                assert made == (asked if granted else 0)
                if granted:
                    assert sorted((step.role, step.stage) for step in steps) == _demanded(asked, raised)
                    assert all(step.state == "approved" for step in steps)
                givers = [step.decided_by for step in steps if step.decided_by]
                assert request.asked_for not in givers and len(givers) == len(set(givers))

    @invariant()
    def the_ledger_adds_up(self) -> None:
        with self.sessions() as session:
            assert list(verify(session)) == []

    def _approve(self, who: Actor, ref: UUID, session: Session) -> None:
        deciding.decide(session, who, ref, Decision("approve"), self.now)

    def _items(self, vms: int, more: int) -> list[dict[str, Any]]:
        specs = [vm_ask(f"vm-{next(self.names)}", subnets=["wide"]) for _ in range(vms)]
        items: list[dict[str, Any]] = [{"do": "create", "kind": "vm", "spec": spec} for spec in specs]
        if more or not items:
            items.append({"do": "quota", "class": "vcpu", "by": more or 1})
        return items

    def _pick(self, number: int) -> UUID:
        return self.requests[number % len(self.requests)]

    def _do(self, step: Callable[[Session], object], crash: bool = False) -> bool:
        """Do a step; tell whether it was committed."""
        try:
            with transaction(self.sessions) as session:
                step(session)
                if crash:
                    _go_down(session)
        except (Refusal, LostConnection):
            return False
        return True


def _go_down(session: Session) -> None:
    connection: Any = session.connection().connection.driver_connection
    connection.close()
    session.invalidate()
    raise LostConnection


def _demanded(vms: int, more: int) -> list[tuple[str, int]]:
    """Return whose approval the rules want, worked out anew."""
    found: set[tuple[str, int]] = set()
    if vms >= 2:
        found |= {("department_manager", 1), ("system_admin", 2)}
    if vms >= 4:
        found.add(("security_admin", 1))
    if more >= 5:
        found |= {("system_admin", 1), ("system_admin", 2)}
    elif more and not found:
        found.add(("system_admin", 1))
    return sorted(found)


_HELD = text("SELECT resource_class, held FROM ledger_accounts WHERE owner = :department")
_HOLDS = text("""
    SELECT a.resource_class, sum(p.held) AS held
    FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id JOIN requests r ON r.id = p.subject
    WHERE a.owner = :department AND r.state IN ('submitted', 'in_review')
    GROUP BY a.resource_class HAVING sum(p.held) <> 0
""")
_MADE = text("SELECT count(*) FROM resources WHERE request_id = :request")


@pytest.fixture
def machine(sessions: Sessions) -> Iterator[type[RequestMachine]]:
    """The machine, on a centre with room for all."""
    with transaction(sessions) as session:
        small_centre(session, hypervisors=40)
        make_subnet(session, "wide", "10.64.0.0/16")
        for code, (do, amounts, steps) in RULES.items():
            of = [StepOf.model_validate({"role": role, "stage": stage}) for role, stage in steps]
            applies = Applies.model_validate({"do": do, "amounts": amounts})
            routing.create(session, SECURITY, code, RuleOf(code, code, True, applies, of))
    RequestMachine.sessions = sessions
    yield RequestMachine
    del RequestMachine.sessions


def test_requests_keep_what_must_hold_through_any_history(machine: type[RequestMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("REQUEST_HISTORIES", "5")),
            stateful_step_count=25,
            deadline=None,
            derandomize="CI" in os.environ,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
