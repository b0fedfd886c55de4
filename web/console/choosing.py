"""Choosing one of very many: a field that offers names as one types, and what was typed made a thing again."""

import re
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing
from web.console.lists import Filter
from web.context import actor, session
from web.words import called

_OFFERED = 200
_CODE_AT_THE_END = re.compile(r"[(（]\s*([a-z0-9][a-z0-9.-]*)\s*[)）]\s*$")


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/choices/departments", "department_choices", departments)


def departments() -> str:
    """Offer departments whose name or code has what was typed"""
    typed = next((value for value in request.args.values() if value), "")
    sought = {} if not typed or _CODE_AT_THE_END.search(typed) else {"q": typed}
    found = lookups.departments(session(), actor(), Listing(_OFFERED, None, "name", sought))
    return render_template("parts/choices.html", choices=[written(d) for d in found.items])


def written(department: Any) -> str:
    """Return how a department stands in a field: its name, then its code, which tells two of one name apart."""
    return f"{called(department)} ({department.code})"


def department(typed: str) -> Any:
    """Return the department that was typed: as `written`, by code, or by a part of its name that only it has.

    Raises NotFound.
    """
    typed = typed.strip()
    code = _CODE_AT_THE_END.search(typed)
    try:
        return lookups.department_for(session(), actor(), code[1] if code else typed, "department.read")
    except NotFound:
        found = lookups.departments(session(), actor(), Listing(_OFFERED, None, "name", {"q": typed or "-"})).items
        exact = [d for d in found if typed in {d.name, d.name_en}]
        if len(exact or found) == 1:
            return (exact or found)[0]
        raise


def read(typed: str, problems: dict[str, str], missing: list[str]) -> Any:
    """Return the department that a form names; None where it names none, which is said in `problems` or `missing`."""
    if not typed.strip():
        missing.append(_("Department"))
        return None
    try:
        return department(typed)
    except NotFound:
        problems["department"] = _("No department, or more than one, is called this; choose one of the list.")
        return None


def canonical(endpoint: str) -> str | None:
    """Return the address of this list with the department that was typed replaced by its code; None where it is one."""
    typed = request.args.get("department", "")
    if not typed:
        return None
    try:
        found = department(typed)
    except NotFound:
        return None
    if typed in {found.code, str(found.id)}:
        return None
    kept: dict[str, Any] = {name: request.args.getlist(name) for name in request.args if name != "cursor"}
    return url_for(endpoint, **{**kept, "department": found.code})


def filter_of_departments() -> Filter:
    """Return the filter of a list by department, which says the chosen one by its name."""
    chosen = request.args.get("department", "")
    try:
        said = called(lookups.department_for(session(), actor(), chosen, "department.read")) if chosen else ""
    except NotFound:
        said = chosen
    return Filter("department", _("Department"), said=said, choices=url_for("console.department_choices"))
