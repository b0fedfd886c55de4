"""Webhooks: programs that are told what happens, and what was delivered to them."""

from dataclasses import replace

from flask import Response

from controlplane import lookups
from controlplane.policy import authorize
from controlplane.services import webhooks as service
from controlplane.services.webhooks import NewWebhook
from web import present
from web.api.nouns import listing, noun
from web.context import actor, arrival, entrance, session, version, webhooks_allowed
from web.schemas import IdPath, WriteQuery
from web.telling_schemas import DeliveryQuery, ReplayBody, WebhookBody, WebhookChange, WebhookQuery, delivery, webhook

api = noun("webhooks", "/webhooks", "Programs that are told by a signed POST what happens")


@api.get("")
def index(query: WebhookQuery) -> Response:
    """List webhooks; secrets are never shown again"""
    return present.page(lookups.webhooks(session(), actor(), listing(query)), webhook)


@api.post("")
def create(body: WebhookBody, query: WriteQuery) -> Response:
    """Make a webhook; the secret that it signs with is in this answer alone"""
    new = NewWebhook(body.name, body.url, body.department, tuple(body.events))
    made, secret = service.create(session(), actor(), entrance().keys, webhooks_allowed(), new)
    return present.created({**webhook(made), "secret": secret}, "/webhooks", made)


@api.get("/<ref>")
def show(path: IdPath) -> Response:
    """Show a webhook"""
    found = lookups.webhook_for(session(), actor(), path.ref)
    return present.answer(webhook(found), version=found.version)


@api.patch("/<ref>")
def update(path: IdPath, body: WebhookChange, query: WriteQuery) -> Response:
    """Change a webhook, disable it or enable it again"""
    values = body.model_dump(exclude_unset=True)
    changed = service.change(session(), actor(), webhooks_allowed(), path.ref, values, version())
    return present.answer(webhook(changed), version=changed.version)


@api.post("/<ref>/rotate")
def rotate(path: IdPath, query: WriteQuery) -> Response:
    """Give a webhook another secret, in this answer alone; the one before signs too for a day"""
    changed, secret = service.rotate(session(), actor(), entrance().keys, path.ref, arrival().now)
    return present.answer({**webhook(changed), "secret": secret}, version=changed.version)


@api.delete("/<ref>")
def remove(path: IdPath, query: WriteQuery) -> Response:
    """Delete a webhook with its log"""
    authorize(actor(), "webhook.write")
    service.remove(session(), actor(), path.ref)
    return present.answer({})


@api.get("/<ref>/deliveries")
def deliveries(path: IdPath, query: DeliveryQuery) -> Response:
    """List what was delivered or is to be, and what was answered"""
    found = lookups.webhook_for(session(), actor(), path.ref)
    asked = listing(query)
    of_it = replace(asked, filters={**asked.filters, "webhook": str(found.id)})
    return present.page(lookups.deliveries(session(), actor(), of_it), delivery)


@api.post("/<ref>/replay")
def replay(path: IdPath, body: ReplayBody, query: WriteQuery) -> Response:
    """Have something delivered once more, under an id of its own"""
    return present.answer(delivery(service.replay(session(), actor(), path.ref, body.delivery)))
