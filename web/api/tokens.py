"""API tokens."""

from uuid import UUID

from flask import Response

from controlplane.errors import NotFound
from controlplane.policy import authorize
from controlplane.services import api_tokens as service
from controlplane.services.api_tokens import NewToken
from web import present
from web.api.nouns import noun
from web.context import actor, arrival, entrance, session
from web.schemas import IdPath, TokenBody, WriteQuery

api = noun("tokens", "/tokens", "Secrets that stand for a person or a program")


@api.get("")
def index() -> Response:
    """List one's own tokens, and those of others that one may see; secrets are never shown again"""
    return present.answer({"items": [present.token(t) for t in service.tokens(session(), actor())]})


@api.post("")
def create(body: TokenBody, query: WriteQuery) -> Response:
    """Create a token; its secret is in this answer alone"""
    actions = tuple(body.actions) if body.actions is not None else None
    new = NewToken(body.name, body.user, body.department, actions, body.expires_at)
    made, secret = service.create(session(), actor(), entrance().rules, new, arrival().now)
    return present.answer({**present.token(made), "secret": secret}, 201)


@api.delete("/<ref>")
def revoke(path: IdPath, query: WriteQuery) -> Response:
    """End a token"""
    authorize(actor(), "account.own")
    try:
        token = UUID(path.ref)
    except ValueError:
        raise NotFound(noun="token", name=path.ref) from None
    service.revoke(session(), actor(), token, arrival().now)
    return present.answer({})
