"""Choosing a pool: ordered filters, then weighers. Pure: what it is told is all it knows.

The order of the filters is the order of the explanation: each says how many pools it removed of those that the
ones before it left.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from typing import NamedTuple
from uuid import UUID

from controlplane.errors import NoPool


class Candidate(NamedTuple):
    """A pool as placement sees it. `free` holds what is left of each class, None where there is no limit.

    `limit` is the capacity that `free` is a part of; a class that is in neither is one that the pool does not have.
    `groups` are the spread groups that have a member here; `spreads`: it has many hosts, and keeps the members of a
    group on different ones by itself.
    """

    id: UUID
    code: str
    site: UUID
    mlps_level: int
    accepting: bool
    free: Mapping[str, int | None]
    limit: Mapping[str, int | None]
    groups: frozenset[str] = frozenset()
    spreads: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What one resource needs of its pool. `site` None: anywhere; `within` None: any pool, else one of these."""

    name: str
    amounts: Mapping[str, int]
    mlps_level: int
    site: UUID | None = None
    spread_group: str | None = None
    within: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What asks say of the pools that they need before what they name was looked up: codes of their systems and subnets
    (none: any level, any site), and the least that each of them takes of a class."""

    systems: frozenset[str] = frozenset()
    subnets: frozenset[str] = frozenset()
    amounts: Mapping[str, int] = field(default_factory=dict)


def _has_room(pool: Candidate, need: Need) -> bool:
    for resource_class, amount in need.amounts.items():
        free = pool.free.get(resource_class, -1)
        if free is not None and amount > free:
            return False
    return True


Filter = Callable[[Candidate, Need], bool]
FILTERS: tuple[tuple[str, Filter], ...] = (
    ("accepting", lambda pool, need: pool.accepting),
    ("site", lambda pool, need: need.site is None or pool.site == need.site),
    ("within", lambda pool, need: need.within is None or pool.id in need.within),
    ("mlps_level", lambda pool, need: need.mlps_level <= pool.mlps_level),
    ("anti_affinity", lambda pool, need: pool.spreads or need.spread_group not in pool.groups),
    ("capacity", _has_room),
)


def _scarcest_left(pool: Candidate, need: Need) -> float:
    """Return the share (0 to 1) that would be left of the class that runs out first."""
    scarcest = 1.0
    for resource_class, amount in need.amounts.items():
        free, limit = pool.free[resource_class], pool.limit[resource_class]
        if free is not None and limit:
            scarcest = min(scarcest, (free - amount) / limit)
    return scarcest


Weigher = Callable[[Candidate, Need], float]
WEIGHERS: tuple[tuple[str, float, Weigher], ...] = (
    ("level_match", 2.0, lambda pool, need: -float(pool.mlps_level - need.mlps_level)),
    ("spread", 1.0, _scarcest_left),
)
"""Name, weight, and a figure of which more is better: pools of a high level are kept for those that need it."""
ALIKE = 0.02
"""Pools whose weights differ by less are as good as each other."""
_UNFIT = -inf


def choose_pool(pools: Sequence[Candidate], need: Need) -> Candidate:
    """Return the best pool for `need`. Raises NoPool, which says what each filter removed.

    Of pools that are alike, the name of the ask picks one: many who ask at once see the same figures, and would all
    wait for the one that is a little better. The same ask picks the same pool, so that a dry run tells the truth.
    """
    return choose_pools(pools, [need])[0]


def choose_pools(pools: Iterable[Candidate], needs: Sequence[Need]) -> list[Candidate]:
    """Choose for each need in turn, as if those before it were already there. Raises NoPool."""
    state = sorted(pools, key=lambda pool: pool.code)
    by_shape: dict[_Shape, list[float | None]] = {}
    chosen = []
    for need in needs:
        known = by_shape.setdefault(_shape(need), [None] * len(state))
        weights = [_weight(state[n], need) if weight is None else weight for n, weight in enumerate(known)]
        known[:] = weights
        number = _pick(state, weights, need)
        chosen.append(state[number])
        state[number] = _taken(state[number], need)
        # Only what changed is weighed again: most of many asks are of a few shapes.
        for of_shape in by_shape.values():
            of_shape[number] = None
    return chosen


_Shape = tuple[frozenset[tuple[str, int]], int, UUID | None, str | None, frozenset[UUID] | None]


def _shape(need: Need) -> _Shape:
    """Return all of a need that filters and weighers look at."""
    return frozenset(need.amounts.items()), need.mlps_level, need.site, need.spread_group, need.within


def _pick(pools: Sequence[Candidate], weights: Sequence[float], need: Need) -> int:
    best = max(weights, default=_UNFIT)
    if best == _UNFIT:
        raise NoPool(need.name, len(pools), _removed(pools, need))
    alike = [number for number, weight in enumerate(weights) if weight > best - ALIKE]
    return alike[int.from_bytes(blake2b(need.name.encode(), digest_size=8).digest(), "big") % len(alike)]


def _removed(pools: Sequence[Candidate], need: Need) -> list[tuple[str, int]]:
    """Return how many each filter removes of those that the ones before it left."""
    removed = []
    for name, keeps in FILTERS:
        passed = [pool for pool in pools if keeps(pool, need)]
        removed.append((name, len(pools) - len(passed)))
        pools = passed
    return removed


def _weight(pool: Candidate, need: Need) -> float:
    for _, keeps in FILTERS:
        if not keeps(pool, need):
            return _UNFIT
    total = 0.0
    for _, weight, figure in WEIGHERS:
        total += weight * figure(pool, need)
    return total


def _taken(pool: Candidate, need: Need) -> Candidate:
    free = {c: None if left is None else left - need.amounts.get(c, 0) for c, left in pool.free.items()}
    groups = pool.groups | {need.spread_group} if need.spread_group else pool.groups
    return pool._replace(free=free, groups=groups)
