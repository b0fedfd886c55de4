"""The ledger's verbs, in the caller's session: hold, commit, void, settle, release, and limits.

Every movement goes through `_post`: lock the accounts in id order, see whether each still fits, then write the
postings and the balances in one statement. What a subject holds is known from its own postings, so giving back
never depends on someone remembering what was taken: `settle` says what a subject should hold and posts the difference.

Lock order: account ids ascending, all in one statement. A caller that also locks rows of its own does so before.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from quotas import wire
from quotas.amounts import Amounts, QuotaExceeded, Shortage

Side = Literal["held", "used"]
PostingKind = Literal["hold", "commit", "void", "release", "adjust"]


@dataclass(frozen=True, slots=True)
class Demand:
    """What `subject` (a resource or a request) is to hold.

    `origin` is the department that asks: its account must exist. `above` are its ancestors, which count only where
    they have a limit. `pool` is where it comes from, None while that is not chosen.
    """

    subject: UUID
    origin: UUID
    amounts: Amounts
    above: tuple[UUID, ...] = ()
    pool: UUID | None = None


class _Account(NamedTuple):
    id: int
    owner: UUID
    owner_kind: str
    resource_class: str
    limit: int | None
    held: int
    used: int


class _Movement(NamedTuple):
    account: int
    subject: UUID
    origin: UUID
    kind: PostingKind
    held: int
    used: int


class _Wanted(NamedTuple):
    subject: UUID
    account: int
    amount: int
    origin: UUID


_Balances = Mapping[tuple[UUID, int], tuple[int, int, UUID]]
_NOTHING = (0, 0, None)


def hold(session: Session, demands: Sequence[Demand]) -> None:
    """Reserve new demands on the departments' accounts. Raises QuotaExceeded, naming every account that is short."""
    wire.write(session, _settling(session, demands, "held"))


def allocate(session: Session, demands: Sequence[Demand]) -> None:
    """Take new demands into use, on departments and pools. Raises QuotaExceeded; then nothing was posted."""
    wire.write(session, allocating(session, demands))


def allocating(session: Session, demands: Sequence[Demand], given_up: Sequence[UUID] = ()) -> wire.Write:
    """Lock what new demands take, on departments and pools; return what writes it down, and gives up the holds of
    `given_up`. Raises QuotaExceeded.

    The write must go out in the same transaction: until then nothing is taken, and nobody else can take it.
    """
    return _settling(session, demands, "used", void=given_up)


def commit(session: Session, held_by: UUID, demands: Sequence[Demand]) -> None:
    """Turn the hold of `held_by` into the use of `demands` in one step. Raises QuotaExceeded; the hold then stands.

    A hold keeps others out, and is no claim against a limit that was lowered since.
    """
    wire.write(session, allocating(session, demands, (held_by,)))


def void(session: Session, subjects: Sequence[UUID]) -> None:
    """Give up what `subjects` hold. Nothing held is no error."""
    _give_back(session, subjects, "void", "held")


def settle(session: Session, demands: Sequence[Demand]) -> None:
    """Make each subject use exactly its demand, posting only the difference. Raises QuotaExceeded where it grows."""
    wire.write(session, _settling(session, demands, "used", known=[d.subject for d in demands]))


def grow(session: Session, demands: Sequence[Demand]) -> None:
    """Make each subject use at least its demand; what it has beyond that stays. Raises QuotaExceeded."""
    wire.write(session, _settling(session, demands, "used", known=[d.subject for d in demands], shrink=False))


def release(session: Session, subjects: Sequence[UUID]) -> None:
    """Give back everything that `subjects` use. Nothing used is no error."""
    _give_back(session, subjects, "release", "used")


def _settling(
    session: Session,
    demands: Sequence[Demand],
    side: Side,
    known: Sequence[UUID] = (),
    void: Sequence[UUID] = (),
    *,
    shrink: bool = True,
) -> wire.Write:
    """Return what posts what brings each demand's subject to its demand and gives up the holds of `void`.

    `known` are the subjects that may have something already; the others come new.
    """
    locked = _lock(session, demands, (*known, *void))
    present = _balances(session, known)
    wanted, absent = _wanted(demands, locked)
    # A subject that changes departments leaves as one of the old and comes as one of the new, on every account.
    origins = {(w.subject, w.account): w.origin for w in wanted} if present else {}
    stays = {key: value for key, value in present.items() if origins.get(key) == value[2]}
    movements = _given_back(_balances(session, void), "void", "held")
    if shrink:
        movements += _given_back({key: value for key, value in present.items() if key not in stays}, "release", side)
    grown: PostingKind = "hold" if side == "held" else "commit"
    seen = {subject for subject, _ in present}
    for subject, account, amount, origin in wanted:
        held, used, _ = stays.get((subject, account), _NOTHING) if stays else _NOTHING
        change = amount - (held if side == "held" else used)
        if change > 0 or (change and shrink):
            kind: PostingKind = grown if not seen or subject not in seen else ("adjust" if amount else "release")
            movements.append(_movement(account, subject, origin, kind, side, change))
    return _posting(movements, locked, absent)


