"""What the form for a new VPN account says: read, checked field by field in its reader's words, made the ask's row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from pydantic import ValidationError

from controlplane.errors import Invalid
from controlplane.vpn_rows import VpnAccountRow
from web.console import choosing, dates

_PERSON = ("name", "number", "phone", "mail")


@dataclass(slots=True)
class Draft:
    """A form that was read. `problems` are by field; `missing` are the labels of what is still to be filled in.

    `department` is the one that was named, None while it is not known; `row` is None until all is there.
    """

    department: Any = None
    row: VpnAccountRow | None = None
    problems: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def read(form: Mapping[str, str]) -> Draft:
    """Return what a form asks for, as far as it does."""
    draft = Draft()
    said = {name: value.strip() for name, value in form.items() if value.strip()}
    draft.department = choosing.read(form.get("department", ""), draft.problems, draft.missing)
    for name, label in (("name", _("Name of the person")), ("number", _("Staff number"))):
        if name not in said:
            draft.missing.append(label)
    row: dict[str, Any] = {n: said[n] for n in ("username", "system", "gateway", "max_sessions") if n in said}
    row["person"] = {name: said[name] for name in _PERSON if name in said}
    if "lease_until" in said:
        row["lease_until"] = _lease(said["lease_until"], draft)
    if not draft.missing:
        draft.row = _row(row, draft)
    if draft.problems:
        draft.row = None
    return draft


def beside(refused: Mapping[str, Any]) -> str:
    """Return the field that the values of a refusal are about; nothing where it is about the whole."""
    said = str(refused.get("field") or refused.get("noun") or "")
    named = {"user name": "username", "person.number": "number", "pool": "gateway"}
    place = named.get(said, said)
    return place if place in {"username", "number", "gateway", "system", "department", "lease_until"} else ""


def _lease(text: str, draft: Draft) -> Any:
    try:
        return dates.end_of("lease_until", text)
    except Invalid as refusal:
        draft.problems["lease_until"] = str(refusal.values["reason"])
        return None


def _row(given: Mapping[str, Any], draft: Draft) -> VpnAccountRow | None:
    try:
        return VpnAccountRow.model_validate(given)
    except ValidationError as error:
        names = {str(problem["loc"][-1]) for problem in error.errors()}
        draft.problems |= {name: _words(name) for name in sorted(names)}
        return None


def _words(name: str) -> str:
    words = {
        "username": _("Lower-case letters, digits, dots and dashes, up to 64; the ends a letter or a digit."),
        "phone": _("Digits, spaces and dashes, 5 to 24"),
        "mail": _("An e-mail address, as in name@example.cn"),
        "max_sessions": _("A whole number from 1 to %(most)s", most=10),
        "name": _("1 to 64 letters"),
        "number": _("1 to 64 letters"),
    }
    return str(words.get(name, _("This is not of the form that it should have.")))
