"""The centre as a whole: its bulletin, and who is asking."""

from datetime import UTC, datetime

from flask import Response

from controlplane.policy import ACTIONS, allows, authorize
from controlplane.reports import bulletin as reports
from web import present
from web.api.nouns import noun
from web.context import actor, session
from web.schemas import InstantQuery

api = noun("centre", "", "The centre's headline figures, and who the caller is")


@api.get("/centre/bulletin")
def bulletin(query: InstantQuery) -> Response:
    """The headline figures, as of any instant"""
    return present.answer(reports.bulletin(session(), actor(), query.at or datetime.now(UTC)))


@api.get("/whoami")
def whoami() -> Response:
    """Who the token is, and what its role may do"""
    who = actor()
    authorize(who, "account.own")
    may = sorted(action for action in ACTIONS if allows(who, action))
    department = str(who.department) if who.department else None
    return present.answer({"name": who.name, "kind": who.kind, "role": who.role, "department": department, "may": may})
