"""The size of a machine in a form: one that has a name, or processors, memory in GiB and disk in GiB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from web.words import called

GIB = 1024
_CUSTOM = ("vcpu", "memory_gib", "disk_gib")
_MOST = {"vcpu": 256, "memory_gib": 4096, "disk_gib": 64 * GIB}


@dataclass(frozen=True, slots=True)
class Size:
    """What was read: the body that the service takes, or what is wrong with which field. `disk_gib` where known."""

    body: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    disk_gib: int | None = None


def read(form: Mapping[str, str], flavors: Sequence[Any], least_disk: int = 0) -> Size:
    """Return the size that a form asks for. An empty `flavor` means that the three numbers are given."""
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
    return {"flavor": vm.spec.get("flavor") or "", **custom}


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


def _disk_stays(least: int) -> str:
    return str(_("A disk cannot shrink: it has %(least)s GiB.", least=least))


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
