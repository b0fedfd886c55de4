"""What a request asks for, in words: one line for each thing, machines that differ by their names alone in one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import format_date, ngettext
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.policy import allows
from web.console import catalogue, sizes
from web.console.things import page_of
from web.context import actor, session
from web.request_words import do_word, several
from web.words import amount_words, called, class_word


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `first` to `last` are the places of the items that it tells. `page`: of the one thing it is about."""

    first: int
    last: int
    icon: str
    what: str
    name: str
    details: Sequence[str] = ()
    page: str = ""


@dataclass(frozen=True, slots=True)
class _Names:
    things: Mapping[UUID, Any]
    systems: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    subnets: Mapping[str, str] = field(default_factory=dict)


def entries(asked: Any) -> list[Entry]:
    """Return the lines of a request that its reader was just shown."""
    names = _names(asked)
    found: list[Entry] = []
    for first, last in _runs(asked.items):
        item = asked.items[first]
        icon, say = _SAID_OF_ACCOUNTS if _is_account(item) else _SAID[item["do"]]
        name, details, page = say(asked.items[first : last + 1], names)
        what = str(_("New VPN accounts")) if _is_account(item) else do_word(item["do"])
        found.append(Entry(first, last, icon, what, name, details, page))
    return found


def summary(items: Sequence[Mapping[str, Any]]) -> str:
    """Return a title for a request for new machines."""
    names = [item["spec"]["name"] for item in items]
    words = ngettext("%(num)s machine: %(names)s", "%(num)s machines: %(names)s", len(names), names=several(names))
    return str(words)


