"""Resource vectors and what it means for one to be short.

Kept pure so that the rule of admission can be read, and tested, without a database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

Amounts = Mapping[str, int]
"""Resource class -> whole units (`vcpu` 4, `memory_mib` 8192, ...)."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """One account that cannot take what is asked: `used + held + asked > limit`, in units of the class."""

    owner: UUID
    owner_kind: str
    resource_class: str
    limit: int
    used: int
    held: int
    asked: int

    @property
    def short_by(self) -> int:
        """Units that are missing."""
        return self.used + self.held + self.asked - self.limit


class QuotaExceeded(Exception):
    """An ask does not fit; carries every account that is short, not only the first."""

    def __init__(self, shortages: Iterable[Shortage]) -> None:
        self.shortages = tuple(shortages)
        super().__init__(
            "; ".join(
                f"{s.owner_kind} {s.owner} is short of {s.short_by} {s.resource_class}"
                f" (limit {s.limit}, used {s.used}, held {s.held}, asked {s.asked})"
                for s in self.shortages
            )
        )


def total(vectors: Iterable[Amounts]) -> dict[str, int]:
    """Add vectors class by class."""
    added: dict[str, int] = {}
    for vector in vectors:
        for resource_class, amount in vector.items():
            added[resource_class] = added.get(resource_class, 0) + amount
    return added


def difference(wanted: Amounts, present: Amounts) -> dict[str, int]:
    """Return `wanted - present` for every class of either; classes that do not differ are left out."""
    classes = wanted.keys() | present.keys()
    changes = {c: wanted.get(c, 0) - present.get(c, 0) for c in classes}
    return {c: change for c, change in changes.items() if change}


def positive(vector: Amounts) -> dict[str, int]:
    """Return only what grows."""
    return {c: amount for c, amount in vector.items() if amount > 0}


def effective_capacity(total_units: int, reserved: int, ratio: Decimal) -> int:
    """Return what may be promised of a pool: `(total - reserved) * ratio`, rounded down.

    Source: OpenStack Placement, capacity of an inventory.
    """
    return int((total_units - reserved) * ratio)
