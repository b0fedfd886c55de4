"""The one way in for everything that is allocated: quota, pool, address, record, audit and job in one transaction.

Generic: what an ask means is the kind's to say. Whether somebody has to approve it is settled before, by the services.
Lock order: spread groups, subnets, ledger accounts. The statements go out in a pipeline: only what must be known to go
on is waited for, and all that is written down goes out at once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Error
from psycopg.errors import UniqueViolation
from sqlalchemy.orm import Session

from controlplane import audit, claims, jobs
from controlplane.actor import Actor
from controlplane.ask import Ask, asking
from controlplane.capacity import Look, candidates, looking, with_names
from controlplane.db import new_id
from controlplane.errors import AlreadyExists, Contended, NoPool, Refusal, RowsRefused
from controlplane.kinds import KINDS, Kind
from controlplane.kinds.contract import Placed, Prepared
from controlplane.lookups import Asking
from controlplane.placement import Candidate, choose_pools
from quotas import ledger, wire
from quotas.amounts import QuotaExceeded
from quotas.ledger import Demand
from quotas.pipeline import Reply

_PLACEMENT_TRIES = 5
_PLENTY = 200
_Demanding = tuple[UUID, Prepared]
"""The id that a resource will have, and what it is."""


class _Demanded(NamedTuple):
    """What is to be taken, and whose holds are given up for it."""

    items: Sequence[_Demanding]
    given_up: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Allocated:
    """One resource that was just allocated."""

    id: UUID
    prepared: Prepared
    wanted: dict[str, Any]
    addresses: Mapping[UUID, str]
    pool: Candidate
    version: int = 1


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request that was let through, with all that it allocated in the order of the ask. `at` is when, UTC."""

    id: UUID
    at: datetime
    kind: str
    department: Asking
    resources: list[Allocated]


@dataclass(frozen=True, slots=True)
class Granted:
    """A request that was granted already: what is allocated is recorded as of it, and what it `holds` is given up."""

    id: UUID
    holds: bool


Admit = Callable[[Asking, Sequence[Prepared]], None]
"""Says whether an ask may be carried out at once, by raising what keeps it from that."""


def allocate(
    session: Session, actor: Actor, ask: Ask, admit: Admit | None = None, granted: Granted | None = None
) -> Submitted:
    """Allocate everything that `ask` names and set the workers on it; without `granted` as a request of its own.

    Raises RowsRefused where rows are bad, OverQuota, NoPool, NoAddress, AlreadyExists, or what `admit` raises; then
    nothing is taken.
    """
    with _refusing(session), wire.pipelined(session):
        decided = _decide(session, actor, ask, admit, granted)
        kind, demanding, made = decided.kind, decided.demanding, decided.submitted.resources
        wire.write(
            session,
            decided.posting,
            _recording(decided.submitted, None if granted else actor),
            *([kind.aside(demanding)] if kind.aside else ()),
            claims.taking([(subnet, address, m.id) for m in made for subnet, address in m.addresses.items()]),
            audit.recording(actor, [_said(decided.submitted, m) for m in made]),
            _looks(kind, made, actor.trace),
            refused=partial(_refused, kind, [item for _, item in demanding]),
        )
        return decided.submitted


def rehearse(session: Session, actor: Actor, ask: Ask, admit: Admit | None = None) -> Submitted:
    """Decide all that `allocate` decides, by the same way and under the same locks, and write nothing of it down: for
    asks of so many things that writing them only to roll back takes longer than to decide on them.

    The transaction has to be rolled back: until then nobody else is given what this one was. Raises what `allocate`
    raises, but for a name that another has taken since the look.
    """
    with _refusing(session), wire.pipelined(session):
        return _decide(session, actor, ask, admit, None).submitted


class _Decided(NamedTuple):
    """All that there is to write down; `posting` is the ledger's part of it."""

    kind: Kind
    demanding: Sequence[_Demanding]
    submitted: Submitted
    posting: wire.Write


def _decide(session: Session, actor: Actor, ask: Ask, admit: Admit | None, granted: Granted | None) -> _Decided:
    kind = KINDS[ask.kind]
    asked = asking(session, actor, ask, "resource.create")
    look = Look(kind.name, asked.department, kind.wish(asked.specs))
    seen = looking(session, look)
    department, items = asked.understood()
    if admit:
        admit(department, items)
    _refuse_taken_names(session, department, kind, items)
    demanding = [(new_id(), item) for item in items]
    _lock_spread_groups(session, department, items)
    pools = _choose_pools(session, department, look, demanding, seen)
    addresses = _choose_addresses(session, items)
    given_up = (granted.id,) if granted and granted.holds else ()
    pools, posting = _allocate(session, department, look, _Demanded(demanding, given_up), pools)
    made = [
        Allocated(id_, item, item.wanted(Placed(id_, given)), given, pool)
        for (id_, item), given, pool in zip(demanding, addresses(), pools, strict=True)
    ]
    submitted = Submitted(granted.id if granted else new_id(), department.now, kind.name, department, made)
    return _Decided(kind, demanding, submitted, posting)


