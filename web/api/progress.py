"""Links under which a request can be followed without an account."""

from flask import Response

from controlplane import lookups
from controlplane.services import progress_links as service
from web import present
from web.api.nouns import noun
from web.context import actor, arrival, session
from web.published import LinkBody, ProgressLink, address, progress_link
from web.schemas import IdPath, WriteQuery

api = noun("requests_progress", "/requests", "Links under which a request can be followed without an account")


@api.get("/<ref>/progress-link", responses={200: ProgressLink})
def show(path: IdPath) -> Response:
    """Show the link to a request's progress, if one is good"""
    found = lookups.request_for(session(), actor(), path.ref, "request.ask")
    link = service.link_of(found, arrival().now)
    return present.answer(progress_link(address(link) if link else None, link.until if link else None))


@api.post("/<ref>/progress-link", responses={201: ProgressLink})
def make(path: IdPath, body: LinkBody, query: WriteQuery) -> Response:
    """Make a link to a request's progress; the one before is good no longer"""
    link = service.make(session(), actor(), path.ref, body.days, arrival().now)
    return present.answer(progress_link(address(link), link.until), 201)


@api.delete("/<ref>/progress-link")
def revoke(path: IdPath, query: WriteQuery) -> Response:
    """End the link to a request's progress"""
    service.revoke(session(), actor(), path.ref)
    return present.answer({})