def _runs(items: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Return the first and the last place of each run of items that differ by a name alone."""
    runs: list[tuple[int, int]] = []
    before: Any = None
    for place, item in enumerate(items):
        alike = (item["kind"], {**item["spec"], "name": ""}) if item["do"] == "create" else None
        if alike is not None and alike == before:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
        before = alike
    return runs


def _names(asked: Any) -> _Names:
    refs = [UUID(item["resource"]) for item in asked.items if "resource" in item]
    things = lookups.named_in(session(), actor(), refs)
    if not any(item["do"] in {"create", "resize"} for item in asked.items) or not allows(actor(), "catalogue.read"):
        return _Names(things)
    every = Listing(MAX_LIMIT, None, "code")
    systems: dict[str, str] = {}
    if allows(actor(), "system.read"):
        of_department = Listing(MAX_LIMIT, None, "code", {"department": str(asked.department_id)})
        systems = {s.code: _with_level(s) for s in lookups.systems(session(), actor(), of_department).items}
    return _Names(
        things,
        systems,
        dict(sizes.options(catalogue.flavors())),
        {i.code: called(i) for i in lookups.images(session(), actor(), every).items},
        {s.code: f"{called(s)} ({s.cidr})" for s in lookups.subnets(session(), actor(), every).items},
    )


def _with_level(system: Any) -> str:
    return str(_("%(name)s · MLPS %(level)s", name=called(system), level=system.mlps_level))


_Said = tuple[str, list[str], str]
_Items = Sequence[Mapping[str, Any]]


def _create(items: _Items, names: _Names) -> _Said:
    spec = items[0]["spec"]
    count = len(items)
    name = several([str(item["spec"].get("name", "?")) for item in items])
    if count > 1:
        counted = ngettext("%(num)s machine", "%(num)s machines", count)
        name = f"{counted}{_(': ')}{name}"
    system, image = str(spec.get("system", "")), str(spec.get("image", ""))
    details = [names.systems.get(system, system), _size(spec, names), _data(spec), names.images.get(image, image)]
    details += [names.subnets.get(code, str(code)) for code in spec.get("subnets", ())]
    if spec.get("floating_subnet"):
        code = str(spec["floating_subnet"])
        details.append(_("reached from outside by %(subnet)s", subnet=names.subnets.get(code, code)))
    if spec.get("lease_until"):
        details.append(_("until %(day)s", day=_day(spec["lease_until"])))
    if spec.get("anti_affinity"):
        details.append(_("never in one pool with others of %(group)s", group=spec["anti_affinity"]))
    return name, [detail for detail in details if detail], ""


def _is_account(item: Mapping[str, Any]) -> bool:
    return bool(item["do"] == "create" and item["kind"] == "vpn_account")


def _create_accounts(items: _Items, names: _Names) -> _Said:
    """Say which accounts are asked for; whose they are is sealed, and nobody's to read here."""
    spec = items[0]["spec"]
    details = [names.systems.get(str(spec.get("system", "")), ""), str(spec.get("gateway") or "")]
    if spec.get("lease_until"):
        details.append(_("until %(day)s", day=_day(spec["lease_until"])))
    return several([str(item["spec"]["username"]) for item in items]), [detail for detail in details if detail], ""


def _resize(items: _Items, names: _Names) -> _Said:
    size = items[0]["size"]
    return *_about(items[0], names, [_size(size, names), _data(size)]), _page(items[0], names)


def _extend(items: _Items, names: _Names) -> _Said:
    until = _("until %(day)s", day=_day(items[0]["until"]))
    return *_about(items[0], names, [until]), _page(items[0], names)


def _transfer(items: _Items, names: _Names) -> _Said:
    to = _("to department %(department)s, system %(system)s", **_target(items[0]))
    return *_about(items[0], names, [to]), _page(items[0], names)


def _release(items: _Items, names: _Names) -> _Said:
    gone = _("deleted with all its data; its quota becomes free")
    return *_about(items[0], names, [gone]), _page(items[0], names)


def _quota(items: _Items, _: _Names) -> _Said:
    name = str(items[0]["class"])
    return class_word(name), [f"+ {amount_words(name, items[0]['by'])}"], ""


def _target(item: Mapping[str, Any]) -> dict[str, str]:
    return {"department": item["department"], "system": item["system"]}


def _about(item: Mapping[str, Any], names: _Names, details: list[str]) -> tuple[str, list[str]]:
    thing = names.things.get(UUID(item["resource"]))
    return (thing.name if thing else f"…{item['resource'][-8:]}"), [detail for detail in details if detail]


def _page(item: Mapping[str, Any], names: _Names) -> str:
    thing = names.things.get(UUID(item["resource"]))
    linked = thing is not None and not thing.gone and allows(actor(), "resource.read")
    return page_of(thing.kind, thing.id) if thing is not None and linked else ""


def _size(size: Mapping[str, Any], names: _Names) -> str:
    if size.get("flavor"):
        return names.sizes.get(size["flavor"], str(size["flavor"]))
    if "vcpu" not in size:
        return ""
    memory = size["memory_mib"] / sizes.GIB
    numbers = {
        "vcpu": size["vcpu"],
        "memory": round(memory, 1) if memory % 1 else int(memory),
        "disk": size["disk_gib"],
    }
    return str(_("%(vcpu)s cores · %(memory)s GiB memory · %(disk)s GiB disk", **numbers))


def _data(size: Mapping[str, Any]) -> str:
    disks = size.get("data_disks") or ()
    return str(_("data disks of %(sizes)s GiB", sizes=" + ".join(map(str, disks)))) if disks else ""


def _day(instant: str) -> str:
    try:
        return str(format_date(datetime.fromisoformat(instant), "yyyy-MM-dd"))
    except ValueError:
        return instant


_SAID: Mapping[str, tuple[str, Callable[[_Items, _Names], _Said]]] = {
    "create": ("server", _create),
    "resize": ("adjustments", _resize),
    "extend": ("calendar", _extend),
    "transfer": ("arrows-exchange", _transfer),
    "release": ("trash", _release),
    "quota": ("gauge", _quota),
}
_SAID_OF_ACCOUNTS: tuple[str, Callable[[_Items, _Names], _Said]] = ("users", _create_accounts)
