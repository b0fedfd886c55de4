"""Subnets: which addresses there are, whose own they are, and how many are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.paging import Listing, Page
from web.console import choosing, places
from web.console.lists import Column, Table, file, shown
from web.context import actor, session
from web.words import called


@dataclass(frozen=True, slots=True)
class Row:
    """A subnet with how many addresses are given, as far as the reader may know, and how many it can give in all."""

    subnet: Any
    claimed: int
    usable: int

    @property
    def id(self) -> UUID:
        return UUID(str(self.subnet.id))

    @property
    def free(self) -> int | None:
        """How many are left; None where nobody counts them: of IPv6, and for those who see not all that are given."""
        return self.usable - self.claimed if _sees_all() and ":" not in self.subnet.cidr else None


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/subnets", "subnets", index)
    pages.add_url_rule("/subnets.csv", "subnets_csv", export)


def index() -> str | Redirect:
    """List subnets"""
    moved = choosing.canonical("console.subnets")
    return (
        redirect(moved)
        if moved
        else render_template("subnets.html", list=shown(_table()), kept=kept, use_word=use_word)
    )


def export() -> Response:
    """List subnets as a file"""
    return file(_table())


def _fetch(listing: Listing) -> Page[Row]:
    found = lookups.subnets(session(), actor(), listing)
    counts: Mapping[UUID, dict[str, int]] = lookups.addresses_of(session(), found.items)
    return found.of([Row(subnet, **counts[subnet.id]) for subnet in found.items])


def _table() -> Table:
    return Table(
        id="subnets",
        label=_("Subnets"),
        endpoint="console.subnets",
        sort="code",
        columns=[
            Column("name", _("Name"), lambda r: called(r.subnet), sortable=True),
            Column("code", _("Code name"), lambda r: r.subnet.code, sortable=True),
            Column("cidr", _("Range"), lambda r: r.subnet.cidr),
            Column("claimed", _("Given") if _sees_all() else _("Given to us"), lambda r: r.claimed, numeric=True),
            *([Column("free", _("Free"), lambda r: r.free, numeric=True)] if _sees_all() else []),
            Column("use", _("Use"), lambda r: use_word(r.subnet)),
            Column("department", _("Whose own"), _owner),
            Column("network", _("Network"), lambda r: r.subnet.network),
            Column("site", _("Site"), lambda r: called(r.subnet.site)),
            Column("gateway", _("Gateway"), lambda r: r.subnet.gateway),
            Column("dns", _("Name servers"), lambda r: " ".join(r.subnet.dns), at_first=False),
            Column("kept", _("Never given"), lambda r: " ".join(kept(r.subnet)), at_first=False),
        ],
        filters=places.departments(),
        fetch=_fetch,
        nothing={
            "title": _("No subnet yet"),
            "advice": _("A subnet is set up by the command line or the API; machines get their addresses of it."),
            "url": None,
            "action": None,
        },
    )


def use_word(subnet: Any) -> str:
    """Return what the addresses of a subnet are for."""
    return str(_("Floating addresses") if subnet.floating else _("Addresses of machines"))


def _owner(row: Row) -> str | None:
    return called(row.subnet.department) if row.subnet.department else None


def kept(subnet: Any) -> list[str]:
    """Return the ranges that are kept back or left out."""
    return [*subnet.reserved, *subnet.excluded]


def _sees_all() -> bool:
    return actor().scope is None
