"""The limits of a department in a form: one number a class, in the unit that people use, or no limit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

FIELDS: Mapping[str, tuple[str, int]] = {
    "vm": ("", 1),
    "vcpu": ("", 1),
    "memory_mib": ("GiB", 1024),
    "disk_gib": ("GiB", 1),
}
"""Class -> the unit of its field where that is not the class's own, and how many units of the class one of it is."""

_MOST = 2**40


@dataclass(frozen=True, slots=True)
class Limits:
    """What was read: the limit of each class that was given, None for no limit; or what is wrong with which field."""

    given: Mapping[str, int | None] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def changed(self, before: Mapping[str, Any]) -> dict[str, int | None]:
        """Return the limits that differ from the balances that there are."""
        return {c: limit for c, limit in self.given.items() if c not in before or before[c].limit != limit}


def read(form: Mapping[str, str]) -> Limits:
    """Return the limits that a form asks for. An empty field without its tick leaves its class as it is."""
    given: dict[str, int | None] = {}
    problems: dict[str, str] = {}
    for name, (_unit, factor) in FIELDS.items():
        text = form.get(name, "").strip()
        if form.get(f"{name}_unlimited"):
            given[name] = None
        elif text.isascii() and text.isdigit() and int(text) <= _MOST:
            given[name] = int(text) * factor
        elif text:
            problems[name] = _("A whole number, 0 or more")
    return Limits(given, problems)


def of(balances: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that say the present limits."""
    fields: dict[str, str] = {}
    for name, (_unit, factor) in FIELDS.items():
        if name not in balances:
            continue
        limit = balances[name].limit
        fields |= {f"{name}_unlimited": "1"} if limit is None else {name: str(limit // factor)}
    return fields
