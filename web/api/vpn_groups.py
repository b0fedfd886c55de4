"""What departments have at VPN gateways."""

from flask import Response

from controlplane import lookups
from controlplane.services import vpn_groups as service
from web import present, vpn_present
from web.api.nouns import listing, noun
from web.context import actor, session, version
from web.schemas import IdPath, WriteQuery
from web.vpn_schemas import VpnGroupBody, VpnGroupChange, VpnGroupQuery

api = noun("vpn_groups", "/vpn-groups", "What accounts of a department share at a VPN gateway")
_PLACE = frozenset({"gateway", "department", "system", "prefix", "cidr", "networks"})


@api.get("")
def index(query: VpnGroupQuery) -> Response:
    """List groups"""
    return present.page(lookups.vpn_groups(session(), actor(), listing(query)), vpn_present.group)


@api.post("")
def create(body: VpnGroupBody, query: WriteQuery) -> Response:
    """Give a department, or one of its systems, a group at a gateway"""
    new = service.NewGroup(**body.model_dump(include=set(_PLACE)), more=body.model_dump(exclude=set(_PLACE)))
    made = service.create(session(), actor(), new)
    return present.created(vpn_present.group(made), "/vpn-groups", made)


@api.get("/<ref>")
def show(path: IdPath) -> Response:
    """Show a group"""
    found = lookups.vpn_group_for(session(), actor(), path.ref)
    return present.answer(vpn_present.group(found), version=found.version)


@api.patch("/<ref>")
def update(path: IdPath, body: VpnGroupChange, query: WriteQuery) -> Response:
    """Change what a group reaches, its times, rates, rule and second factor"""
    changed = service.update(session(), actor(), path.ref, body.model_dump(exclude_unset=True), version())
    return present.answer(vpn_present.group(changed), version=changed.version)


@api.delete("/<ref>")
def delete(path: IdPath, query: WriteQuery) -> Response:
    """Take a group that carries no accounts from its gateway"""
    service.delete(session(), actor(), path.ref)
    return present.answer({})
