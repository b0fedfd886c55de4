"""Tunnels through VPN gateways, and tries to come in."""

from datetime import UTC, datetime

from flask import Response

from controlplane import lookups
from controlplane.services import vpn_sessions as service
from web import present, vpn_present
from web.api.nouns import listing, noun
from web.context import actor, session
from web.schemas import IdPath, WriteQuery
from web.vpn_schemas import VpnLoginQuery, VpnSessionQuery
from web.vpn_shapes import VpnTunnel

api = noun("vpn_sessions", "/vpn-sessions", "Tunnels that are up, and those that were")
logins = noun("vpn_logins", "/vpn-logins", "Tries to come in, with the reason where one failed")
BLUEPRINTS = (api, logins)


@api.get("")
def index(query: VpnSessionQuery) -> Response:
    """List tunnels, newest first"""
    return present.page(lookups.vpn_sessions(session(), actor(), listing(query)), vpn_present.session)


@api.get("/<ref>", responses={200: VpnTunnel})
def show(path: IdPath) -> Response:
    """Show a tunnel"""
    return present.answer(vpn_present.session(lookups.vpn_session_for(session(), actor(), path.ref)))


@api.post("/<ref>/disconnect", responses={202: VpnTunnel})
def disconnect(path: IdPath, query: WriteQuery) -> Response:
    """End a tunnel; whoever had it may come in again"""
    return present.answer(vpn_present.session(service.disconnect(session(), actor(), path.ref, datetime.now(UTC))), 202)


@logins.get("")
def tries(query: VpnLoginQuery) -> Response:
    """List tries to come in, newest first"""
    return present.page(lookups.vpn_logins(session(), actor(), listing(query)), vpn_present.login)
