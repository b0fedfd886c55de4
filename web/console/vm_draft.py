"""What the form for new machines says: read, checked field by field in its reader's words, made the service's ask."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from flask_babel import gettext as _
from flask_babel import to_utc

from web.console import catalogue, choosing, sizes

MOST_AT_ONCE = 100
_CODE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?")


@dataclass(slots=True)
class Draft:
    """A form that was read. `problems` are by field; `missing` are the labels of what is still to be filled in.

    `department` is the one that was named, None while it is not known; `items` are the specs, empty until all is there.
    """

    department: Any = None
    items: Sequence[Mapping[str, Any]] = ()
    problems: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def read(form: Mapping[str, str]) -> Draft:
    """Return what a form asks for, as far as it does."""
    draft = Draft()
    draft.department = choosing.read(form.get("department", ""), draft.problems, draft.missing)
    spec: dict[str, Any] = {}
    for name, label in (("system", _("System")), ("name", _("Name")), ("image", _("Image"))):
        spec[name] = form.get(name, "").strip()
        if not spec[name]:
            draft.missing.append(label)
    if spec["name"] and not _CODE.fullmatch(spec["name"]):
        draft.problems["name"] = _(
            "Lower-case letters, digits, dots and dashes, up to 63; the ends a letter or a digit."
        )
    spec["subnets"] = [form[name] for name in ("subnet4", "subnet6") if form.get(name)]
    if not spec["subnets"]:
        draft.missing.append(_("Subnet"))
    if form.get("floating_subnet"):
        spec["floating_subnet"] = form["floating_subnet"]
        if not form.get("subnet4"):
            draft.problems["floating_subnet"] = _("It leads to an IPv4 address: choose an IPv4 subnet too.")
    size = sizes.read(form, catalogue.flavors())
    draft.problems |= size.problems
    _check_disk(size, spec["image"], draft)
    spec |= size.body | _more(form, draft)
    count = _count(form, draft)
    if not draft.problems and not draft.missing:
        draft.items = [{**spec, "name": name} for name in _names(spec["name"], count)]
    return draft


def _check_disk(size: sizes.Size, image: str, draft: Draft) -> None:
    least = next((i.min_disk_gib for i in catalogue.images() if i.code == image), 0)
    if size.disk_gib is not None and size.disk_gib < least:
        words = _("This image needs a disk of at least %(least)s GiB.", least=least)
        draft.problems["image"] = words


def _count(form: Mapping[str, str], draft: Draft) -> int:
    text = form.get("count", "").strip() or "1"
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_AT_ONCE:
        return int(text)
    draft.problems["count"] = _("A whole number from 1 to %(most)s", most=MOST_AT_ONCE)
    return 1


def _names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}-{number:02}" for number in range(1, count + 1)]


def _more(form: Mapping[str, str], draft: Draft) -> dict[str, Any]:
    """Return what need not be said: keys, user data, spreading, lease."""
    more: dict[str, Any] = {}
    keys = [line.strip() for line in form.get("ssh_keys", "").splitlines() if line.strip()]
    if keys:
        more["ssh_keys"] = keys
    wrong = [number for number, key in enumerate(keys, 1) if not _KEY.fullmatch(key)]
    if wrong:
        draft.problems["ssh_keys"] = _("Line %(number)s is no public key.", number=wrong[0])
    if form.get("user_data", "").strip():
        more["user_data"] = form["user_data"].replace("\r\n", "\n")
    group = form.get("anti_affinity", "").strip()
    if group:
        more["anti_affinity"] = group
        if not _CODE.fullmatch(group):
            draft.problems["anti_affinity"] = _("Lower-case letters, digits, dots and dashes.")
    if form.get("lease_until"):
        more |= _lease(form["lease_until"], draft)
    return more


def _lease(text: str, draft: Draft) -> dict[str, str]:
    try:
        end = datetime.combine(date.fromisoformat(text), time(23, 59, 59))
        return {"lease_until": to_utc(end).replace(tzinfo=UTC).isoformat()}
    except ValueError:
        draft.problems["lease_until"] = _("A date, as in 2027-12-31.")
        return {}
