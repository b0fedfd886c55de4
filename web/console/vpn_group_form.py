"""What the form of a VPN group says: read, checked field by field in its reader's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from pydantic import BaseModel, ValidationError

from web.vpn_schemas import VpnGroupBody, VpnGroupChange

_WORDS = ("gateway", "system", "cidr", "username_rule")
_NUMBERS = ("prefix", "session_minutes", "idle_minutes", "down_kbit", "up_kbit")
AT_FIRST = {"prefix": "24", "session_minutes": "720", "idle_minutes": "30"}


@dataclass(slots=True)
class Read:
    """A form that was read: `said` is what the schema made of it, None while `problems` (by field) are left."""

    said: Any = None
    problems: dict[str, str] = field(default_factory=dict)


def new(form: Mapping[str, str], department: Any) -> Read:
    """Return the group that a form wants opened, for a department, None where none is named."""
    given = {name: value for name, value in _given(form).items() if value is not None}
    # The block itself takes the place of how large it is.
    if "cidr" in given:
        given.pop("prefix", None)
    found = _read(VpnGroupBody, {**given, "department": department.code if department else "-"})
    if department is None:
        found.problems["department"] = _("No department, or more than one, is called this; choose one of the list.")
    return found


def change(form: Mapping[str, str]) -> Read:
    """Return what a form wants changed of a group: all that can be. A rate that is left empty is no limit."""
    given = {name: value for name, value in _given(form).items() if name in VpnGroupChange.model_fields}
    # What cannot be emptied is wrong when it is, like a number that is too small.
    clearable = VpnGroupChange.CLEARABLE
    return _read(VpnGroupChange, {n: 0 if v is None and n not in clearable else v for n, v in given.items()})


def of(group: Any) -> dict[str, str]:
    """Return the fields that say a group."""
    fields = {name: getattr(group, name) for name in (*_NUMBERS[1:], "username_rule")}
    form = {name: "" if value is None else str(value) for name, value in fields.items()}
    return {**form, "networks": "\n".join(group.networks), "second_factor": "1" if group.second_factor else ""}


def _given(form: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {name: form.get(name, "").strip() or None for name in (*_WORDS, *_NUMBERS)}
    given["networks"] = form.get("networks", "").replace(",", " ").split()
    given["second_factor"] = bool(form.get("second_factor"))
    return given


def _read(schema: type[BaseModel], given: Mapping[str, Any]) -> Read:
    try:
        return Read(schema.model_validate(given))
    except ValidationError as error:
        names = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        return Read(problems={name: _words(name) for name in sorted(names - {"department"})})


def _words(name: str) -> str:
    minutes = _("A whole number of minutes, 1 to 10080")
    rate = _("A whole number of kbit/s, 8 to 10000000; empty: no limit")
    words = {
        "gateway": _("Choose one."),
        "prefix": _("A whole number from 8 to 126"),
        "session_minutes": minutes,
        "idle_minutes": minutes,
        "down_kbit": rate,
        "up_kbit": rate,
        "networks": _("At most 200 networks, one a line, as in 10.1.0.0/24"),
        "username_rule": _("Lower-case letters, digits, dots and dashes, with {number} and {department}"),
    }
    return str(words.get(name, _("This is not of the form that it should have.")))
