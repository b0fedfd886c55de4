"""Tunnels through VPN gateways, and tries to come in: two lists, and the order that ends a tunnel."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as Redirect

from controlplane import lookups
from controlplane.paging import Listing, Page
from controlplane.policy import allows
from controlplane.services import vpn_sessions as service
from web.console import choosing, places
from web.console.lists import Column, Filter, Table, file, shown
from web.console.returning import local
from web.console.vpn_accounts import KIND
from web.context import actor, session
from web.vpn_words import REASONS, cause_word, lasted, reason_word, refused_word
from web.words import called

REFRESH_SECONDS = 10


def register(pages: Blueprint) -> None:
    """Add the pages of this file."""
    pages.add_url_rule("/vpn-sessions", "vpn_sessions", index)
    pages.add_url_rule("/vpn-sessions.csv", "vpn_sessions_csv", export)
    pages.add_url_rule("/vpn-sessions/<int:ref>/disconnect", "vpn_session_disconnect", disconnect, methods=["POST"])
    pages.add_url_rule("/vpn-logins", "vpn_logins", logins)
    pages.add_url_rule("/vpn-logins.csv", "vpn_logins_csv", logins_export)


def index() -> str | Redirect:
    """List tunnels, those that are up unless asked otherwise"""
    moved = choosing.canonical("console.vpn_sessions")
    if moved:
        return redirect(moved)
    return render_template("vpn/tunnels.html", list=shown(_tunnels()), may_operate=allows(actor(), "resource.operate"))


def export() -> Response:
    """List tunnels as a file"""
    return file(_tunnels())


def disconnect(ref: int) -> Redirect:
    """End a tunnel; whoever had it may come in again"""
    tunnel = service.disconnect(session(), actor(), ref, datetime.now(UTC))
    flash(_("The tunnel of %(name)s is being disconnected.", name=tunnel.username), "good")
    return redirect(local(request.form.get("next"), url_for("console.vpn_sessions")))


def logins() -> str | Redirect:
    """List tries to come in, newest first"""
    moved = choosing.canonical("console.vpn_logins")
    return redirect(moved) if moved else render_template("vpn/logins.html", list=shown(_logins()))


def logins_export() -> Response:
    """List tries to come in as a file"""
    return file(_logins())


def _fetch(listing: Listing) -> Page[Any]:
    """Read a page; without a word on it, of what is up."""
    said = listing.filters.get("up") or "true"
    filters = {name: value for name, value in listing.filters.items() if name != "up"}
    return lookups.vpn_sessions(
        session(), actor(), replace(listing, filters=filters if said == "any" else {**filters, "up": said})
    )


def _of_somebody() -> list[Filter]:
    filters = [Filter("username", _("User name"), typed="text"), *places.departments()]
    filters += places.pools(KIND, _("Gateway"), "gateway")
    if request.args.get("account"):
        filters.append(Filter("account", _("Account"), said=request.args["account"][-8:]))
    return filters


def _tunnels() -> Table:
    up = [("true", _("Up now")), ("false", _("Over")), ("any", _("Both"))]
    return Table(
        id="vpn-sessions",
        label=_("VPN tunnels"),
        endpoint="console.vpn_sessions",
        sort="-started",
        columns=[
            Column("username", _("User name"), lambda s: s.username),
            Column("department", _("Department"), lambda s: called(s.department) if s.department else None),
            Column("gateway", _("Gateway"), lambda s: s.gateway),
            Column("started", _("Since"), lambda s: s.started, sortable=True),
            Column("lasted", _("Lasted"), lambda s: lasted(s.seconds), numeric=True),
            Column("client", _("From"), lambda s: str(s.client) if s.client else None),
            Column("address", _("Address in the tunnel"), lambda s: str(s.address) if s.address else None),
            # What the gateway received is what the user sent.
            Column("bytes_in", _("Sent by the user"), lambda s: s.bytes_in, "B", numeric=True),
            Column("bytes_out", _("Received by the user"), lambda s: s.bytes_out, "B", numeric=True),
            Column("end", _("End"), _end),
            Column("stopped", _("Ended"), lambda s: s.stopped, at_first=False),
        ],
        filters=[Filter("up", _("Shown"), up), *_of_somebody()],
        fetch=_fetch,
        more_filters=(),
        every=REFRESH_SECONDS,
        nothing={
            "title": _("No tunnel is up"),
            "advice": _("As soon as somebody comes in, the tunnel stands here."),
            "url": url_for("console.vpn_sessions", up="any"),
            "action": _("Show those that are over too"),
        },
    )


def _end(tunnel: Any) -> str:
    """Return how a tunnel ended, or that it is to."""
    if tunnel.stopped:
        return cause_word(tunnel.cause) or str(_("Over"))
    return str(_("Being disconnected") if tunnel.end_ordered_at else _("Up"))


def _logins() -> Table:
    return Table(
        id="vpn-logins",
        label=_("VPN logins"),
        endpoint="console.vpn_logins",
        sort="-at",
        columns=[
            Column("username", _("User name"), lambda one: one.username),
            Column("at", _("Time"), lambda one: one.at, sortable=True),
            Column("accepted", _("Outcome"), lambda one: _("Let in") if one.accepted else _("Not let in")),
            Column("reason", _("Why not"), lambda one: refused_word(one.username, one.reason)),
            Column("department", _("Department"), lambda one: called(one.department) if one.department else None),
            Column("gateway", _("Gateway"), lambda one: one.gateway),
            Column("client", _("From"), lambda one: str(one.client) if one.client else None),
        ],
        filters=[
            Filter("accepted", _("Outcome"), [("true", _("Let in")), ("false", _("Not let in"))]),
            Filter("reason", _("Why not"), [(reason, reason_word(reason)) for reason in REASONS]),
            *_of_somebody(),
        ],
        fetch=lambda listing: lookups.vpn_logins(session(), actor(), listing),
        more_filters=(),
        every=REFRESH_SECONDS,
        nothing={
            "title": _("Nobody has tried to come in yet"),
            "advice": _("Every try stands here, with the reason where somebody was not let in."),
            "url": None,
            "action": None,
        },
    )
