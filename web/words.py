"""Words and units of what the record names by code."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

GIB = 1024
_MANY = 10_000
_LARGER = {"MiB": "GiB", "GiB": "TiB"}


def class_word(resource_class: str) -> str:
    """Return the name of a resource class, in the reader's language."""
    words = {
        "vm": _("Virtual machines"),
        "vcpu": _("vCPU"),
        "memory_mib": _("Memory"),
        "disk_gib": _("Disk"),
    }
    return str(words.get(resource_class, resource_class))


def class_unit(resource_class: str) -> str:
    """Return the unit in which a resource class is counted."""
    units = {"vm": _("VMs"), "vcpu": _("cores"), "memory_mib": "MiB", "disk_gib": "GiB"}
    return str(units.get(resource_class, ""))


def scale(resource_class: str, *amounts: int | None) -> tuple[int, str]:
    """Return the divisor and the unit in which `amounts` are read most easily: one for all numbers of a gauge."""
    unit = class_unit(resource_class)
    if unit not in _LARGER:
        return 1, unit
    known = [amount for amount in amounts if amount]
    divisor = 1
    if unit == "MiB" and all(amount % GIB == 0 for amount in known):
        divisor, unit = GIB, "GiB"
    while unit in _LARGER and max(known, default=0) >= _MANY * divisor:
        divisor, unit = divisor * GIB, _LARGER[unit]
    return divisor, unit


def state_word(state: str) -> str:
    """Return the name of a state of a resource."""
    words = {
        "building": _("Building"),
        "running": _("Running"),
        "stopped": _("Stopped"),
        "changing": _("Changing"),
        "deleting": _("Deleting"),
        "deleted": _("Deleted"),
        "faulted": _("Faulted"),
    }
    return str(words.get(state, state))


def verb_word(verb: str) -> str:
    """Return the name of something that can be done to a resource."""
    words = {
        "start": _("Start"),
        "stop": _("Stop"),
        "reboot": _("Reboot"),
        "resize": _("Resize"),
        "rebuild": _("Rebuild"),
        "retry": _("Try again"),
        "delete": _("Delete"),
        "console": _("Console"),
    }
    return str(words.get(verb, verb))


def action_word(action: str) -> str:
    """Return what an event of the audit trail says was done: a verb, or the state that was found reached."""
    kind, _dot, verb = action.partition(".")
    words = {"create": _("Creation ordered"), "delete": _("Deletion ordered"), "running": _("Found running")}
    words |= {"stopped": _("Found stopped"), "deleted": _("Found gone"), "faulted": _("Faulted")}
    words |= {"console": _("Console opened"), "console_ended": _("Console closed")}
    words |= {verb: verb_word(verb) for verb in ("start", "stop", "reboot", "resize", "rebuild", "retry")}
    return str(words.get(verb, action)) if kind == "vm" else action


def role_word(role: str) -> str:
    """Return the name of a role."""
    words = {
        "system_admin": _("System administrator"),
        "department_manager": _("Department manager"),
        "department_member": _("Department member"),
        "auditor": _("Auditor"),
    }
    return str(words.get(role, role))


def in_words(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a refusal as its reader knows them: codes become words."""
    nouns = {
        "vm": _("virtual machine"),
        "department": _("department"),
        "system": _("business system"),
        "image": _("image"),
        "subnet": _("subnet"),
        "pool": _("pool"),
        "action": _("action"),
    }
    said = dict(values)
    if "noun" in said:
        said["noun"] = nouns.get(said["noun"], said["noun"])
    if "state" in said:
        said["state"] = state_word(said["state"])
    if "when" in said:
        said["when"] = _(" or ").join(state_word(state) for state in said["when"].split(" or "))
    if "verb" in said:
        said["verb"] = verb_word(said["verb"])
    if "role" in said:
        said["role"] = role_word(said["role"])
    return said
