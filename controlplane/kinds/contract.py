"""What a kind of resource tells the rest: how an ask is read, what it needs, and what a driver is to make of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.orm import Session

from controlplane.lifecycle import State
from controlplane.models import Resource
from controlplane.placement import Need, Wish
from quotas import wire


class Owner(Protocol):
    """The department that asks, as far as a kind needs to know it. `lineage` leads from the top of the tree to it."""

    @property
    def id(self) -> UUID: ...

    @property
    def code(self) -> str: ...

    @property
    def lineage(self) -> list[UUID]: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """One ask, understood: everything but where it goes and which address it has. `spec` is what was sent, `subnets`
    are those that it takes an address of: id -> code. `aside` is what its kind keeps in a table of its own."""

    name: str
    system_id: UUID | None
    spec: dict[str, Any]
    demand: Mapping[str, int]
    need: Need
    subnets: Mapping[UUID, str]
    lease_until: datetime | None
    wanted: Callable[["Placed"], dict[str, Any]]
    aside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """What was decided for a prepared ask: its id, and an address of each of its subnets by subnet id."""

    id: UUID
    addresses: Mapping[UUID, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb makes of a resource: what is wanted next, and the demand that goes with it. `addresses` are those
    that it takes besides, by subnet id: chosen, and not written down yet."""

    spec: dict[str, Any]
    wanted: dict[str, Any]
    demand: Mapping[str, int]
    addresses: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be done to a resource that exists. `body` is None where nothing else needs to be said. One
    that does not suit a resource at all need not be offered for it."""

    possible_in: frozenset[State]
    apply: Callable[[Session, Resource, Any], Change]
    body: type[BaseModel] | None = None
    suits: Callable[[Resource], bool] = lambda _resource: True


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `classes` is what its pools have, `drivers` are the names of those that can run one.

    `prepare` asks for all that the asks of a department name at once; what it returns reads it, in a second step, so
    that in a pipeline the caller can send more before it waits. That step raises RowsRefused, naming each bad row.
    `wish` says as much of the pools that asks need as can be told without reading anything.
    `halted` is what `wanted` says of one that is not to run: the verb `stop` and the end of a lease both go by it; a
    kind that cannot be stopped leaves it empty. `most_at_once` may be asked for in one ask. `batched`: workers look at
    all of a pool at once, not at each resource. `of_system`: one without a business system has nobody to answer for it.
    `aside` writes down what Prepared says of it, with the resources. `duplicates` are unique constraints of its own
    tables whose refusal means that a name is taken.
    """

    name: str
    classes: tuple[str, ...]
    drivers: tuple[str, ...]
    spec: type[BaseModel]
    prepare: Callable[[Session, UUID, Sequence[Any]], Callable[[Owner], list[Prepared]]]
    wish: Callable[[Sequence[Any]], Wish]
    verbs: Mapping[str, Verb]
    halted: Mapping[str, Any] = field(default_factory=dict)
    most_at_once: int = 1000
    batched: bool = False
    of_system: bool = True
    aside: Callable[[Sequence[tuple[UUID, Prepared]]], wire.Write] | None = None
    duplicates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Adopted:
    """A machine that somebody else made, understood as one of a department: what its record will say.

    `addresses` are (subnet's code, address) that it has in fact.
    """

    name: str
    system_id: UUID | None
    mlps_level: int
    spec: dict[str, Any]
    wanted: dict[str, Any]
    demand: Mapping[str, int]
    addresses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a kind makes of drift. `accept` turns what was observed, by field, into a change of the record, where all
    of the fields are `acceptable`; `adopt` reads the ask (an `adoption`) to take over a machine with an id of its own
    and what was observed of it."""

    acceptable: frozenset[str]
    accept: Callable[[Resource, Mapping[str, Any]], Change]
    adoption: type[BaseModel]
    adopt: Callable[[Session, Owner, Any, UUID, Mapping[str, Any]], Adopted]
