"""Whether two kinds of sign-ins can be told apart by how long they take."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median


@dataclass(frozen=True)
class Comparison:
    """Two sets of times: the ratio of their medians, and how likely ranks as uneven as theirs are by chance alone."""

    ratio: float
    chance: float


def sampled(kinds: Mapping[str, Callable[[], float]], each: int, seed: int) -> dict[str, list[float]]:
    """Take so many samples of each kind, in an order in which nothing that changes slowly favours one of them."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    order = random.Random(seed)
    for _ in range(each):
        for kind in order.sample(list(kinds), len(kinds)):
            times[kind].append(kinds[kind]())
    return times


def compared(one: Sequence[float], other: Sequence[float]) -> Comparison:
    """Compare by medians and by the Mann-Whitney test, two-sided, with the normal approximation and ties."""
    n, m = len(one), len(other)
    ranks, tied = _ranks([*one, *other])
    u = sum(ranks[:n]) - n * (n + 1) / 2
    spread = math.sqrt(n * m / 12 * (n + m + 1 - tied / ((n + m) * (n + m - 1))))
    z = max(0.0, abs(u - n * m / 2) - 0.5) / spread if spread else 0.0
    return Comparison(median(one) / median(other), math.erfc(z / math.sqrt(2)))


def _ranks(values: Sequence[float]) -> tuple[list[float], float]:
    """Return the rank of each value, the mean one where several are equal, and the sum of t³ - t over the ties."""
    ranks, tied, before = [0.0] * len(values), 0.0, 0
    order = sorted(range(len(values)), key=values.__getitem__)
    for _, group in groupby(order, key=values.__getitem__):
        same = list(group)
        for index in same:
            ranks[index] = before + (len(same) + 1) / 2
        tied += len(same) ** 3 - len(same)
        before += len(same)
    return ranks, tied
