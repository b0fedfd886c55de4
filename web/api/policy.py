"""The table of who may do what."""

from flask import Response

from controlplane.policy import ROLES, authorize, table
from web import present
from web.api.nouns import noun
from web.context import actor

api = noun("policy", "/policy", "Which role may do what")


@api.get("")
def index() -> Response:
    """Show for each action which roles may do it"""
    authorize(actor(), "policy.read")
    return present.answer({"roles": ROLES, "items": table()})