def _wanted(demands: Sequence[Demand], locked: Mapping[int, _Account]) -> tuple[list[_Wanted], list[Shortage]]:
    """Return what the demands want of each account that they touch, and what is missing.

    A department or a pool without an account for the class admits nothing; an ancestor without one does not limit.
    """
    accounts: dict[UUID, dict[str, _Account]] = defaultdict(dict)
    for account in locked.values():
        accounts[account.owner][account.resource_class] = account
    wanted: list[_Wanted] = []
    absent: dict[tuple[UUID, str, str], int] = defaultdict(int)
    for demand in demands:
        for owner, required in _touched(demand):
            of_owner = accounts.get(owner, {})
            for resource_class, amount in demand.amounts.items():
                found = of_owner.get(resource_class)
                if found is None:
                    if required and amount:
                        absent[(owner, required, resource_class)] += amount
                elif required or found.limit is not None:
                    wanted.append(_Wanted(demand.subject, found.id, amount, demand.origin))
    return wanted, [Shortage(*name, limit=0, used=0, held=0, asked=asked) for name, asked in absent.items()]


def _touched(demand: Demand) -> list[tuple[UUID, str]]:
    """Return the owners of the accounts that a demand goes to, with what each is where its account is required."""
    touched = [(owner, "") for owner in demand.above if owner != demand.origin]
    return [(demand.origin, "department"), *([(demand.pool, "pool")] if demand.pool else ()), *touched]


def _lock(session: Session, demands: Sequence[Demand], subjects: Sequence[UUID]) -> dict[int, _Account]:
    """Lock, in id order, every account that the demands may touch and those on which `subjects` have postings.

    What subjects have must be read after this, not before: until their accounts are locked, another may give it back,
    and an ancestor may get its first limit and with it a share of what they have.
    """
    if not demands and not subjects:
        return {}
    classes: dict[tuple[UUID, str], set[str]] = defaultdict(set)
    for demand in demands:
        for touched in _touched(demand):
            classes[touched].update(demand.amounts)
    names = [(owner, c, bool(required)) for (owner, required), of_owner in classes.items() for c in of_owner]
    owners, named, required = zip(*names, strict=True) if names else ((), (), ())
    wanted = {"owners": wire.ids(owners), "classes": wire.plain(named), "required": wire.plain(required)}
    if subjects:
        found = wire.run(session, _LOCK_OF_SUBJECTS, {**wanted, "subjects": wire.ids(subjects)})
    else:
        found = wire.run(session, _LOCK, wanted)
    return {row[0]: _Account(*row) for row in found}


def _balances(session: Session, subjects: Sequence[UUID]) -> _Balances:
    """Return (subject, account id) -> (held, used, origin) for all that `subjects` hold or use now."""
    if not subjects:
        return {}
    rows = wire.run(session, _HAVE, {"subjects": wire.ids(subjects)})
    return {
        (subject, account): (int(held), int(used), origin)
        for subject, account, held, used, origin in rows
        if held or used
    }


def _movement(account: int, subject: UUID, origin: UUID, kind: PostingKind, side: Side, change: int) -> _Movement:
    held, used = (change, 0) if side == "held" else (0, change)
    return _Movement(account, subject, origin, kind, held, used)


def _given_back(present: _Balances, kind: PostingKind, side: Side) -> list[_Movement]:
    amounts = {key: held if side == "held" else used for key, (held, used, _) in present.items()}
    return [
        _movement(account, subject, present[subject, account][2], kind, side, -amount)
        for (subject, account), amount in amounts.items()
        if amount
    ]


def _give_back(session: Session, subjects: Sequence[UUID], kind: PostingKind, side: Side) -> None:
    locked = _lock(session, (), subjects)
    wire.write(session, _posting(_given_back(_balances(session, subjects), kind, side), locked))