@contextmanager
def _refusing(session: Session) -> Iterator[None]:
    """Say what the ledger refuses as people know it; the pipeline is over by then."""
    try:
        yield
    except QuotaExceeded as error:
        raise with_names(session, error, "department") from error


def _refused(kind: Kind, items: Sequence[Prepared], error: Error) -> Exception:
    """Say what the unique names refuse as people know it."""
    taken = {"uq_resources_live_name", *kind.duplicates}
    if not isinstance(error, UniqueViolation) or error.diag.constraint_name not in taken:
        return error
    return AlreadyExists(noun=kind.name, name=", ".join(item.name for item in items[:5]))


def _looks(kind: Kind, made: Sequence[Allocated], trace: str | None) -> wire.Write:
    """Return what has workers look at what was made, or at the pools of it."""
    if kind.batched:
        return jobs.enqueuing_pools({m.pool.id for m in made}, trace)
    return jobs.enqueuing([m.id for m in made], trace)


def keep(session: Session, department: Asking, items: Sequence[Prepared]) -> None:
    """Lock, in their order, what `allocate` locks before the ledger's accounts: for a caller that is to change limits
    in between, which locks these."""
    _lock_spread_groups(session, department, items)
    _choose_addresses(session, items)()


def _refuse_taken_names(session: Session, department: Asking, kind: Kind, items: Sequence[Prepared]) -> None:
    """Say which names of many are taken. Of one, the unique index tells when it is written."""
    if len(items) == 1:
        return
    names = [item.name for item in items]
    of = {"department": department.id, "kind": kind.name, "names": wire.rows(names)}
    # A plan that was made while there was little reads all of a kind for each name: a fresh one costs less than that.
    wire.run(session, _PLANS, {"mode": "force_custom_plan"})
    taken = wire.run(session, _TAKEN_NAMES, of)
    wire.run(session, _PLANS, {"mode": "force_generic_plan"})
    seen = {name for (name,) in taken}
    problems: list[tuple[int, Refusal]] = []
    for row, name in enumerate(names):
        if name in seen:
            problems.append((row, AlreadyExists(noun=kind.name, name=name)))
        seen.add(name)
    if problems:
        raise RowsRefused(problems)


def _lock_spread_groups(session: Session, department: Asking, items: Sequence[Prepared]) -> None:
    """Members of one group must see each other's pools, so asks for the same group go one after the other."""
    for group in sorted({item.need.spread_group for item in items if item.need.spread_group}):
        wire.run(session, _LOCK_GROUP, {"group": f"{department.id}/{group}"})


def _choose_addresses(session: Session, items: Sequence[Prepared]) -> Callable[[], list[dict[UUID, str]]]:
    """Return what gives each item's addresses by subnet, once the answer is there."""
    counts: dict[UUID, int] = defaultdict(int)
    for item in items:
        for subnet in item.subnets:
            counts[subnet] += 1
    chosen = claims.choose(session, counts)

    def deal_out() -> list[dict[UUID, str]]:
        free = {subnet: iter(addresses) for subnet, addresses in chosen().items()}
        return [{subnet: next(free[subnet]) for subnet in item.subnets} for item in items]

    return deal_out


def _choose_pools(
    session: Session, department: Asking, look: Look, demanding: Sequence[_Demanding], seen: Reply
) -> list[Candidate]:
    """Choose among the pools that were seen, which could take the least of the needs; only where that fails look at
    all, to say why.

    What runs short is told of the department first: a full pool is no news to one whose quota is spent.
    """
    needs = [item.need for _, item in demanding]
    groups = {need.spread_group for need in needs if need.spread_group}
    try:
        return choose_pools(candidates(session, seen, department.id, groups), needs)
    except NoPool:
        pass
    every = looking(session, replace(look, wish=None))
    try:
        return choose_pools(candidates(session, every, department.id, groups), needs)
    except NoPool:
        ledger.hold(session, [_demand(department, id_, item) for id_, item in demanding])
        raise


