"""Choosing a pool: ordered filters, then weighers. Pure: what it is told is all it knows.

The order of the filters is the order of the explanation: each says how many pools it removed of those that the
ones before it left.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import repeat
from math import inf
from operator import attrgetter, le, sub, truediv
from typing import NamedTuple
from uuid import UUID

from controlplane.errors import NoPool

UNLIMITED = 2**63 - 1
"""More than any pool has of a class: what one without a limit has, and has left."""


class Candidate(NamedTuple):
    """A pool as placement sees it. `free` holds what is left of each class.

    `limit` is the capacity that `free` is a part of, 1 at least; a class that is in neither is one that the pool does
    not have.
    `groups` are the spread groups that have a member here; `spreads`: it has many hosts, and keeps the members of a
    group on different ones by itself. `floats`: its machines can have floating addresses.
    """

    id: UUID
    code: str
    site: UUID
    mlps_level: int
    accepting: bool
    free: Mapping[str, int]
    limit: Mapping[str, int]
    groups: frozenset[str] = frozenset()
    spreads: bool = False
    floats: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What one resource needs of its pool. `site` None: anywhere; `within` None: any pool, else one of these.
    `floating`: one whose machines can have floating addresses."""

    name: str
    amounts: Mapping[str, int]
    mlps_level: int
    site: UUID | None = None
    spread_group: str | None = None
    within: frozenset[UUID] | None = None
    floating: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What asks say of the pools that they need before what they name was looked up: codes of their systems and subnets
    (none: any level, any site), and the least that each of them takes of a class."""

    systems: frozenset[str] = frozenset()
    subnets: frozenset[str] = frozenset()
    amounts: Mapping[str, int] = field(default_factory=dict)


# Each ask looks at every pool: what goes over classes is left to C.
def _has_room(pool: Candidate, need: Need) -> bool:
    return all(map(le, need.amounts.values(), map(pool.free.get, need.amounts, repeat(-1))))


def _scarcest_left(pool: Candidate, need: Need) -> float:
    """Return the share (0 to 1) that would be left of the class that runs out first."""
    classes = need.amounts
    left = map(sub, map(pool.free.__getitem__, classes), classes.values())
    shares: Iterable[float] = map(truediv, left, map(pool.limit.__getitem__, classes))
    return min((1.0, *shares))


Filter = Callable[[Candidate, Need], bool]
FILTERS: tuple[tuple[str, Callable[[Need], bool], Filter], ...] = (
    ("accepting", lambda need: True, lambda pool, need: pool.accepting),
    ("site", lambda need: need.site is not None, lambda pool, need: pool.site == need.site),
    ("within", lambda need: need.within is not None, lambda pool, need: pool.id in (need.within or ())),
    ("floating", lambda need: need.floating, lambda pool, need: pool.floats),
    ("mlps_level", lambda need: True, lambda pool, need: need.mlps_level <= pool.mlps_level),
    (
        "anti_affinity",
        lambda need: need.spread_group is not None,
        lambda pool, need: pool.spreads or need.spread_group not in pool.groups,
    ),
    ("capacity", lambda need: True, _has_room),
)
"""Name, whether a need asks for anything of the kind, and whether a pool can stay."""


Weigher = Callable[[Candidate, Need], float]
WEIGHERS: tuple[tuple[str, float, Weigher], ...] = (
    ("level_match", 2.0, lambda pool, need: -float(pool.mlps_level - need.mlps_level)),
    ("spread", 1.0, _scarcest_left),
)
"""Name, weight, and a figure of which more is better: pools of a high level are kept for those that need it."""
ALIKE = 0.02
"""Pools whose weights differ by less are as good as each other."""
_UNFIT = -inf
_BY_CODE = attrgetter("code")


def choose_pool(pools: Sequence[Candidate], need: Need) -> Candidate:
    """Return the best pool for `need`. Raises NoPool, which says what each filter removed.

    Of pools that are alike, the name of the ask picks one: many who ask at once see the same figures, and would all
    wait for the one that is a little better. The same ask picks the same pool, so that a dry run tells the truth.
    """
    return choose_pools(pools, [need])[0]


def choose_pools(pools: Iterable[Candidate], needs: Sequence[Need]) -> list[Candidate]:
    """Choose for each need in turn, as if those before it were already there. Raises NoPool."""
    state = sorted(pools, key=_BY_CODE)
    by_shape: dict[_Shape, list[float | None]] = {}
    chosen = []
    for need in needs:
        known = by_shape.setdefault(_shape(need), [None] * len(state))
        filters = [keeps for _, asks, keeps in FILTERS if asks(need)]
        weights = [_weight(state[n], need, filters) if weight is None else weight for n, weight in enumerate(known)]
        known[:] = weights
        number = _pick(state, weights, need)
        chosen.append(state[number])
        state[number] = _taken(state[number], need)
        # Only what changed is weighed again: most of many asks are of a few shapes.
        for of_shape in by_shape.values():
            of_shape[number] = None
    return chosen


_Shape = tuple[frozenset[tuple[str, int]], int, UUID | None, str | None, frozenset[UUID] | None, bool]


def _shape(need: Need) -> _Shape:
    """Return all of a need that filters and weighers look at."""
    amounts = frozenset(need.amounts.items())
    return amounts, need.mlps_level, need.site, need.spread_group, need.within, need.floating


def _pick(pools: Sequence[Candidate], weights: Sequence[float], need: Need) -> int:
    best = max(weights, default=_UNFIT)
    if best == _UNFIT:
        raise NoPool(need.name, len(pools), _removed(pools, need))
    alike = [number for number, weight in enumerate(weights) if weight > best - ALIKE]
    return alike[int.from_bytes(blake2b(need.name.encode(), digest_size=8).digest(), "big") % len(alike)]


def _removed(pools: Sequence[Candidate], need: Need) -> list[tuple[str, int]]:
    """Return how many each filter removes of those that the ones before it left."""
    removed = []
    for name, asks, keeps in FILTERS:
        passed = [pool for pool in pools if keeps(pool, need)] if asks(need) else pools
        removed.append((name, len(pools) - len(passed)))
        pools = passed
    return removed


def _weight(pool: Candidate, need: Need, filters: Iterable[Filter]) -> float:
    for keeps in filters:
        if not keeps(pool, need):
            return _UNFIT
    total = 0.0
    for _, weight, figure in WEIGHERS:
        total += weight * figure(pool, need)
    return total


def _taken(pool: Candidate, need: Need) -> Candidate:
    free = {c: left - need.amounts.get(c, 0) for c, left in pool.free.items()}
    groups = pool.groups | {need.spread_group} if need.spread_group else pool.groups
    return pool._replace(free=free, groups=groups)
