"""The search box of every page: machines, departments and systems by any part of what names them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing
from controlplane.policy import authorize
from web.context import actor, session

_FOUND = 10


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/search", "search", search)


def search() -> str | Redirect:
    """Find machines, departments and systems"""
    authorize(actor(), "resource.read")
    sought = request.args.get("q", "").strip()
    if not sought:
        return render_template("search.html", sought="", found=None)
    by_id = _by_id(sought)
    if by_id:
        return redirect(by_id)
    listing = Listing(_FOUND, None, "name", {"q": sought}, counted=True)
    found = {
        "vms": lookups.resources(session(), actor(), "vm", listing),
        "departments": lookups.departments(session(), actor(), listing),
        "systems": lookups.systems(session(), actor(), listing),
    }
    return render_template("search.html", sought=sought, found=found)


def _by_id(sought: str) -> str | None:
    """Return the page of the thing that has this id."""
    try:
        ref = UUID(sought)
    except ValueError:
        return None
    reads: dict[str, Callable[[], Any]] = {
        "console.vm": lambda: lookups.resource_for(session(), actor(), "vm", ref),
        "console.department": lambda: lookups.department_for(session(), actor(), ref, "department.read"),
        "console.system": lambda: lookups.system_for(session(), actor(), ref, "system.read"),
    }
    for endpoint, read in reads.items():
        try:
            read()
        except NotFound:
            continue
        return url_for(endpoint, ref=ref)
    return None
