"""Words and units of what the record names by code."""

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _

from controlplane.errors import NoPool, OverQuota, Refusal
from web import request_words, vpn_words
from web.language import language

GIB = 1024
_MANY = 10_000
_NUMBERED = re.compile(r"request (\d+)")
_ROLE = re.compile(r"[a-z]+_[a-z]+|operator|auditor")
DRIFT_OUTCOMES = ("repaired", "accepted", "adopted", "removed", "vanished")
_LARGER = {"MiB": "GiB", "GiB": "TiB"}


def class_word(resource_class: str) -> str:
    """Return the name of a resource class, in the reader's language."""
    words = {
        "vm": _("Virtual machines"),
        "vcpu": _("vCPU"),
        "memory_mib": _("Memory"),
        "disk_gib": _("Disk"),
        "vpn_account": _("VPN accounts"),
    }
    return str(words.get(resource_class, resource_class))


def class_unit(resource_class: str) -> str:
    """Return the unit in which a resource class is counted."""
    units = {"vm": _("VMs"), "vcpu": _("cores"), "memory_mib": "MiB", "disk_gib": "GiB", "vpn_account": _("accounts")}
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


def exact_scale(resource_class: str, *amounts: int | None) -> tuple[int, str]:
    """Return the divisor and the unit in which a small change of a large amount can still be seen."""
    unit = class_unit(resource_class)
    whole = unit == "MiB" and all(amount % GIB == 0 for amount in amounts if amount)
    return (GIB, "GiB") if whole else (1, unit)


def amount_words(resource_class: str, amount: int | None) -> str:
    """Return an amount of a class with its unit, as text."""
    if amount is None:
        return str(_("No limit"))
    divisor, unit = exact_scale(resource_class, amount)
    return f"{format_decimal(round(amount / divisor, 1))} {unit}".strip()


def called(thing: Any) -> str:
    """Return the name of a thing in the reader's language: in English its code, where it has only a Chinese name."""
    if language() != "en":
        return str(thing.name)
    name = str(getattr(thing, "name_en", None) or thing.name)
    return name if name.isascii() else str(getattr(thing, "code", name))


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
    return str(words.get(state) or request_words.states().get(state) or request_words.conditions().get(state, state))


def verb_word(verb: str) -> str:
    """Return the name of something that can be done to a resource."""
    words = {
        "start": _("Start"),
        "stop": _("Stop"),
        "reboot": _("Reboot"),
        "resize": _("Resize"),
        "rebuild": _("Rebuild"),
        "float": _("Give a floating address"),
        "unfloat": _("Take the floating address away"),
        "snapshot": _("Take a snapshot"),
        "restore": _("Restore"),
        "drop_snapshot": _("Delete a snapshot"),
        "retry": _("Try again"),
        "delete": _("Delete"),
        "console": _("Console"),
        "attach": _("Attach"),
        "detach": _("Remove"),
        "extend": _("Extend"),
        "keep": _("Keep"),
        "lift": _("Lift the hold"),
    }
    return str(words.get(verb) or request_words.verbs().get(verb, verb))


def action_word(action: str) -> str:
    """Return what an event of the audit trail says was done: a verb, or the state that was found reached."""
    kind, _dot, verb = action.partition(".")
    words = {"create": _("Creation ordered"), "delete": _("Deletion ordered"), "running": _("Found running")}
    words |= {"stopped": _("Found stopped"), "deleted": _("Found gone"), "faulted": _("Faulted")}
    words |= {"drifted": _("Found not as recorded"), "drift_repair": _("Repair ordered"), "adopt": _("Adopted")}
    words |= {f"drift_{outcome}": drift_word(outcome) for outcome in DRIFT_OUTCOMES}
    words |= {"console": _("Console opened"), "console_ended": _("Console closed")}
    words |= _of_leases()
    orders = ("start", "stop", "reboot", "resize", "rebuild", "float", "unfloat", "retry")
    words |= {verb: verb_word(verb) for verb in (*orders, "snapshot", "restore", "drop_snapshot")}
    of_tenants = {"create": _("Registered"), "update": _("Changed"), "delete": _("Closed")}
    of_tenants |= {"set_quota": _("Limits set")}
    known = {"vm": words, "department": of_tenants, "system": of_tenants}
    known |= {"vpn_account": words | vpn_words.done_words()}
    return str(known.get(kind, {}).get(verb, action))


def _of_leases() -> dict[str, str]:
    return {
        "extend": _("Lease set"),
        "contract": _("End of contract set"),
        "keep": _("Answered: still needed"),
        "hold": _("Put on legal hold"),
        "lift": _("Legal hold lifted"),
        "lease_ended": _("Lease ended"),
        "lease_stopped": _("Stopped, as its lease ended"),
        "lease_quarantined": _("Put into quarantine, as its lease ended"),
        "lease_deleted": _("Deletion ordered, as its lease ended"),
        "lease_reclaim": _("Lease ended, as nobody answered for it"),
        "transfer": _("Transferred"),
    }


