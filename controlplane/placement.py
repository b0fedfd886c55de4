"""Choosing a pool: ordered filters, then weighers. Pure: what it is told is all it knows.

The order of the filters is the order of the explanation: each says how many pools it removed of those that the
ones before it left.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from uuid import UUID

from controlplane.errors import NoPool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pool as placement sees it. `free` holds what is left of each class, None where there is no limit.

    `limit` is the capacity that `free` is a part of; a class that is in neither is one that the pool does not have.
    `groups` are the spread groups that have a member here.
    """

    id: UUID
    code: str
    site: UUID
    mlps_level: int
    accepting: bool
    free: Mapping[str, int | None]
    limit: Mapping[str, int | None]
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Need:
    """What one resource needs of its pool. `site` None: anywhere."""

    name: str
    amounts: Mapping[str, int]
    mlps_level: int
    site: UUID | None = None
    spread_group: str | None = None


def _has_room(pool: Candidate, need: Need) -> bool:
    return all(c in pool.free and _fits(pool.free[c], amount) for c, amount in need.amounts.items())


def _fits(free: int | None, amount: int) -> bool:
    return free is None or amount <= free


Filter = Callable[[Candidate, Need], bool]
FILTERS: tuple[tuple[str, Filter], ...] = (
    ("accepting", lambda pool, need: pool.accepting),
    ("site", lambda pool, need: need.site is None or pool.site == need.site),
    ("mlps_level", lambda pool, need: need.mlps_level <= pool.mlps_level),
    ("anti_affinity", lambda pool, need: need.spread_group is None or need.spread_group not in pool.groups),
    ("capacity", _has_room),
)


def _scarcest_left(pool: Candidate, need: Need) -> float:
    """Return the share (0 to 1) that would be left of the class that runs out first."""
    shares = []
    for resource_class, amount in need.amounts.items():
        free, limit = pool.free[resource_class], pool.limit[resource_class]
        if free is not None and limit:
            shares.append((free - amount) / limit)
    return min(shares, default=1.0)


Weigher = Callable[[Candidate, Need], float]
WEIGHERS: tuple[tuple[str, float, Weigher], ...] = (
    ("level_match", 2.0, lambda pool, need: -float(pool.mlps_level - need.mlps_level)),
    ("spread", 1.0, _scarcest_left),
)
"""Name, weight, and a figure of which more is better: pools of a high level are kept for those that need it."""
ALIKE = 0.02
"""Pools whose weights differ by less are as good as each other."""


def choose_pool(pools: Sequence[Candidate], need: Need) -> Candidate:
    """Return the best pool for `need`. Raises NoPool, which says what each filter removed.

    Of pools that are alike, the name of the ask picks one: many who ask at once see the same figures, and would all
    wait for the one that is a little better. The same ask picks the same pool, so that a dry run tells the truth.
    """
    return choose_pools(pools, [need])[0]


def choose_pools(pools: Iterable[Candidate], needs: Sequence[Need]) -> list[Candidate]:
    """Choose for each need in turn, as if those before it were already there. Raises NoPool."""
    state = {pool.id: pool for pool in pools}
    weights: dict[_Shape, dict[UUID, float | None]] = defaultdict(dict)
    chosen = []
    for need in needs:
        known = weights[_shape(need)]
        for id_, pool in state.items():
            if id_ not in known:
                known[id_] = _weight(pool, need) if all(keeps(pool, need) for _, keeps in FILTERS) else None
        pool = _pick(state, known, need)
        chosen.append(pool)
        state[pool.id] = _taken(pool, need)
        # Only what changed is weighed again: most of many asks are of a few shapes.
        for of_shape in weights.values():
            of_shape.pop(pool.id, None)
    return chosen


_Shape = tuple[frozenset[tuple[str, int]], int, UUID | None, str | None]


def _shape(need: Need) -> _Shape:
    """Return all of a need that filters and weighers look at."""
    return frozenset(need.amounts.items()), need.mlps_level, need.site, need.spread_group


def _pick(pools: Mapping[UUID, Candidate], weights: Mapping[UUID, float | None], need: Need) -> Candidate:
    fit = {id_: weight for id_, weight in weights.items() if weight is not None}
    if not fit:
        raise NoPool(need.name, len(pools), _removed(list(pools.values()), need))
    good_enough = max(fit.values()) - ALIKE
    alike = [pools[id_] for id_, weight in fit.items() if weight > good_enough]
    return min(alike, key=lambda pool: blake2b(f"{need.name}/{pool.code}".encode(), digest_size=8).digest())


def _removed(pools: Sequence[Candidate], need: Need) -> list[tuple[str, int]]:
    """Return how many each filter removes of those that the ones before it left."""
    removed = []
    for name, keeps in FILTERS:
        passed = [pool for pool in pools if keeps(pool, need)]
        removed.append((name, len(pools) - len(passed)))
        pools = passed
    return removed


def _weight(pool: Candidate, need: Need) -> float:
    return sum(weight * figure(pool, need) for _, weight, figure in WEIGHERS)


def _taken(pool: Candidate, need: Need) -> Candidate:
    free = {c: None if left is None else left - need.amounts.get(c, 0) for c, left in pool.free.items()}
    groups = pool.groups | {need.spread_group} if need.spread_group else pool.groups
    return replace(pool, free=free, groups=groups)
