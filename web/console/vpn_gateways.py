"""VPN gateways: how many seats each has, whom it serves, how it is."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template
from flask_babel import gettext as _

from controlplane import lookups
from controlplane.errors import NotFound
from controlplane.paging import Listing, Page
from controlplane.policy import allows
from controlplane.reports import quota
from controlplane.reports import vpn as report
from web.console import places
from web.console.lists import Column, Table, file, shown
from web.console.vpn_accounts import KIND
from web.context import actor, session
from web.words import called

REFRESH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway with its figures: `seats` is its balance in the ledger, `check` when it was last looked at."""

    pool: Any
    seats: Any
    figures: report.GatewayFigures
    check: Any

    @property
    def id(self) -> UUID:
        return UUID(str(self.pool.id))


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group, and how many of its tunnels are up."""

    group: Any
    tunnels: int

    @property
    def id(self) -> UUID:
        return UUID(str(self.group.id))


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-gateways", "vpn_gateways", index)
    pages.add_url_rule("/vpn-gateways.csv", "vpn_gateways_csv", export)
    pages.add_url_rule("/vpn-gateways/<ref>", "vpn_gateway", show)
    pages.add_url_rule("/vpn-gateways/<ref>/groups.csv", "vpn_gateway_csv", groups_export)


def index() -> str:
    """List VPN gateways"""
    return render_template("vpn/gateways.html", list={**shown(_gateways()), "search": None}, state=health)


def export() -> Response:
    """List VPN gateways as a file"""
    return file(_gateways())


def show(ref: str) -> str:
    """Show a gateway and its groups"""
    [gateway] = _with_figures([_pool(ref)])
    return render_template(
        "vpn/gateway.html",
        gateway=gateway,
        state=health(gateway.check),
        clients=gateway.pool.connection.get("clients"),
        list=shown(_groups(gateway.pool)),
        may_write=allows(actor(), "pool.write"),
    )


def groups_export(ref: str) -> Response:
    """List the groups of a gateway as a file"""
    return file(_groups(_pool(ref)))


def health(check: Any) -> tuple[str, str, str]:
    """Return how a gateway is: the word, the tone and the icon."""
    if check is None:
        return _("Not looked at yet"), "idle", "clock"
    return (_("In trouble"), "bad", "alert-triangle") if check.trouble else (_("In order"), "good", "circle-check")


def _pool(ref: str) -> Any:
    pool = lookups.pool_for(session(), actor(), ref)
    if pool.kind != KIND:
        raise NotFound(noun="pool", name=ref)
    return pool


def _with_figures(pools: Any) -> list[Gateway]:
    """Return gateways with their figures: as many reads for one as for fifty."""
    balances = quota.of_pools(session(), actor(), [pool.id for pool in pools])
    figures = report.of_gateways(session(), actor(), pools)
    checks = lookups.checks_of(session(), actor(), [pool.id for pool in pools])
    seats = {pool: next((b for b in found if b.resource_class == KIND), None) for pool, found in balances.items()}
    return [Gateway(pool, seats.get(pool.id), figures[pool.id], checks.get(pool.id)) for pool in pools]


def _fetch_gateways(listing: Listing) -> Page[Gateway]:
    found = lookups.pools(session(), actor(), replace(listing, filters={"kind": KIND}))
    return found.of(_with_figures(found.items))


def _gateways() -> Table:
    return Table(
        id="vpn-gateways",
        label=_("VPN gateways"),
        endpoint="console.vpn_gateways",
        sort="code",
        columns=[
            Column("name", _("Name"), lambda g: called(g.pool), sortable=True),
            Column("code", _("Code name"), lambda g: g.pool.code, sortable=True),
            Column("site", _("Site"), lambda g: called(g.pool.site)),
            Column("health", _("State"), lambda g: health(g.check)[0]),
            Column("seats", _("Seats taken"), lambda g: g.seats.used + g.seats.held if g.seats else 0, numeric=True),
            Column("tunnels", _("Tunnels up"), lambda g: g.figures.tunnels, numeric=True),
            Column("groups", _("Groups"), lambda g: g.figures.groups, numeric=True),
            Column("checked_at", _("Last looked at"), lambda g: g.check and g.check.at),
            Column("trouble", _("What is the matter"), lambda g: g.check and g.check.trouble),
        ],
        filters=[],
        fetch=_fetch_gateways,
        more_filters=(),
        every=REFRESH_SECONDS,
        nothing={
            "title": _("No VPN gateway yet"),
            "advice": _("A gateway is set up by its playbook and registered as a pool by command line or API."),
            "url": None,
            "action": None,
        },
    )


def _groups(gateway: Any) -> Table:
    up = report.tunnels_of_groups(session(), actor(), gateway)

    def fetch(listing: Listing) -> Page[GroupRow]:
        asked = replace(listing, filters={**listing.filters, "gateway": str(gateway.id)})
        found = lookups.vpn_groups(session(), actor(), asked)
        return found.of([GroupRow(g, up[g.department_id, g.system_id]) for g in found.items])

    return Table(
        id="vpn-groups",
        label=_("Groups"),
        endpoint="console.vpn_gateway",
        place={"ref": gateway.code},
        sort="name",
        columns=[
            Column("name", _("Group"), lambda r: r.group.name, sortable=True),
            Column("department", _("Department"), lambda r: called(r.group.department)),
            Column("system", _("System"), lambda r: called(r.group.system) if r.group.system else None),
            Column("cidr", _("Block of addresses"), lambda r: r.group.cidr),
            Column("networks", _("Reaches"), lambda r: " ".join(r.group.networks)),
            Column("down_kbit", _("To the user"), lambda r: r.group.down_kbit, "kbit/s", numeric=True),
            Column("up_kbit", _("From the user"), lambda r: r.group.up_kbit, "kbit/s", numeric=True),
            Column("tunnels", _("Tunnels up"), lambda r: r.tunnels, numeric=True),
            Column("times", _("Longest, idle"), _times, "min", at_first=False),
        ],
        filters=[*places.departments()],
        fetch=fetch,
        more_filters=(),
        nothing={
            "title": _("This gateway serves nobody yet"),
            "advice": _("Open a group for a department: it says what its accounts reach."),
            "url": None,
            "action": None,
        },
    )


def _times(row: GroupRow) -> str:
    return f"{row.group.session_minutes} / {row.group.idle_minutes}"
