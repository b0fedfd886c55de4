"""What the form for one more thing of a request says: read, checked in its reader's words, made items of a request."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from flask_babel import gettext as _
from flask_babel import to_utc

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import MAX_LIMIT, Listing
from controlplane.services.asking import LONGEST_TEXT, LONGEST_TITLE
from web.console import catalogue, choosing, limits, sizes, vm_draft
from web.console.vms import KIND
from web.context import actor, session

WHATS = ("create", "resize", "extend", "transfer", "release", "quota")
_CODE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_TYPED = {
    "create": ("name",),
    "resize": ("machine", "data_disks"),
    "extend": ("machine", "until"),
    "transfer": ("machine", "to_department", "to_system"),
    "release": ("machine",),
    "quota": ("amount",),
}


@dataclass(slots=True)
class Added:
    """What was read: the items, none while `problems` (by field) are left."""

    items: Sequence[Mapping[str, Any]] = ()
    problems: dict[str, str] = field(default_factory=dict)


def what(form: Mapping[str, str]) -> str:
    """Return which kind of thing the form is set to."""
    return form["what"] if form.get("what") in WHATS else WHATS[0]


def begun(form: Mapping[str, str]) -> bool:
    """Tell whether somebody has begun to describe a thing that is not in the basket yet."""
    return any(form.get(name, "").strip() for name in _TYPED[what(form)])


def blank(form: Mapping[str, str]) -> dict[str, str]:
    """Return a form without what describes the one thing that was just added, so that the next one can be."""
    typed = {name for names in _TYPED.values() for name in names}
    return {name: value for name, value in form.items() if name not in typed}


def texts(form: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with title and reason, by field."""
    problems = {}
    for name, longest in (("title", LONGEST_TITLE), ("reason", LONGEST_TEXT)):
        if len(form.get(name, "").strip()) > longest:
            problems[name] = _("At most %(most)s characters.", most=longest)
    return problems


def read(form: Mapping[str, str], department: Any) -> Added:
    """Return what a form adds to a request of a department."""
    added = Added()
    items = _READERS[what(form)](form, department, added)
    if not added.problems:
        added.items = items
    return added


def machine_called(department: Any, name: str) -> Any:
    """Return a machine of a department by its name, None where there is none."""
    sought = Listing(MAX_LIMIT, None, "name", {"department": str(department.id), "q": name})
    found = lookups.resources(session(), actor(), KIND, sought).items
    return next((vm for vm in found if vm.name == name), None)


_Items = list[dict[str, Any]]


def _create(form: Mapping[str, str], department: Any, added: Added) -> _Items:
    draft = vm_draft.read({**form, "department": department.code})
    added.problems |= draft.problems
    for name in ("system", "name", "image"):
        if not form.get(name, "").strip():
            added.problems.setdefault(name, _("Fill this in."))
    if not form.get("subnet4") and not form.get("subnet6"):
        added.problems["subnet4"] = _("Choose at least one subnet.")
    return [{"do": "create", "kind": KIND, "spec": dict(spec)} for spec in draft.items]


def _machine(form: Mapping[str, str], department: Any, added: Added) -> Any:
    name = form.get("machine", "").strip()
    found = machine_called(department, name) if name else None
    if not name:
        added.problems["machine"] = _("Fill this in.")
    elif found is None:
        added.problems["machine"] = _("This department has no machine of this name.")
    return found


def _resize(form: Mapping[str, str], department: Any, added: Added) -> _Items:
    machine = _machine(form, department, added)
    size = sizes.read(form, catalogue.flavors(), machine)
    added.problems |= size.problems
    return [{"do": "resize", "resource": str(machine.id), "size": size.body}] if machine else []


def _extend(form: Mapping[str, str], department: Any, added: Added) -> _Items:
    machine = _machine(form, department, added)
    try:
        last = datetime.combine(date.fromisoformat(form.get("until", "").strip()), time(23, 59, 59))
        until = to_utc(last).replace(tzinfo=UTC)
    except ValueError:
        added.problems["until"] = _("A date, as in 2027-12-31.")
        return []
    if until <= datetime.now(UTC):
        added.problems["until"] = _("This day is past.")
    elif machine and machine.lease_until is not None and until <= machine.lease_until:
        added.problems["until"] = _("The machine may be kept longer than that already.")
    return [{"do": "extend", "resource": str(machine.id), "until": until.isoformat()}] if machine else []


def _transfer(form: Mapping[str, str], department: Any, added: Added) -> _Items:
    machine = _machine(form, department, added)
    to = _other_department(form.get("to_department", "").strip())
    system = form.get("to_system", "").strip()
    if not _CODE.fullmatch(to):
        added.problems["to_department"] = _("The code of the department, which it can tell you.")
    elif to == department.code:
        added.problems["to_department"] = _("The machine is of this department already.")
    if not _CODE.fullmatch(system):
        added.problems["to_system"] = _("The code of one of its systems, which it can tell you.")
    item = {"do": "transfer", "department": to, "system": system}
    return [{**item, "resource": str(machine.id)}] if machine else []


def _other_department(typed: str) -> str:
    """Return the code of a department, also of one that the reader does not see: the approver will know it."""
    try:
        return str(choosing.department(typed).code) if typed else ""
    except NotFound:
        return typed


def _release(form: Mapping[str, str], department: Any, added: Added) -> _Items:
    machine = _machine(form, department, added)
    return [{"do": "release", "resource": str(machine.id)}] if machine else []


def _quota(form: Mapping[str, str], _department: Any, added: Added) -> _Items:
    name, text = form.get("class", ""), form.get("amount", "").strip()
    if name not in limits.FIELDS:
        added.problems["class"] = _("Choose one.")
    elif not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1):
        added.problems["amount"] = _("A whole number, 1 or more")
    else:
        return [{"do": "quota", "class": name, "by": int(text) * limits.FIELDS[name][1]}]
    return []


_READERS: Mapping[str, Callable[[Mapping[str, str], Any, Added], _Items]] = {
    "create": _create,
    "resize": _resize,
    "extend": _extend,
    "transfer": _transfer,
    "release": _release,
    "quota": _quota,
}
