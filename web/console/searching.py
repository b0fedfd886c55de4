"""The search box of every page: machines, VPN accounts, departments and systems by any part of what names them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing, Page
from controlplane.policy import allows, authorize
from web import vpn_people
from web.context import actor, entrance, session

_FOUND = 10


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/search", "search", search)


def search() -> str | Redirect:
    """Find machines, VPN accounts, departments and systems"""
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
        "vpn_accounts": _accounts(listing, sought),
        "departments": lookups.departments(session(), actor(), listing),
        "systems": lookups.systems(session(), actor(), listing),
    }
    return render_template("search.html", sought=sought, found=found)


def _accounts(listing: Listing, sought: str) -> Page[Any]:
    """Return the VPN accounts whose user name has the part; where none has, those of the person of this whole name or
    number."""
    found = lookups.vpn_accounts(session(), actor(), listing)
    for person in ("person", "number") if allows(actor(), "vpn.person") else ():
        if not found.items:
            whole = vpn_people.hidden(replace(listing, filters={person: sought}), entrance().keys)
            found = lookups.vpn_accounts(session(), actor(), whole)
    return found


def _by_id(sought: str) -> str | None:
    """Return the page of the thing that has this id."""
    try:
        ref = UUID(sought)
    except ValueError:
        return None
    reads: dict[str, Callable[[], Any]] = {
        "console.vm": lambda: lookups.resource_for(session(), actor(), "vm", ref),
        "console.vpn_account": lambda: lookups.resource_for(session(), actor(), "vpn_account", ref),
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
