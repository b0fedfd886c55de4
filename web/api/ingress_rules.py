"""Ingress rules: what departments let in to their machines."""

from flask import Response

from controlplane import lookups
from controlplane.services import ingress as service
from controlplane.services.ingress import NewRule
from web import present
from web.api.nouns import listing, noun
from web.context import actor, own_department, session
from web.schemas import IdPath, IngressBody, IngressQuery, WriteQuery
from web.shapes import IngressRule, IngressRulePage

api = noun(
    "ingress_rules",
    "/ingress-rules",
    "What departments let in to their machines; only pools that keep departments apart (OpenStack) enforce it",
)


@api.get("", responses={200: IngressRulePage})
def index(query: IngressQuery) -> Response:
    """List ingress rules"""
    return present.page(lookups.ingress_rules(session(), actor(), listing(query)), present.ingress_rule)


@api.post("", responses={201: IngressRule})
def create(body: IngressBody, query: WriteQuery) -> Response:
    """Let something in to all machines of a department; pools that keep departments apart follow at once"""
    new = NewRule(own_department(body.department), body.protocol, body.source, body.ports, body.note)
    made = service.create(session(), actor(), new)
    return present.created(present.ingress_rule(made), "/ingress-rules", made)


@api.get("/<ref>", responses={200: IngressRule})
def show(path: IdPath) -> Response:
    """Show an ingress rule"""
    found = lookups.ingress_rule_for(session(), actor(), path.ref)
    return present.answer(present.ingress_rule(found), version=found.version)


@api.delete("/<ref>")
def delete(path: IdPath, query: WriteQuery) -> Response:
    """Let something in no longer; connections that are open may stay so until they end"""
    service.delete(session(), actor(), path.ref)
    return present.answer({})
