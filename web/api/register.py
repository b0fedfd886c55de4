"""The register of decided requests."""

from flask import Response

from controlplane import lookups
from controlplane.options import Register
from controlplane.policy import authorize
from controlplane.services import register as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, session
from web.days import in_month
from web.published import RegisterBody, RegisterPage, RegisterQuery, RegisterSettings, entry
from web.schemas import WriteQuery

api = noun("register", "/register", "Requests that were decided, as the public register shows them")


@api.get("", responses={200: RegisterPage})
def index(query: RegisterQuery) -> Response:
    """List decided requests, the newest first: all of them where the register is public, else one's own department's"""
    authorize(actor(), "request.read")
    return present.page(lookups.register(session(), actor(), in_month(listing(query))), entry)


@api.get("/settings", responses={200: RegisterSettings})
def settings() -> Response:
    """Show whether the register is public, and whether it has titles"""
    return present.answer(service.shown(session(), actor()).model_dump())


@api.put("/settings", responses={200: RegisterSettings})
def change(body: RegisterBody, query: WriteQuery) -> Response:
    """Open the register to everybody, or close it"""
    made = service.change(session(), actor(), Register(public=body.public, titles=body.titles))
    return present.answer(made.model_dump())