def summary_words(refusal: Refusal) -> dict[str, str]:
    """Return in words what a refusal sums up from figures, where it does."""
    if isinstance(refusal, OverQuota):
        short = [(n.owner, n.shortage.resource_class, n.shortage.short_by) for n in refusal.shortages]
        parts = [
            _(
                "%(owner)s is short of %(amount)s (%(what)s)",
                owner=owner,
                amount=amount_words(cls, by),
                what=class_word(cls),
            )
            for owner, cls, by in short
        ]
    elif isinstance(refusal, NoPool):
        filters = {
            "accepting": _("closed to new machines"),
            "site": _("at another site than the subnet"),
            "within": _("that does not serve this department"),
            "floating": _("without floating addresses"),
            "mlps_level": _("of too low an MLPS level"),
            "anti_affinity": _("with a machine of the same anti-affinity group"),
            "capacity": _("without enough room"),
        }
        removed = [(filters.get(name, name), count) for name, count in refusal.removed if count]
        parts = [f"{count} {word}" for word, count in removed] or [_("none is set up")]
    else:
        return {}
    return {"summary": _("; ").join(parts)}


def level_word(level: int) -> str:
    """Return the name of an MLPS level."""
    words = {1: _("Level 1"), 2: _("Level 2"), 3: _("Level 3"), 4: _("Level 4")}
    return str(words.get(level, level))


def drift_word(name: str) -> str:
    """Return the name of a kind of drift, or of how a finding ended."""
    words = {
        "missing": _("Missing"),
        "unknown": _("Unknown"),
        "different": _("Different"),
        "quota": _("Quota"),
        "repaired": _("Repaired"),
        "accepted": _("Recorded as found"),
        "adopted": _("Adopted"),
        "removed": _("Removed"),
        "vanished": _("Vanished by itself"),
    }
    return str(words.get(name, name))


def drift_field(field: str) -> str:
    """Return the name of something in which a machine can differ from its record."""
    words = {
        "existence": _("Machine"),
        "power": _("Power"),
        "vcpu": _("vCPU"),
        "memory_mib": _("Memory, MiB"),
        "disk_gib": _("Disk, GiB"),
        "data_disks": _("Data disks, GiB"),
        "floating_address": _("Floating address"),
        "snapshot_numbers": _("Snapshots"),
        "boots": _("Reboots"),
        "builds": _("Rebuilds"),
        "adopted": _("Adopted"),
        "department": _("Department"),
        "system": _("Business system"),
        "vm": _("VMs"),
        "network": _("Network"),
        "ingress": _("Ingress"),
        "refusal": _("Refused"),
    }
    return str(words.get(field, field))


def drift_value(value: Any, field: str = "") -> str:
    """Return a value of such a field; a number stays one, and none is a quota without a limit."""
    if value is None and field == "floating_address":
        return str(_("none"))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or str(_("none"))
    words = {
        "None": _("No limit"),
        "on": _("on"),
        "off": _("off"),
        "present": _("there"),
        "absent": _("not there"),
        "incomplete": _("there in part"),
        "True": _("yes"),
        "False": _("no"),
    }
    return str(words.get(str(value), value))


def role_word(role: str) -> str:
    """Return the name of a role."""
    words = {
        "system_admin": _("System administrator"),
        "security_admin": _("Security administrator"),
        "audit_admin": _("Audit administrator"),
        "operator": _("Operator"),
        "department_manager": _("Department manager"),
        "department_member": _("Department member"),
        "auditor": _("Auditor"),
    }
    return str(words.get(role, role))


def in_words(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a refusal as its reader knows them: codes become words."""
    nouns = {
        "department": _("department"),
        "system": _("business system"),
        "image": _("image"),
        "subnet": _("subnet"),
        "snapshot": _("snapshot"),
        "pool": _("pool"),
        "vm": _("virtual machine"),
        "vpn_account": _("VPN account"),
        "VPN group": _("VPN group"),
        "VPN session": _("VPN tunnel"),
        "user name": _("user name"),
        "flavor": _("size"),
        "request": _("request"),
        "action": _("action"),
        "drift": _("drift"),
        "user": _("user"),
        "token": _("token"),
        "webhook": _("webhook"),
        "delivery": _("delivery"),
        "session": _("session"),
        "identity": _("identity"),
        "attachment": _("attachment"),
        "import": _("import"),
        "rule": _("rule"),
        "ingress rule": _("ingress rule"),
        "resource": _("resource"),
    }
    said = dict(values)
    if "noun" in said:
        said["noun"] = nouns.get(said["noun"], said["noun"])
    if isinstance(said.get("name"), str) and (numbered := _NUMBERED.fullmatch(said["name"])):
        said["name"] = _("request %(number)s", number=numbered[1])
    if "state" in said:
        said["state"] = state_word(said["state"])
    if "outcome" in said:
        said["outcome"] = drift_word(said["outcome"])
    if "when" in said:
        said["when"] = _(" or ").join(state_word(state) for state in said["when"].split(" or "))
    if "verb" in said:
        said["verb"] = verb_word(said["verb"])
    if "role" in said:
        said["role"] = role_word(said["role"])
    if "roles" in said:
        said["roles"] = _ROLE.sub(lambda role: role_word(role[0]), said["roles"])
    return said