def _posting(
    movements: Sequence[_Movement], locked: Mapping[int, _Account], absent: Sequence[Shortage] = ()
) -> wire.Write:
    """See whether every account is there and still fits; return what writes postings and balances.

    Raises QuotaExceeded.
    """
    net: dict[int, tuple[int, int]] = {}
    given_up: dict[int, int] = defaultdict(int)
    for m in movements:
        held, used = net.get(m.account, (0, 0))
        net[m.account] = (held + m.held, used + m.used)
        if m.kind == "void":
            given_up[m.account] += m.held
    shortages = [*absent] + [
        Shortage(a.owner, a.owner_kind, a.resource_class, a.limit, a.used, a.held + void, grows)
        for a, void, grows in (
            (locked[account], given_up[account], sum(change) - given_up[account]) for account, change in net.items()
        )
        if a.limit is not None and grows > 0 and a.used + a.held + void + grows > a.limit
    ]
    if shortages:
        raise QuotaExceeded(shortages)
    if not movements:
        return wire.Write((), {})
    by_held, by_used = map(wire.plain, zip(*net.values(), strict=True))
    moved = {"moved": wire.plain(net), "by_held": by_held, "by_used": by_used}
    subject, origin, kind = of = (movements[0].subject, movements[0].origin, movements[0].kind)
    if len(net) == len(movements) and all((m.subject, m.origin, m.kind) == of for m in movements):
        return wire.Write((_MOVED, _POSTED_ALIKE), {**moved, "subject": subject, "origin": origin, "posting": kind})
    posted = {
        name: as_array(column) for (name, as_array), column in zip(_COLUMNS, zip(*movements, strict=True), strict=True)
    }
    return wire.Write((_MOVED, _POSTED), {**moved, **posted})


# An ancestor without a limit is not locked: that row would be everybody's bottleneck. OFFSET 0 has the
# planner look each account up; it would rather read them all.
_TOUCHED = """
    SELECT a.id
    FROM unnest(%(owners)s::uuid[], %(classes)s::text[], %(required)s::bool[]) w(owner, class, required)
    CROSS JOIN LATERAL (
        SELECT id, "limit" FROM ledger_accounts WHERE owner = w.owner AND resource_class = w.class OFFSET 0
    ) a
    WHERE w.required OR a."limit" IS NOT NULL
"""
_LOCKED = """
    SELECT id, owner, owner_kind, resource_class, "limit", held, used FROM ledger_accounts
    WHERE id = ANY(ARRAY({}))
    ORDER BY id FOR UPDATE
"""
_POSTED_TO = "UNION SELECT account_id FROM ledger_postings WHERE subject = ANY(%(subjects)s::uuid[])"
# What is new has no postings: to look for some takes as long as all the rest.
_LOCK = _LOCKED.format(_TOUCHED)
_LOCK_OF_SUBJECTS = _LOCKED.format(_TOUCHED + _POSTED_TO)

_HAVE = """
    SELECT subject, account_id, sum(held), sum(used), origin FROM ledger_postings
    WHERE subject = ANY(%(subjects)s::uuid[])
    GROUP BY subject, account_id, origin
"""

_COLUMNS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("accounts", wire.plain),
    ("subjects", wire.ids),
    ("origins", wire.ids),
    ("kinds", wire.plain),
    ("held", wire.plain),
    ("used", wire.plain),
)
# `moved` is named once more for the planner, which then looks each account up instead of reading all.
_MOVED = (
    "moved",
    """
    UPDATE ledger_accounts a SET held = a.held + b.held, used = a.used + b.used
    FROM unnest(%(moved)s::bigint[], %(by_held)s::bigint[], %(by_used)s::bigint[]) b(account, held, used)
    WHERE a.id = b.account AND a.id = ANY(%(moved)s::bigint[])
    """,
)
_POSTED = (
    "posted",
    """
    INSERT INTO ledger_postings (account_id, subject, origin, kind, held, used)
    SELECT * FROM unnest(%(accounts)s::bigint[], %(subjects)s::uuid[], %(origins)s::uuid[], %(kinds)s::text[],
                         %(held)s::bigint[], %(used)s::bigint[])
    """,
)
# One subject's postings of a kind, one an account, are what moves: most asks are such, and spare the server six arrays.
_POSTED_ALIKE = (
    "posted",
    """
    INSERT INTO ledger_postings (account_id, subject, origin, kind, held, used)
    SELECT account, %(subject)s, %(origin)s, %(posting)s, held, used
    FROM unnest(%(moved)s::bigint[], %(by_held)s::bigint[], %(by_used)s::bigint[]) b(account, held, used)
    """,
)