def _allocate(
    session: Session,
    department: Asking,
    look: Look,
    demanded: _Demanded,
    pools: list[Candidate],
) -> tuple[list[Candidate], wire.Write]:
    """Lock what is demanded and return the pools that can take it, and what writes that down. Where one filled up since
    the look, look again."""
    demanding = demanded.items
    for tried in range(1, _PLACEMENT_TRIES + 1):
        demands = [_demand(department, id_, item, pool) for (id_, item), pool in zip(demanding, pools, strict=True)]
        may_fill_up = _may_fill_up(demanding, pools)
        if may_fill_up:
            wire.run(session, "SAVEPOINT before_allocation")
        try:
            posting = ledger.allocating(session, demands, demanded.given_up)
        except QuotaExceeded as error:
            if any(s.owner_kind == "department" for s in error.shortages):
                raise
            if not may_fill_up:
                raise Contended(times=tried) from error
            # Not even the locks stay: the next choice takes others, maybe before these in their order.
            wire.run(session, "ROLLBACK TO SAVEPOINT before_allocation")
            pools = _choose_pools(session, department, look, demanding, looking(session, look))
        else:
            return pools, posting
    raise Contended(times=_PLACEMENT_TRIES)


def _may_fill_up(demanding: Sequence[_Demanding], pools: Sequence[Candidate]) -> bool:
    """Tell whether the pool could be full by the time that it is locked. One with room for hundreds will not be."""
    if len(demanding) > 1:
        return True
    [(_, item)], [pool] = demanding, pools
    return any(pool.free[c] < _PLENTY * amount for c, amount in item.demand.items())


def _demand(department: Asking, subject: UUID, item: Prepared, pool: Candidate | None = None) -> Demand:
    above = tuple(d for d in department.lineage if d != department.id)
    return Demand(subject, department.id, item.demand, above, pool.id if pool else None)


def _recording(submitted: Submitted, asked_by: Actor | None) -> wire.Write:
    """Return what records resources; and the ask, where nobody had to decide on it, as a request that is under way."""
    resources = [
        (
            *(a.id, a.prepared.name, a.prepared.system_id, a.pool.id, a.prepared.need.spread_group),
            *(a.prepared.spec, a.wanted, a.prepared.demand, a.prepared.lease_until),
        )
        for a in submitted.resources
    ]
    recording, made = _RECORDED.rows(resources)
    of = {"request": submitted.id, "kind": submitted.kind, "department": submitted.department.id}
    if asked_by is None:
        return wire.Write(recording, {**of, **made})
    items = [{"do": "create", "kind": submitted.kind, "spec": a.prepared.spec} for a in submitted.resources]
    asked = {"asked_by": asked_by.id, "asked_by_name": asked_by.name, "asked_for": asked_by.user}
    return wire.Write((*recording, *_REQUESTED), {**of, **made, **asked, "items": wire.rows(items)})


def _said(submitted: Submitted, made: Allocated) -> audit.Act:
    details = {"request": str(submitted.id), "pool": str(made.pool.id), "demand": dict(made.prepared.demand)}
    name = made.prepared.name
    return audit.Act(f"{submitted.kind}.create", submitted.kind, made.id, name, submitted.department.id, details)


# OFFSET 0 has the planner look each name up; it would rather read all that the department has.
_TAKEN_NAMES = """
    SELECT asked.name FROM json_array_elements_text(%(names)s::json) asked(name)
    WHERE EXISTS (
        SELECT FROM resources r
        WHERE r.department_id = %(department)s AND r.kind = %(kind)s AND r.deleted_at IS NULL
        AND r.name = asked.name OFFSET 0
    )
"""

_PLANS = "SELECT set_config('plan_cache_mode', %(mode)s, true)"

_LOCK_GROUP = "SELECT pg_advisory_xact_lock(hashtextextended(%(group)s, 0))"

_RECORDED = wire.Taking(
    "made",
    (
        *(("id", "uuid"), ("name", "text"), ("system", "uuid"), ("pool", "uuid"), ("spread_group", "text")),
        *(("spec", "jsonb"), ("wanted", "jsonb"), ("demand", "jsonb"), ("lease_until", "timestamptz")),
    ),
    (
        (
            "recorded",
            """
            INSERT INTO resources (kind, department_id, request_id, state, desired, generation, observed_generation,
                                   version, id, name, system_id, pool_id, spread_group, spec, wanted, demand,
                                   lease_until)
            SELECT %(kind)s, %(department)s, %(request)s, 'building', 'present', 1, 0, 1, made.* FROM {made}
            """,
        ),
    ),
)

_REQUESTED: wire.Parts = (
    (
        "requested",
        """
        INSERT INTO requests (id, kind, department_id, state, items, asked_by, asked_by_name, asked_for, version)
        SELECT %(request)s, %(kind)s, %(department)s, 'fulfilling', %(items)s::jsonb,
               %(asked_by)s, %(asked_by_name)s, %(asked_for)s, 1
        """,
    ),
)
