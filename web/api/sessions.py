"""Sessions at the console."""

from uuid import UUID

from flask import Response

from controlplane.errors import NotFound
from controlplane.policy import authorize
from controlplane.services import sessions as service
from web import present
from web.api.nouns import noun
from web.context import actor, arrival, entrance, session
from web.schemas import IdPath, WriteQuery

api = noun("sessions", "/sessions", "Sessions at the console that go on")


@api.get("")
def index() -> Response:
    """List the newest 500 sessions: everybody's for who may see them, else one's own"""
    found = service.of_all(session(), actor(), entrance().rules, arrival().now)
    return present.answer({"items": [present.sign_in(s) for s in found]})


@api.delete("/<ref>")
def end(path: IdPath, query: WriteQuery) -> Response:
    """End a session"""
    authorize(actor(), "account.own")
    try:
        ref = UUID(path.ref)
    except ValueError:
        raise NotFound(noun="session", name=path.ref) from None
    service.end(session(), actor(), ref, arrival().now)
    return present.answer({})
