"""The things that a request can ask for: how they are read, what they would take, and how rules see them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from controlplane import changes, lookups
from controlplane.actor import Actor
from controlplane.ask import Ask, read
from controlplane.asks.admission import growth
from controlplane.asks.routing import Line
from controlplane.errors import Invalid, NotFound, Refusal, RowsRefused
from controlplane.kinds import KINDS
from controlplane.kinds.contract import Prepared
from controlplane.lookups import Asking
from controlplane.models import Resource
from quotas.amounts import total

MAX_ITEMS = 1000
CLASSES: frozenset[str] = frozenset(c for kind in KINDS.values() for c in kind.classes)
_Named = Mapping[UUID, Resource]


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Create(_Item):
    """A new resource; `spec` is what its kind is asked for by."""

    do: Literal["create"]
    kind: str
    spec: dict[str, Any]


class Resize(_Item):
    """Another size for a resource; `size` is what its kind takes."""

    do: Literal["resize"]
    resource: UUID
    size: dict[str, Any]


class Extend(_Item):
    """More time for a resource."""

    do: Literal["extend"]
    resource: UUID
    until: AwareDatetime


class Transfer(_Item):
    """A resource goes to a system of another department, with what it takes of the quota."""

    do: Literal["transfer"]
    resource: UUID
    department: str = Field(description="code of the department that is to have it")
    system: str = Field(description="code of a system of that department")


class Release(_Item):
    """A resource is given back for good."""

    do: Literal["release"]
    resource: UUID


class Quota(_Item):
    """A higher limit of the department."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    do: Literal["quota"]
    resource_class: str = Field(alias="class")
    by: int = Field(ge=1, le=10**12, description="by how much the limit is raised")


Item = Create | Resize | Extend | Transfer | Release | Quota
_ITEM: TypeAdapter[Item] = TypeAdapter(Annotated[Item, Field(discriminator="do")])


@dataclass(frozen=True, slots=True)
class Understood:
    """A request as rules and ledger see it. `hold` is what is to be reserved for it, `kind` what its items share."""

    department: Asking
    items: list[Item]
    lines: list[Line]
    hold: dict[str, int]
    kind: str


def parse(rows: Sequence[Mapping[str, Any]], *, least: int = 1) -> list[Item]:
    """Return items as they were sent, or as they are kept; a draft may have none. Raises Invalid, RowsRefused."""
    if not least <= len(rows) <= MAX_ITEMS:
        raise Invalid(field="items", reason=f"a request takes {least} to {MAX_ITEMS} of them, not {len(rows)}")
    items: list[Item] = []
    problems: list[tuple[int, Refusal]] = []
    for row, given in enumerate(rows):
        try:
            items.append(_known(_ITEM.validate_python(given)))
        except ValidationError as error:
            problems += [
                (row, Invalid(field=".".join(str(part) for part in p["loc"][1:]) or "do", reason=p["msg"]))
                for p in error.errors()
            ]
        except Refusal as refusal:
            problems.append((row, refusal))
    if problems:
        raise RowsRefused(problems)
    return items


def plain(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return items in the form in which they are kept."""
    return [item.model_dump(mode="json", by_alias=True) for item in items]


def specs(items: Sequence[Item]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Return what is to be created, by kind: place among the items, and spec."""
    found: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for place, item in enumerate(items):
        if isinstance(item, Create):
            found[item.kind].append((place, item.spec))
    return dict(found)


def named(items: Sequence[Item]) -> list[UUID]:
    """Return the resources that items are about, each once. Raises Invalid where two items are about one."""
    ids = [item.resource for item in items if not isinstance(item, Create | Quota)]
    twice = sorted({str(id_) for id_ in ids if ids.count(id_) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise Invalid(field="items", reason=f"more than one item is about {', '.join(twice)}")
    return ids


def raises(items: Sequence[Item]) -> dict[str, int]:
    """Return by how much each limit of the department is to be raised."""
    return total({item.resource_class: item.by} for item in items if isinstance(item, Quota))


def understand(session: Session, actor: Actor, department: str | UUID, items: Sequence[Item]) -> Understood:
    """Look up all that the items name and say what they come to.

    Raises NotFound for the department; RowsRefused, naming each bad item by its place, or the refusal itself where
    there is one item.
    """
    asking = lookups.department_asking(session, actor, department, "request.ask")()
    lines: dict[int, Line] = {}
    problems: list[tuple[int, Refusal]] = []
    for kind, wanted in specs(items).items():
        try:
            ask = Ask(kind, asking.id, [spec for _, spec in wanted])
            _, prepared = read(session, actor, ask, "request.ask")
        except RowsRefused as refused:
            problems += [(wanted[row][0], problem) for row, problem in refused.problems]
        except Refusal as refusal:
            problems.append((wanted[0][0], refusal))
        else:
            lines |= {place: line_of(kind, item) for (place, _), item in zip(wanted, prepared, strict=True)}
    resources = lookups.resources_of(session, actor, asking.id, named(items))
    for place, item in enumerate(items):
        if isinstance(item, Create):
            continue
        try:
            lines[place] = _line(session, item, resources, asking.now)
        except Refusal as refusal:
            problems.append((place, refusal))
    if problems:
        raise problems[0][1] if len(items) == 1 else RowsRefused(sorted(problems, key=lambda found: found[0]))
    ordered = [lines[place] for place in range(len(items))]
    return Understood(asking, list(items), ordered, _hold(items, ordered), _kind(ordered))


def line_of(kind: str, item: Prepared) -> Line:
    """Return a resource to be as the rules see it."""
    return Line("create", kind, item.demand, item.need.mlps_level, frozenset(item.subnets.values()))


def resource_in(resources: _Named, id_: UUID) -> Resource:
    """Return one of `resources`. Raises NotFound."""
    if id_ not in resources:
        raise NotFound(noun="resource", name=str(id_))
    return resources[id_]


def _known(item: Item) -> Item:
    if isinstance(item, Create) and item.kind not in KINDS:
        raise Invalid(field="kind", reason=f"{item.kind}: no such kind; there are {', '.join(sorted(KINDS))}")
    if isinstance(item, Quota) and item.resource_class not in CLASSES:
        known = ", ".join(sorted(CLASSES))
        raise Invalid(field="class", reason=f"{item.resource_class}: no such class; there are {known}")
    return item


def _line(session: Session, item: Item, resources: _Named, now: datetime) -> Line:
    if isinstance(item, Create | Quota):
        return Line("quota", "quota", {item.resource_class: item.by} if isinstance(item, Quota) else {})
    resource = resource_in(resources, item.resource)
    amounts: Mapping[str, int] = {}
    if isinstance(item, Resize):
        wanted = changes.planned(session, resource, "resize", item.size).demand
        amounts = growth(wanted, resource)
    elif isinstance(item, Transfer):
        amounts = resource.demand
    elif isinstance(item, Extend) and item.until <= now:
        raise Invalid(field="until", reason="lies in the past")
    return Line(item.do, resource.kind, amounts, resource.system.mlps_level if resource.system else 1)


def _hold(items: Sequence[Item], lines: Sequence[Line]) -> dict[str, int]:
    """Return what the department's account has to give: what a raise that is asked for as well covers is not held."""
    needed = total(line.amounts for line in lines if line.do in {"create", "resize"})
    covered = raises(items)
    return {c: left for c, amount in needed.items() if (left := amount - covered.get(c, 0)) > 0}


def _kind(lines: Sequence[Line]) -> str:
    kinds = {line.kind for line in lines}
    return kinds.pop() if len(kinds) == 1 else "mixed"
