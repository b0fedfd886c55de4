"""One's own notifications, and what one wants by mail."""

from flask import Response

from controlplane.services import notifications as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, arrival, session
from web.schemas import WriteQuery
from web.telling_schemas import NotificationQuery, PreferencesBody, ReadBody, notification

api = noun("notifications", "/notifications", "What the caller was told, and what of it by mail")


@api.get("")
def index(query: NotificationQuery) -> Response:
    """List one's own notifications"""
    return present.page(service.listed(session(), actor(), listing(query)), notification)


@api.post("/read")
def read(body: ReadBody, query: WriteQuery) -> Response:
    """Mark one's own notifications as read"""
    marked = service.read(session(), actor(), body.ids, arrival().now)
    return present.answer({"marked": marked, "unread": service.unread(session(), actor())})


@api.get("/preferences")
def preferences() -> Response:
    """Show one's own address, and for each category of events whether mail is wanted"""
    return present.answer(_preferences())


@api.put("/preferences")
def set_preferences(body: PreferencesBody, query: WriteQuery) -> Response:
    """Set one's own address, and for some categories whether mail is wanted"""
    service.want(session(), actor(), body.mail or {})
    if "email" in body.model_fields_set:
        service.set_address(session(), actor(), body.email)
    return present.answer(_preferences())


def _preferences() -> dict[str, object]:
    found = service.address(session(), actor())
    return {"email": found, "mail": service.wanted(session(), actor())}
