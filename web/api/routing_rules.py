"""Rules: who has to approve what."""

from flask import Response, url_for

from controlplane import lookups
from controlplane.services import routing
from controlplane.services.routing import RuleOf
from web import present
from web.api.nouns import noun
from web.context import actor, session, version
from web.request_schemas import NewRuleBody, RuleBody
from web.schemas import RefPath, WriteQuery
from web.shapes import RuleShape

api = noun("routing_rules", "/routing-rules", "Who has to approve what")


@api.get("")
def index() -> Response:
    """List all rules; what none of them applies to needs nobody's approval"""
    return present.answer({"items": [present.rule(r) for r in lookups.routing_rules(session(), actor())]})


@api.get("/<ref>", responses={200: RuleShape})
def show(path: RefPath) -> Response:
    """Show a rule"""
    found = lookups.routing_rule_for(session(), actor(), path.ref)
    return present.answer(present.rule(found), version=found.version)


@api.post("", responses={201: RuleShape})
def create(body: NewRuleBody, query: WriteQuery) -> Response:
    """Add a rule, for requests from now on"""
    made = routing.create(session(), actor(), body.code, _rule(body))
    answer = present.answer(present.rule(made), 201, version=made.version)
    answer.headers["Location"] = url_for("routing_rules.show", ref=made.code)
    return answer


@api.put("/<ref>", responses={200: RuleShape})
def change(path: RefPath, body: RuleBody, query: WriteQuery) -> Response:
    """Have a rule say something else"""
    made = routing.change(session(), actor(), path.ref, _rule(body), version())
    return present.answer(present.rule(made), version=made.version)


@api.delete("/<ref>")
def delete(path: RefPath, query: WriteQuery) -> Response:
    """Remove a rule; what it demanded already stays demanded"""
    routing.delete(session(), actor(), path.ref)
    return present.answer({})


def _rule(body: RuleBody) -> RuleOf:
    return RuleOf(body.name, body.name_en, body.enabled, body.applies, body.steps)
