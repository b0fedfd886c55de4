"""The ledger against a model of it in plain Python, through random histories on a real database.

The model knows nothing of postings or locks: for each subject it keeps what stands on which account, and says by
adding up whether something fits. Each history runs in one transaction that is thrown away.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from controlplane.db import Sessions
from quotas import ledger
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand
from quotas.limits import set_limit
from quotas.verify import verify

PARENTS = {"top": None, "left": "top", "right": "top", "left-1": "left", "left-2": "left", "right-1": "right"}
POOLS = ("pool-1", "pool-2")
CLASSES = ("vcpu", "disk")

Account = tuple[str, str]
Standing = dict[Account, int]
"""What one subject has on each account."""
NOBODY: list["Subject"] = []


def above(department: str) -> tuple[str, ...]:
    parent = PARENTS[department]
    return (*above(parent), parent) if parent else ()


def below(department: str) -> tuple[str, ...]:
    return tuple(d for d in PARENTS if department in above(d))


@dataclass(frozen=True)
class Ask:
    """What a subject is to have, by names."""

    origin: str
    pool: str | None
    amounts: dict[str, int]


@dataclass
class Subject:
    """What a subject has: the ask that stands, and where it was posted."""

    id: UUID
    ask: Ask
    standing: Standing


@dataclass
class Model:
    """Limits of the accounts that are open, and the subjects that hold and use."""

    limits: dict[Account, int | None] = field(default_factory=dict)
    held: dict[UUID, Subject] = field(default_factory=dict)
    used: dict[UUID, Subject] = field(default_factory=dict)

    def balance(self, account: Account) -> tuple[int, int]:
        return tuple(sum(s.standing.get(account, 0) for s in side.values()) for side in (self.held, self.used))

    def standing(self, ask: Ask) -> Standing:
        """Return where `ask` would be posted. An ancestor counts only while it has a limit."""
        required = [ask.origin, *([ask.pool] if ask.pool else [])]
        counted = above(ask.origin)
        return {
            (owner, c): amount
            for c, amount in ask.amounts.items()
            for owner in (*required, *counted)
            if (owner, c) in self.limits and (owner in required or self.limits[owner, c] is not None)
        }

    def short(
        self, asks: list[Ask], leaving: list[Subject] = NOBODY, given_up: list[Subject] = NOBODY
    ) -> dict[Account, int]:
        """Return by how much each account is short if `asks` come, the subjects of `leaving` go, and the holds of
        `given_up` are no claim any more."""
        growth: dict[Account, int] = {}
        absent: dict[Account, int] = {}
        for ask in asks:
            for account, amount in self.standing(ask).items():
                growth[account] = growth.get(account, 0) + amount
            for c, amount in ask.amounts.items():
                for owner in filter(None, (ask.origin, ask.pool)):
                    if (owner, c) not in self.limits and amount:
                        absent[owner, c] = absent.get((owner, c), 0) + amount
        for subject in leaving:
            for account, amount in subject.standing.items():
                growth[account] = growth.get(account, 0) - amount
        kept = {
            account: sum(self.balance(account)) - sum(s.standing.get(account, 0) for s in given_up)
            for account in growth
        }
        over = {
            account: kept[account] + more - limit
            for account, more in growth.items()
            if more > 0 and (limit := self.limits[account]) is not None
        }
        return absent | {account: by for account, by in over.items() if by > 0}


amounts = st.fixed_dictionaries({}, optional={c: st.integers(0, 6) for c in CLASSES})
limits = st.one_of(st.none(), st.integers(0, 12))
departments = st.sampled_from(sorted(PARENTS))
pools = st.sampled_from(POOLS)


class LedgerMachine(RuleBasedStateMachine):
    """Rules are the ledger's verbs; each must do what the model does, or refuse where the model says it is short."""

    sessions: Sessions
    holds = Bundle("holds")
    uses = Bundle("uses")

    def __init__(self) -> None:
        super().__init__()
        self.session: Session = self.sessions()
        self.ids = {name: uuid4() for name in (*PARENTS, *POOLS)}
        self.names = {id: name for name, id in self.ids.items()}
        self.model = Model()
        for pool in POOLS:
            self._set_limit(pool, dict.fromkeys(CLASSES, 15))
        for department in ("left-1", "left-2", "right-1"):
            self._set_limit(department, dict.fromkeys(CLASSES, 10))

    def teardown(self) -> None:
        self.session.rollback()
        self.session.close()

    @rule(owner=st.one_of(departments, pools), resource_class=st.sampled_from(CLASSES), limit=limits)
    def set_limit(self, owner: str, resource_class: str, limit: int | None) -> None:
        self._set_limit(owner, {resource_class: limit})

    @rule(target=holds, origin=departments, amounts=amounts)
    def hold(self, origin: str, amounts: dict[str, int]) -> object:
        return self._come([Ask(origin, None, amounts)], [], self.model.held, ledger.hold)

    @rule(target=uses, origin=departments, pool=pools, amounts=st.lists(amounts, min_size=1, max_size=3))
    def allocate(self, origin: str, pool: str, amounts: list[dict[str, int]]) -> object:
        asks = [Ask(origin, pool, vector) for vector in amounts]
        return self._come(asks, [], self.model.used, ledger.allocate)

    @rule(target=uses, request=holds, pool=pools, same=st.booleans(), others=st.lists(amounts, max_size=2))
    def commit(self, request: UUID, pool: str, same: bool, others: list[dict[str, int]]) -> object:
        held = self.model.held.get(request)
        if held is None:
            return multiple()
        vectors = [held.ask.amounts] if same else others
        asks = [Ask(held.ask.origin, pool, vector) for vector in vectors]
        return self._come(
            asks, [held], self.model.used, lambda session, demands: ledger.commit(session, request, demands)
        )

    @rule(requests=st.lists(consumes(holds), max_size=2, unique=True))
    def void(self, requests: list[UUID]) -> None:
        ledger.void(self.session, requests)
        for request in requests:
            self.model.held.pop(request, None)

    @rule(subject=uses, amounts=amounts)
    def resize(self, subject: UUID, amounts: dict[str, int]) -> None:
        self._settle(subject, lambda ask: Ask(ask.origin, ask.pool, amounts))

    @rule(subject=uses, pool=pools)
    def move_to_pool(self, subject: UUID, pool: str) -> None:
        self._settle(subject, lambda ask: Ask(ask.origin, pool, ask.amounts))

    @rule(subject=uses, origin=departments)
    def transfer(self, subject: UUID, origin: str) -> None:
        self._settle(subject, lambda ask: Ask(origin, ask.pool, ask.amounts))

    @rule(subjects=st.lists(uses, max_size=3, unique=True))
    def release(self, subjects: list[UUID]) -> None:
        ledger.release(self.session, subjects)
        for subject in subjects:
            self.model.used.pop(subject, None)

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        rows = self.session.execute(text('SELECT owner, resource_class, "limit", held, used FROM ledger_accounts'))
        recorded = {(self.names[row.owner], row.resource_class): tuple(row)[2:] for row in rows}
        assert recorded == {a: (limit, *self.model.balance(a)) for a, limit in self.model.limits.items()}

    @invariant()
    def every_balance_is_the_sum_of_its_postings(self) -> None:
        unlike = self.session.execute(
            text(
                "SELECT a.id FROM ledger_accounts a LEFT JOIN ledger_postings p ON p.account_id = a.id GROUP BY a.id"
                " HAVING a.held <> coalesce(sum(p.held), 0) OR a.used <> coalesce(sum(p.used), 0)"
            )
        )
        assert unlike.all() == []

    @invariant()
    def verify_finds_nothing(self) -> None:
        assert list(verify(self.session)) == []

    def _set_limit(self, owner: str, new: dict[str, int | None]) -> None:
        kind = "pool" if owner in POOLS else "department"
        under = () if owner in POOLS else below(owner)
        set_limit(self.session, self.ids[owner], kind, new, [self.ids[d] for d in under])
        for resource_class, limit in new.items():
            account = (owner, resource_class)
            if self.model.limits.get(account) is None and limit is not None:
                for subject in (*self.model.held.values(), *self.model.used.values()):
                    if subject.ask.origin in under and resource_class in subject.ask.amounts:
                        subject.standing[account] = subject.ask.amounts[resource_class]
            self.model.limits[account] = limit

    def _come(
        self,
        asks: list[Ask],
        leaving: list[Subject],
        side: dict[UUID, Subject],
        verb: Callable[[Session, list[Demand]], None],
    ) -> object:
        """Let new subjects come while the holds of `leaving` are given up; return their ids for a bundle."""
        new = [Subject(uuid4(), ask, self.model.standing(ask)) for ask in asks]
        if not self._done(self.model.short(asks, given_up=leaving), lambda: verb(self.session, self._demands(new))):
            return multiple()
        for subject in leaving:
            del self.model.held[subject.id]
        side |= {subject.id: subject for subject in new}
        return multiple(*(subject.id for subject in new))

    def _settle(self, id: UUID, changed: Callable[[Ask], Ask]) -> None:
        subject = self.model.used.get(id)
        if subject is None:
            return
        ask = changed(subject.ask)
        after = Subject(id, ask, self.model.standing(ask))
        if self._done(self.model.short([ask], [subject]), lambda: ledger.settle(self.session, self._demands([after]))):
            self.model.used[id] = after

    def _demands(self, subjects: list[Subject]) -> list[Demand]:
        return [
            Demand(
                s.id,
                self.ids[s.ask.origin],
                s.ask.amounts,
                tuple(self.ids[d] for d in above(s.ask.origin)),
                self.ids[s.ask.pool] if s.ask.pool else None,
            )
            for s in subjects
        ]

    def _done(self, short: dict[Account, int], act: Callable[[], None]) -> bool:
        """Run `act`; it must be refused exactly where the model is short, naming exactly these accounts."""
        if not short:
            act()
            return True
        with pytest.raises(QuotaExceeded) as refused:
            act()
        assert {(self.names[s.owner], s.resource_class): s.short_by for s in refused.value.shortages} == short
        return False


@pytest.fixture
def machine(shared: Sessions) -> Iterator[type[LedgerMachine]]:
    """The machine, with somewhere to run."""
    LedgerMachine.sessions = shared
    yield LedgerMachine
    del LedgerMachine.sessions


def test_the_ledger_does_what_its_model_does_through_any_history(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize="CI" in os.environ,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
