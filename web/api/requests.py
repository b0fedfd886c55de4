"""Requests: what was asked, and how far it is."""

from flask import Response

from controlplane import lookups
from web import present
from web.api.nouns import listing, noun
from web.context import actor, session
from web.schemas import IdPath, RequestQuery

api = noun("requests", "/requests", "Asks of departments")


@api.get("")
def index(query: RequestQuery) -> Response:
    """List requests"""
    found = lookups.requests(session(), actor(), listing(query))
    progress = lookups.progress(session(), [r.id for r in found.items])
    return present.page(found, lambda r: present.asked(r, progress[r.id]))


@api.get("/<ref>")
def show(path: IdPath) -> Response:
    """Show a request with the states of what it made"""
    found = lookups.request_for(session(), actor(), path.ref)
    progress = lookups.progress(session(), [found.id])[found.id]
    return present.answer(present.asked(found, progress), version=found.version)
