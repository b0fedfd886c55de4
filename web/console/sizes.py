"""The size of a machine in a form: one that has a name, or processors, memory in GiB and disk in GiB; and beside it its
data disks, one line that has the GiB of each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext as _

from web.words import called

GIB = 1024
_CUSTOM = ("vcpu", "memory_gib", "disk_gib")
_MOST = {"vcpu": 256, "memory_gib": 4096, "disk_gib": 64 * GIB}
_MOST_DATA_DISKS = 8
_BETWEEN = re.compile(r"[\s,;，、；]+")


@dataclass(frozen=True, slots=True)
class Size:
    """What was read: the body that the service takes, or what is wrong with which field. `disk_gib` where known."""

    body: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    disk_gib: int | None = None


def read(form: Mapping[str, str], flavors: Sequence[Any], machine: Any = None) -> Size:
    """Return the size that a form asks for, of a new machine or for one that is there. An empty `flavor` means that the
    three numbers are given; no data disks that those of the machine stay as they are."""
    size = _read_size(form, flavors, machine.wanted["disk_gib"] if machine else 0)
    disks, problem = _read_data_disks(form.get("data_disks", ""), data_disks(machine) if machine else ())
    if problem:
        return Size(problems={**size.problems, "data_disks": problem})
    return replace(size, body={**size.body, "data_disks": disks}) if disks and not size.problems else size


def data_disks(vm: Any) -> Sequence[int]:
    """Return the sizes of a machine's data disks. A record that is older says nothing of them."""
    disks: Sequence[int] = vm.wanted.get("data_disks", ())
    return disks


def _read_size(form: Mapping[str, str], flavors: Sequence[Any], least_disk: int) -> Size:
    code = form.get("flavor", "")
    if code:
        flavor = next((f for f in flavors if f.code == code), None)
        if flavor is None:
            return Size(problems={"flavor": _("This size is not offered any more.")})
        if flavor.disk_gib < least_disk:
            return Size(problems={"flavor": _disk_stays(least_disk)})
        return Size({"flavor": code}, disk_gib=flavor.disk_gib)
    numbers, problems = {}, {}
    for name in _CUSTOM:
        number = _whole(form.get(name, ""))
        if number is None or not 1 <= number <= _MOST[name]:
            problems[name] = _("A whole number from 1 to %(most)s", most=_MOST[name])
        else:
            numbers[name] = number
    if numbers.get("disk_gib", least_disk) < least_disk:
        problems["disk_gib"] = _disk_stays(least_disk)
    if problems:
        return Size(problems=problems)
    body = {"vcpu": numbers["vcpu"], "memory_mib": numbers["memory_gib"] * GIB, "disk_gib": numbers["disk_gib"]}
    return Size(body, disk_gib=numbers["disk_gib"])


def of(vm: Any) -> dict[str, Any]:
    """Return the fields that say a machine's present size."""
    size = vm.wanted
    custom = {"vcpu": size["vcpu"], "memory_gib": size["memory_mib"] // GIB, "disk_gib": size["disk_gib"]}
    return {"flavor": vm.spec.get("flavor") or "", **custom, "data_disks": ", ".join(map(str, data_disks(vm)))}


def options(flavors: Sequence[Any]) -> list[tuple[str, str]]:
    """Return the sizes to choose from, and the way to say one's own."""
    named = [
        (
            f.code,
            _(
                "%(name)s: %(vcpu)s cores · %(memory)s GiB memory · %(disk)s GiB disk",
                name=called(f),
                vcpu=f.vcpu,
                memory=f.memory_mib // GIB if f.memory_mib % GIB == 0 else round(f.memory_mib / GIB, 1),
                disk=f.disk_gib,
            ),
        )
        for f in flavors
    ]
    return [*named, ("", _("Custom size"))]


def _read_data_disks(text: str, has: Sequence[int]) -> tuple[list[int], str]:
    """Return the data disks that a line names, empty where nothing is to be said of them, and what is wrong with it."""
    sizes = [_whole(part) for part in _BETWEEN.split(text.strip()) if part]
    known = [size for size in sizes if size is not None and 1 <= size <= _MOST["disk_gib"]]
    if known == list(has) and len(known) == len(sizes):
        return [], ""
    if len(known) < len(sizes):
        words = _("Whole numbers from 1 to %(most)s, separated by commas.", most=_MOST["disk_gib"])
        return [], str(words)
    if len(sizes) > _MOST_DATA_DISKS:
        return [], str(_("At most %(most)s data disks.", most=_MOST_DATA_DISKS))
    if known and len(known) < len(has):
        stays = ", ".join(map(str, has))
        return [], str(_("A data disk cannot be removed: it has %(sizes)s GiB. Name all of them.", sizes=stays))
    for number, (size, least) in enumerate(zip(known, has, strict=False), 1):
        if size < least:
            words = _("Data disk %(number)s cannot shrink: it has %(least)s GiB.", number=number, least=least)
            return [], str(words)
    return known, ""


def _disk_stays(least: int) -> str:
    return str(_("A disk cannot shrink: it has %(least)s GiB.", least=least))


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
