"""API tokens."""

from uuid import UUID

from flask import Response

from controlplane.errors import NotFound
from controlplane.services import identity
from web import present
from web.api.nouns import noun
from web.context import actor, session
from web.schemas import IdPath, TokenBody, WriteQuery

api = noun("tokens", "/tokens", "Secrets that stand for a department or the administrators")


@api.get("")
def index() -> Response:
    """List the newest 500 tokens; secrets are never shown again"""
    return present.answer({"items": [present.token(t) for t in identity.tokens(session(), actor())]})


@api.post("")
def create(body: TokenBody, query: WriteQuery) -> Response:
    """Create a token; its secret is in this answer alone"""
    made, secret = identity.create_token(session(), actor(), body.name, body.department, body.expires_at)
    return present.answer({**present.token(made), "secret": secret}, 201)


@api.delete("/<ref>")
def revoke(path: IdPath, query: WriteQuery) -> Response:
    """End a token"""
    try:
        token = UUID(path.ref)
    except ValueError:
        raise NotFound(noun="token", name=path.ref) from None
    identity.revoke_token(session(), actor(), token)
    return present.answer({})
